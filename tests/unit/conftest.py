"""The desks that come with the product, and calls through their menus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest

from ivr.desk import menu
from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.load import Desks, load_desks
from ivr.desk.schema import Desk

STRANGER = menu.Caller(number=None, language=None, registered_phone=None, known=False)


@pytest.fixture(scope="session")
def desks() -> Desks:
    return load_desks()


@pytest.fixture(scope="session")
def omnivigil(desks: Desks) -> Desk:
    return desks["omnivigil"]


@pytest.fixture(scope="session")
def hotline(desks: Desks) -> Desk:
    return desks["hotline-2024"]


@dataclass(frozen=True, kw_only=True)
class Call:
    """What happened: the prompts of each ask, its language, what was decided, and where it went."""

    asks: tuple[menu.Ask, ...]
    decided: tuple[menu.Decided, ...]
    to: menu.Destination

    @property
    def said(self) -> list[list[str]]:
        return [[prompt.id for prompt in ask.prompts] for ask in self.asks]

    @property
    def languages(self) -> list[str]:
        return [ask.language for ask in self.asks]


Dial = Callable[..., Call]


@pytest.fixture(scope="session")
def calendars(desks: Desks) -> Mapping[str, Mapping[str, Calendar]]:
    return {desk.id: calendars_of(desk) for desk in desks.values()}


@pytest.fixture(scope="session")
def dial(desks: Desks, calendars: Mapping[str, Mapping[str, Calendar]]) -> Dial:
    """`dial(at, keys, number=..., caller=..., announced=...)`: each ask is answered by the next of `keys`, of which
    "," is silence."""

    def call(
        at: str,
        keys: Sequence[str] = "",
        *,
        number: str = "18446664844",
        caller: menu.Caller = STRANGER,
        announced: menu.Announced | None = None,
    ) -> Call:
        desk = desks.by_number(number)
        assert desk is not None
        now = datetime.fromisoformat(at)
        now = now.replace(tzinfo=desk.zone) if now.tzinfo is None else now
        steps = menu.line(desk, calendars[desk.id], caller, number, lambda: now, lambda: announced)
        asks: list[menu.Ask] = []
        decided: list[menu.Decided] = []
        left = list(keys)
        answer: str | None = None
        while True:
            try:
                step = steps.send(answer) if answer is not None else next(steps)
            except StopIteration as end:
                assert not left, f"{left} were never asked for"
                return Call(asks=tuple(asks), decided=tuple(decided), to=end.value)
            answer = None
            if isinstance(step, menu.Decided):
                decided.append(step)
                continue
            if isinstance(step, menu.Follow):
                decided.append(menu.Decided(what="follow", facts={"language": step.language}))
                continue
            asks.append(step)
            pressed = left.pop(0) if left else ","
            answer = None if pressed == "," else pressed

    return call
