"""Whatever callers, technicians, customers and crashes do: order of arrival, one dial each, nothing lost (OV-9)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ivr.store.engine import open_store
from tests.integration.callbacks.world import World
from tests.integration.databases import KINDS, Database, Filling, PostgresServer, SqliteFiles

T = TypeVar("T")
NUMBERS = [f"1514555{n:04}" for n in range(1000, 1006)]


class Callbacks(RuleBasedStateMachine):
    """The real keeper over a real database, in a world that does anything at any time.

    One rule chooses among what can happen. With a rule for each, those that are always possible (calls, crashes) crowd
    out those that need a history (a customer who answers), which are the ones that matter.
    """

    #: Makes a database for each example.
    make: Callable[[], Database]
    #: How often each thing happened, in all examples.
    happened: ClassVar[Counter[str]] = Counter()

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

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(list(self.possible())), label="what")
        self.happened[name] += 1
        getattr(self, name)(data)

    def possible(self) -> Iterator[str]:
        """What can happen now, as often as it is likely; the tamest first."""
        yield from ["somebody_calls", "somebody_calls_and_asks", "time_passes"] * 2
        if self.live():
            yield from ["somebody_presses_1", "somebody_hangs_up"]
        if self.asked:
            yield from ["they_answer"] * 5
        if self.world.accepted:
            yield from ["a_turn_comes"] * 4
        if self.world.dialling:
            yield from ["a_customer_reacts"] * 6
            yield "a_customer_answers_without_the_service"
        if self.world.busy_with:
            yield from ["a_technician_hangs_up"] * 2
        yield from ["a_technician_comes_or_goes", "the_queue_distributes", "somebody_is_killed"]

    def live(self) -> list[str]:
        return [one.uniqueid for one in self.world.entries if one.uniqueid in self.world.numbers]

    def somebody_calls(self, data: st.DataObject) -> None:
        self.do(self.world.caller(data.draw(st.sampled_from(NUMBERS))))

    def somebody_calls_and_asks(self, data: st.DataObject) -> None:
        uniqueid = self.do(self.world.caller(data.draw(st.sampled_from(NUMBERS))))
        self.do(self.world.agree(uniqueid, self.do(self.world.press(uniqueid))))

    def a_turn_comes(self, data: st.DataObject) -> None:
        for name, state in self.world.technicians.items():
            if state != "idle" and name not in self.world.busy_with:
                self.world.set_technician(name, "idle")
        self.do(self.world.settle())
        self.do(self.world.distribute())

    def somebody_presses_1(self, data: st.DataObject) -> None:
        uniqueid = data.draw(st.sampled_from(self.live()))
        if "-customer" not in uniqueid:
            self.asked[uniqueid] = self.do(self.world.press(uniqueid))

    def they_answer(self, data: st.DataObject) -> None:
        uniqueid = data.draw(st.sampled_from(sorted(self.asked)))
        answer = data.draw(st.sampled_from(["agree", "agree", "change", "change and hang up", "hang up"]))
        callback = self.asked.pop(uniqueid)
        if answer == "agree":
            self.do(self.world.agree(uniqueid, callback))
        elif answer.startswith("change"):
            self.do(self.world.change_mind(uniqueid, callback, and_hang_up=answer != "change"))
        else:
            self.world.asking.discard(callback)
            self.do(self.world.hang_up(uniqueid))
            self.do(self.world.keeper.withdraw(callback))
            self.do(self.world.settle())

    def somebody_hangs_up(self, data: st.DataObject) -> None:
        self.do(self.world.hang_up(data.draw(st.sampled_from(self.live()))))
        self.do(self.world.settle())

    def a_technician_comes_or_goes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.technicians)))
        state = data.draw(st.sampled_from(["idle", "idle", "busy", "away"]))
        if name not in self.world.busy_with:
            self.world.set_technician(name, state)
            self.do(self.world.settle())

    def the_queue_distributes(self, data: st.DataObject) -> None:
        self.do(self.world.distribute())

    def a_technician_hangs_up(self, data: st.DataObject) -> None:
        uniqueid = self.world.busy_with[data.draw(st.sampled_from(sorted(self.world.busy_with)))]
        self.do(self.world.hang_up(uniqueid))
        self.do(self.world.settle())

    def a_customer_reacts(self, data: st.DataObject) -> None:
        does = data.draw(st.sampled_from(["answers", "answers", "NOANSWER", "BUSY", "CONGESTION"]))
        self.do(self.world.customer(data.draw(st.sampled_from(list(self.world.dialling))), does))

    def a_customer_answers_without_the_service(self, data: st.DataObject) -> None:
        uniqueid = data.draw(st.sampled_from(list(self.world.dialling)))
        if self.world.dialled_by(uniqueid) == "dialling":
            self.leave_alone_who_is_asked()
            free = "idle" in self.world.technicians.values()
            met = self.world.mode == "customer_first" and free and data.draw(st.booleans(), label="met")
            self.do(self.world.answers_without_the_service(uniqueid, met=met))

    def time_passes(self, data: st.DataObject) -> None:
        self.world.now += timedelta(seconds=data.draw(st.sampled_from([5, 40, 600])))
        self.do(self.world.settle())

    def somebody_is_killed(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(["service", "asterisk", "both"]))
        self.happened[f"{who} killed"] += 1
        if who != "asterisk":
            self.leave_alone_who_is_asked()
            self.world.events.clear()
            self.world.start_service()
        if who != "service":
            for callback in self.asked.values():
                self.do(self.world.keeper.withdraw(callback))
            self.asked.clear()
            self.world.asking.clear()
            self.do(self.world.restart_asterisk())
        self.do(self.world.settle())

    def leave_alone_who_is_asked(self) -> None:
        """Without the service those who were being asked are on their own, and here they hang up."""
        for uniqueid in self.asked:
            self.do(self.world.hang_up(uniqueid))
        self.asked.clear()
        self.world.asking.clear()

    @invariant()
    def all_is_well(self) -> None:
        if hasattr(self, "world"):
            self.do(self.world.check())


SETTINGS = settings(max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("kind", [{"sqlite": "sqlite_files", "postgresql": "server"}[kind] for kind in KINDS])
def test_callbacks(kind: str, filling: Filling, request: pytest.FixtureRequest) -> None:
    maker: SqliteFiles | PostgresServer = request.getfixturevalue(kind)

    class OnThisDatabase(Callbacks):
        happened: ClassVar[Counter[str]] = Counter()

        @staticmethod
        def make() -> Database:
            return maker.database(filling)

    run_state_machine_as_test(OnThisDatabase, settings=SETTINGS)
    # It can fail only where it has been.
    assert OnThisDatabase.happened["a_customer_reacts"] >= 10, OnThisDatabase.happened
