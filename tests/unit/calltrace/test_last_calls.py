"""Phones' last calls are forgotten after a day."""

from __future__ import annotations

from ivr.calltrace.last_calls import forget, stale

NOW = 1_795_885_000.0
SHOWN = """/ov/6001          : 1795798599|ov-1.1|ov-1.1|x@y|ulaw|192.0.2.1:4000|15145550123||
/ov/6002          : 1795798600|ov-2.1|ov-2.1|x@y|ulaw|192.0.2.1:4000|15145550123||
/ov/6003          : nonsense
/registrar/contact/6001;@1                       : {"uri":"sip:6001@192.0.2.1"}
3 results found.
"""


def test_older_than_a_day_to_the_second() -> None:
    """And nothing that is not a last call."""
    assert stale(SHOWN, NOW) == [("ov", "6001")]


async def test_only_these_are_deleted() -> None:
    """In both families; an Asterisk that is away answers nothing, and nothing is done."""
    asked: list[str] = []

    async def cli(command: str) -> str:
        asked.append(command)
        return {"database show ov": SHOWN, "database show ov-other": SHOWN.replace("/ov/", "/ov-other/")}.get(
            command, ""
        )

    assert await forget(cli, NOW) == 2
    assert [command for command in asked if "del" in command] == ["database del ov 6001", "database del ov-other 6001"]

    async def away(command: str) -> str:
        return ""

    assert await forget(away, NOW) == 0
