"""Whatever callers, technicians, customers and crashes do: order of arrival, one dial each, nothing lost (OV-9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ivr.store.engine import open_store
from tests.integration.callbacks.world import World
from tests.integration.databases import Database, Filling, PostgresServer, SqliteFiles

T = TypeVar("T")
NUMBERS = [f"1514555{n:04}" for n in range(1000, 1006)]


class Callbacks(RuleBasedStateMachine):
    """The real keeper over a real database, in a world that does anything at any time."""

    #: Makes a database for each example.
    make: Callable[[], Database]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.asked: dict[str, str] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(mode=st.sampled_from(["technician_first", "customer_first"]), technicians=st.integers(1, 3))
    def begin(self, mode: str, technicians: int) -> None:
        self.database = self.make()
        self.store = open_store(self.database.url)
        self.world = World(store=self.store, mode=mode)
        for n in range(technicians):
            self.world.set_technician(f"700{n}", "busy")
        self.do(self.world.settle())

    def teardown(self) -> None:
        self.do(self.store.close())
        self.loop.close()
        self.database.drop()

    def live(self) -> list[str]:
        return [one.uniqueid for one in self.world.entries if one.uniqueid in self.world.numbers]

    @rule(number=st.sampled_from(NUMBERS))
    def somebody_calls(self, number: str) -> None:
        self.do(self.world.caller(number))

    @rule(number=st.sampled_from(NUMBERS))
    def somebody_calls_and_asks(self, number: str) -> None:
        uniqueid = self.do(self.world.caller(number))
        self.do(self.world.agree(uniqueid, self.do(self.world.press(uniqueid))))

    @precondition(lambda self: self.world.accepted)
    @rule()
    def a_turn_comes(self) -> None:
        for name, state in self.world.technicians.items():
            if state != "idle" and name not in self.world.busy_with:
                self.world.set_technician(name, "idle")
        self.do(self.world.settle())
        self.do(self.world.distribute())

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def somebody_presses_1(self, data: st.DataObject) -> None:
        uniqueid = data.draw(st.sampled_from(self.live()))
        if "-customer" not in uniqueid:
            self.asked[uniqueid] = self.do(self.world.press(uniqueid))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), answer=st.sampled_from(["agree", "agree", "change", "hang up"]))
    def they_answer(self, data: st.DataObject, answer: str) -> None:
        uniqueid = data.draw(st.sampled_from(sorted(self.asked)))
        callback = self.asked.pop(uniqueid)
        if answer == "agree":
            self.do(self.world.agree(uniqueid, callback))
        elif answer == "change":
            self.do(self.world.change_mind(uniqueid, callback))
        else:
            self.do(self.world.hang_up(uniqueid))
            self.do(self.world.keeper.withdraw(callback))
            self.do(self.world.settle())

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def somebody_hangs_up(self, data: st.DataObject) -> None:
        self.do(self.world.hang_up(data.draw(st.sampled_from(self.live()))))
        self.do(self.world.settle())

    @rule(data=st.data(), state=st.sampled_from(["idle", "idle", "busy", "away"]))
    def a_technician_comes_or_goes(self, data: st.DataObject, state: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.technicians)))
        if name not in self.world.busy_with:
            self.world.set_technician(name, state)
            self.do(self.world.settle())

    @rule()
    def the_queue_distributes(self) -> None:
        self.do(self.world.distribute())

    @precondition(lambda self: self.world.busy_with)
    @rule(data=st.data())
    def a_technician_hangs_up(self, data: st.DataObject) -> None:
        uniqueid = self.world.busy_with[data.draw(st.sampled_from(sorted(self.world.busy_with)))]
        self.do(self.world.hang_up(uniqueid))
        self.do(self.world.settle())

    @precondition(lambda self: self.world.dialling)
    @rule(data=st.data(), does=st.sampled_from(["answers", "answers", "NOANSWER", "BUSY", "CONGESTION"]))
    def a_customer_reacts(self, data: st.DataObject, does: str) -> None:
        self.do(self.world.customer(data.draw(st.sampled_from(sorted(self.world.dialling))), does))

    @rule(seconds=st.sampled_from([5, 40, 600]))
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)
        self.do(self.world.settle())

    @rule()
    def the_service_is_killed(self) -> None:
        # Those who were being asked are on their own: the dialplan takes them back into the queue.
        for uniqueid in self.asked:
            self.do(self.world.hang_up(uniqueid))
        self.asked.clear()
        self.world.events.clear()
        self.world.start_service()
        self.do(self.world.settle())

    @rule()
    def asterisk_is_killed(self) -> None:
        self.asked.clear()
        self.do(self.world.restart_asterisk())

    @invariant()
    def all_is_well(self) -> None:
        if hasattr(self, "world"):
            self.do(self.world.check())


SETTINGS = settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("kind", ["sqlite_files", "server"])
def test_callbacks(kind: str, filling: Filling, request: pytest.FixtureRequest) -> None:
    maker: SqliteFiles | PostgresServer = request.getfixturevalue(kind)

    class OnThisDatabase(Callbacks):
        @staticmethod
        def make() -> Database:
            return maker.database(filling)

    run_state_machine_as_test(OnThisDatabase, settings=SETTINGS)
