"""What subscribers read, in French and English."""

from __future__ import annotations

from typing import Final

from ivr import wording

_CONFIRM: Final = wording.texts("subscriptions.confirm")
_CODE: Final = wording.text("subscriptions.code")
_TOLD: Final = wording.text("subscriptions.told")


def to_confirm(desk: str, language: str, url: str) -> tuple[str, str]:
    """Subject and body of the e-mail that asks."""
    texts = _CONFIRM[wording.known(language)]
    return texts["subject"].format(desk=desk), texts["body"].format(desk=desk, url=url)


def code(desk: str, language: str, digits: str) -> str:
    """The text message with the code."""
    return _CODE[wording.known(language)].format(desk=desk, code=digits)


def told(language: str, text: str, *, page: str, leave: str) -> str:
    """The body of an e-mail about an update."""
    return _TOLD[wording.known(language)].format(text=text, page=page, leave=leave)
