"""Whom a queue rings for a caller."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.queueing.member_choice import Candidate, Need, may_ring, rank

ENGLISH = Need(language="en", waited_s=0)
FRENCH = Need(language="fr", waited_s=0)
ANNE = Candidate(endpoint="7001", languages={"fr": 0})
BOB = Candidate(endpoint="7002", languages={"en": 0})
CLEO = Candidate(endpoint="7003", languages={"fr": 0, "en": 5}, skills=frozenset({"cloud"}))
ALL = (ANNE, BOB, CLEO)


def rung(need: Need, candidates: tuple[Candidate, ...] = ALL, *before: Need) -> list[str]:
    """Whose phones may ring."""
    named = (one.endpoint for one in candidates if one.free)
    return [one for one in named if may_ring(need, one, candidates, before=before, suited_s=20)]


def busy(one: Candidate) -> Candidate:
    """In a call."""
    return Candidate(**{**vars(one), "free": False})


def away(one: Candidate) -> Candidate:
    """On a break, or their phone cannot be reached."""
    return Candidate(**{**vars(one), "free": False, "on_duty": False})


def test_who_speaks_the_language_by_penalty() -> None:
    """Cleo's English comes after Bob's, as long as he is free; those of one penalty are the queue's to choose."""
    assert rung(ENGLISH) == ["7002"]
    assert rung(ENGLISH, (ANNE, busy(BOB), CLEO)) == ["7003"]
    assert rung(FRENCH) == ["7001", "7003"]


def test_the_queue_s_own_penalty_counts_too() -> None:
    """Both are added up."""
    anne = Candidate(endpoint="7001", languages={"fr": 0}, penalty=3)
    assert rank(FRENCH, anne) == 3
    assert rung(FRENCH, (anne, CLEO)) == ["7003"]


def test_without_languages_they_are_taken_to_speak_every_one() -> None:
    """As staff are who were entered before that could be said; and a caller may have none."""
    dan = Candidate(endpoint="7004")
    assert rung(ENGLISH, (ANNE, dan)) == ["7004"]
    assert rung(Need(language=None, waited_s=0), (ANNE, BOB)) == ["7001", "7002"]


def test_who_has_the_skill() -> None:
    """And the language."""
    assert rung(Need(language="fr", skill="cloud", waited_s=0)) == ["7003"]


def test_others_only_after_the_wait() -> None:
    """To the second; Bob is on duty and busy meanwhile."""
    only = (ANNE, busy(BOB))
    assert rung(Need(language="en", waited_s=19.999), only) == []
    assert rung(Need(language="en", waited_s=20), only) == ["7001"]


@pytest.mark.parametrize("others", [(), (away(BOB),), (away(BOB), away(CLEO))])
def test_nobody_waits_for_what_no_one_on_duty_has(others: tuple[Candidate, ...]) -> None:
    """A break, a phone that cannot be reached, nobody at all: everybody is rung at once."""
    assert rung(ENGLISH, (ANNE, *others)) == ["7001"]
    assert rung(Need(language="fr", skill="voip", waited_s=0), (ANNE, *others)) == ["7001"]


def test_a_technician_whom_somebody_ahead_needs_is_left_to_them() -> None:
    """As long as the caller has another; nobody stays unserved for it, nor once the one ahead takes anybody."""
    two = (ANNE, CLEO)
    assert rung(FRENCH, two, ENGLISH) == ["7001"]
    assert rung(FRENCH, (CLEO,), ENGLISH) == ["7003"]
    assert rung(FRENCH, two, Need(language="en", waited_s=20)) == ["7001", "7003"]
    assert rung(FRENCH, two, FRENCH) == ["7001", "7003"]


def test_when_in_doubt_it_rings() -> None:
    """A member who is not known yet."""
    assert may_ring(ENGLISH, "7009", ALL, before=(), suited_s=20)


needs = st.builds(
    Need,
    language=st.sampled_from(["fr", "en", None]),
    skill=st.sampled_from([None, "cloud"]),
    waited_s=st.floats(min_value=0, max_value=60),
)
teams = st.lists(
    st.builds(
        Candidate,
        endpoint=st.sampled_from(["7001", "7002", "7003", "7004"]),
        penalty=st.integers(0, 3),
        languages=st.dictionaries(st.sampled_from(["fr", "en"]), st.integers(0, 3)),
        skills=st.sampled_from([frozenset[str](), frozenset({"cloud"})]),
        free=st.booleans(),
    ),
    unique_by=lambda one: one.endpoint,
).map(tuple)


@given(need=needs, team=teams, before=st.lists(needs, max_size=4))
def test_somebody_suited_and_free_is_always_rung(need: Need, team: tuple[Candidate, ...], before: list[Need]) -> None:
    """Whoever stands ahead. And after the wait everyone is."""
    found = rung(need, team, *before)
    suited = [one.endpoint for one in team if one.free and rank(need, one) is not None]
    assert bool(found) or not suited
    if need.waited_s >= 20:
        assert found == [one.endpoint for one in team if one.free]
