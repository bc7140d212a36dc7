"""Logging a technician's phone in: *22 is a toggle, and who was left logged in would be logged out by it."""

from __future__ import annotations

from sipsim.phones import Phone

#: The code, and what the line says when it logs out instead of in.
LOGIN = "*22"
_LOGGED_IN, _LOGGED_OUT = "technician-login", "technician-logout"
_SAID_S = 15.0


def log_in(phone: Phone) -> bool:
    """Have the phone logged in; whether it was not before. The farm has a recogniser: the line's answer is listened to.

    Raises PhoneTimeout where the line does not answer.
    """
    if _LOGGED_OUT not in _dialled(phone):
        return True
    _dialled(phone)
    return False


def log_out(phone: Phone) -> None:
    """Have the phone logged out."""
    if _LOGGED_IN in _dialled(phone):
        _dialled(phone)


def _dialled(phone: Phone) -> set[str]:
    call = phone.dial(LOGIN)
    call.wait_ended(_SAID_S)
    if phone.farm.recogniser is not None:
        return {one.prompt_id for one in call.heard()}
    return set()
