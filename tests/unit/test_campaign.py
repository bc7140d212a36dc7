"""What the campaign decides by itself: who comes, what is hurt, what is held against the line."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.faults import Fault, applicable, judged, plan
from bench.faults_kinds import KINDS, Kind
from bench.faults_people import Plan, Visit, plans, silences
from bench.soak import Sample, Soak, grows
from ivr.errors import BadInput

ALL = {kind.name: kind for kind in KINDS}


def first(count: int, seed: int) -> list[str]:
    return [kind.name for kind in itertools.islice(plan(KINDS, seed), count)]


def test_the_same_seed_hurts_alike_and_sends_the_same_callers() -> None:
    assert first(100, 7) == first(100, 7)
    assert first(100, 7) != first(100, 8)
    assert sorted(first(len(KINDS), 7)) == sorted(ALL)
    a, b = (list(itertools.islice(plans(seed, 0.5), 50)) for seed in (7, 7))
    assert a == b
    assert len({one.number for one in itertools.islice(plans(7, 0.5), 30_000)}) == 30_000


def test_what_cannot_be_done_here_is_said() -> None:
    kinds, skipped = applicable((), database="sqlite", image=False, restart=False)
    assert not {kind.needs for kind in kinds} & {"postgresql", "image", "restart"}
    assert {"pg_killed", "disk_full", "planned_restart"} <= set(skipped)
    assert applicable(["kill_both"], database="postgresql", image=True, restart=True) == ([ALL["kill_both"]], {})
    with pytest.raises(BadInput, match="unplug is unknown"):
        applicable(["unplug"], database="sqlite", image=True, restart=True)


def visited(began: float, *, failure: str = "", silent: tuple[tuple[float, float], ...] = ()) -> Visit:
    one = Plan(after_s=0, number="15145550001", wish="wait", stay_s=20)
    answered = None if failure else began
    return Visit(plan=one, dialled=began, answered=answered, failure=failure, ended=began + 20, silences=silent)


def fault(kind: str, began: float) -> Fault:
    return Fault(kind=ALL[kind], began=began, healed=began + 1, healthy_s=5, calls_s=2)


@pytest.mark.parametrize(
    ("kind", "dialled", "said"),
    [
        ("kill_service", 100, "not answered"),
        ("kill_asterisk", 100, None),
        # It dialled long after that, or had hung up long before.
        ("kill_asterisk", 110, "not answered"),
        ("kill_asterisk", 75, "not answered"),
    ],
)
def test_only_what_asterisk_itself_carried_is_no_violation(kind: str, dialled: float, said: str | None) -> None:
    found = judged([visited(dialled, failure="408")], [fault(kind, 100)])
    assert [said in one.what for one in found if said] == [True] * (said is not None)
    assert len(found) == (said is not None)


@pytest.mark.parametrize(
    ("heard", "talked", "violations"),
    [
        (("welcome", "menu"), [], 1),
        (("welcome", "menu"), ['"Julie" <sip:5145550001@127.0.0.1>'], 0),
        (("welcome", "callback-accepted"), [], 0),
        (("fallback-queue", "fallback-received"), ["sip:5145550002@127.0.0.1"], 0),
    ],
)
def test_hung_up_on(heard: tuple[str, ...], talked: list[str], violations: int) -> None:
    one = visited(100)
    one.by_line, one.heard = True, heard
    assert [found.what for found in judged([one], [], talked)] == [
        "the line hung up on a caller who had reached nobody"
    ] * violations


def test_nothing_heard() -> None:
    found = judged([visited(100, silent=((104.0, 112.0),))], [fault("freeze_service", 104)])
    assert [(one.what, one.during) for one in found] == [("a caller heard nothing for more than 5 s", "freeze_service")]
    assert "…0001: for 8.0 s, 4 s after the answer" in found[0].of


def test_silence_is_counted_from_the_answer_and_to_the_end() -> None:
    loud = np.full(8000, 1000, np.float32)
    quiet = np.zeros(48_000, np.float32)
    assert silences(np.concatenate([loud, quiet, loud]), 10.0, 18.0) == [(11.0, 17.02)]
    assert silences(loud, 10.0, 20.0) == [(11.0, 20.0)]
    assert silences(np.zeros(0, np.float32), 10.0, 20.0) == [(10.0, 20.0)]
    assert silences(loud, 10.0, 12.0) == []


def soaked(memory: float, files: float, *, hours: float = 3.0) -> Soak:
    """Ten thousand calls, in which memory and descriptors grow by so much."""
    samples = [
        Sample(
            calls=n * 100,
            at_s=n * 36 * hours,
            memory_mb={"service": 300 + memory * n / 100},
            descriptors={"service": round(40 + files * n / 100)},
        )
        for n in range(101)
    ]
    return Soak(samples=samples, calls=10_000, seconds=3600 * hours)


def test_growth() -> None:
    assert grows(soaked(2, 0)) == []
    assert grows(soaked(6, 0)) == ["memory of service: 2.0% by 10,000 calls"]
    assert grows(soaked(0, 5))[0].startswith("descriptors of service: ")
    # The caches are filling yet.
    assert grows(soaked(60, 5, hours=0.1)) == []


def test_every_kind_has_a_name_of_its_own() -> None:
    assert len(ALL) == len(KINDS)
    assert all(isinstance(kind, Kind) for kind in KINDS)
