"""Which phones are registered, as Asterisk tells it and as far as it does."""

from __future__ import annotations

from ivr.asterisk.ami import NO_FIELDS, AmiRefused, Fields
from ivr.asterisk.registrations import registered
from ivr.errors import Unavailable


class FakeManager:
    """Tells of 6001 and 6002; of 6003 it does not answer, and 6004 it refuses."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def action(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> Fields:
        self.asked.append(fields["Variable"])
        if "6003" in fields["Variable"]:
            raise Unavailable(component="Asterisk's manager")
        if "6004" in fields["Variable"]:
            raise AmiRefused(action=name, said="no")
        return {"value": "6001;@a" if "6001" in fields["Variable"] else ""}


async def test_phones_are_registered_or_not_or_unknown() -> None:
    manager = FakeManager()
    found = await registered(manager, ["6001", "6002", "6003", "6004", "6001"])
    assert found == {"6001": True, "6002": False}
    assert len(manager.asked) == 4, "each is asked for once"


async def test_what_is_no_phone_s_name_is_never_asked_for() -> None:
    manager = FakeManager()
    assert await registered(manager, ["6001,contact)}${SHELL(x", "", "A B"]) == {}
    assert manager.asked == []
