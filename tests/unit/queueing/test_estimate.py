"""How long a caller waits, and how it is said."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.prompts.engines import CoreSounds
from ivr.queueing.estimate import Answer, expected_wait, is_longer, number_prompts, spoken_minutes, wait_prompts

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


def answers(*seconds_ago: int) -> list[Answer]:
    """Answers while somebody waited all the time."""
    gaps = [None, *(float(before - after) for before, after in itertools.pairwise(seconds_ago))]
    return [Answer(at=NOW - timedelta(seconds=ago), after_s=gap) for ago, gap in zip(seconds_ago, gaps, strict=False)]


def test_without_answers_it_rests_on_the_usual_time() -> None:
    """Two technicians, five minutes a call: every two and a half minutes somebody is free."""
    assert expected_wait(1, [], 2, NOW, handling_s=300) == 150
    assert expected_wait(4, [], 2, NOW, handling_s=300) == 600


def test_the_pace_of_the_last_answers() -> None:
    """Four answers in eight minutes: two minutes each."""
    assert expected_wait(3, answers(480, 360, 240, 120), 2, NOW, handling_s=300) == 360


def test_it_grows_while_nobody_answers() -> None:
    """The pause since the last answer counts."""
    since = NOW - timedelta(seconds=480)
    before = expected_wait(1, answers(480, 420, 360), 1, NOW, handling_s=60, waiting_since=since)
    later = expected_wait(1, answers(480, 420, 360), 1, NOW + timedelta(minutes=10), handling_s=60, waiting_since=since)
    assert before is not None
    assert later is not None
    assert later > before


def test_it_is_never_too_good_to_be_true() -> None:
    """A burst of short calls promises nothing: a third of the usual time is the least."""
    assert expected_wait(1, answers(3, 2, 1), 1, NOW, handling_s=300) == 100


def test_a_quiet_hour_is_no_long_wait() -> None:
    """Two calls in the last hour, each answered at once: who waits now waits for a call's usual time."""
    quiet = [Answer(at=NOW - timedelta(minutes=50)), Answer(at=NOW - timedelta(minutes=40))]
    assert expected_wait(1, quiet, 1, NOW, handling_s=120, waiting_since=NOW - timedelta(seconds=10)) == 120


def test_old_answers_tell_nothing() -> None:
    assert expected_wait(1, answers(7200, 7100), 1, NOW, handling_s=300) == 300


def test_nobody_there_is_not_a_number() -> None:
    assert expected_wait(1, answers(60, 30), 0, NOW, handling_s=300) is None


@given(st.integers(1, 300), st.lists(st.integers(0, 4000), max_size=20), st.integers(1, 50))
def test_further_back_never_waits_less(position: int, ago: list[int], technicians: int) -> None:
    recent = answers(*sorted(ago, reverse=True))
    here = expected_wait(position, recent, technicians, NOW, handling_s=300)
    behind = expected_wait(position + 1, recent, technicians, NOW, handling_s=300)
    assert here is not None
    assert behind is not None
    assert behind > here > 0


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [(0, 1), (1, 1), (60, 1), (61, 2), (300, 5), (301, 10), (601, 15), (1201, 30), (1801, 45), (2701, 60), (9999, 60)],
)
def test_minutes_as_people_say_them(seconds: float, minutes: int) -> None:
    """Rounded up: a promise that is kept."""
    assert spoken_minutes(seconds) == minutes


def test_beyond_an_hour() -> None:
    assert not is_longer(3600)
    assert is_longer(3601)
    assert wait_prompts(2, 4000, "fr")[-1] == "queue-wait-long"


@pytest.mark.parametrize(
    ("number", "french", "english"),
    [
        (0, "0", "0"),
        (9, "9", "9"),
        (10, "10", "10"),
        (11, "11", "11"),
        (16, "16", "16"),
        (20, "20", "20"),
        (21, "20 et 1", "20 1"),
        (70, "70", "70"),
        (71, "60 et 11", "70 1"),
        (77, "60 17", "70 7"),
        (81, "80 1", "80 1"),
        (90, "90", "90"),
        (91, "80 11", "90 1"),
        (100, "hundred", "1 hundred"),
        (101, "hundred 1", "1 hundred 1"),
        (300, "3 hundred", "3 hundred"),
        (999, "9 hundred 80 19", "9 hundred 90 9"),
        (5000, "9 hundred 80 19", "9 hundred 90 9"),
    ],
)
def test_numbers_in_recorded_words(number: int, french: str, english: str) -> None:
    """Quatre-vingt-onze is eighty and eleven; vingt et un has its « et »."""
    for language, words in (("fr", french), ("en", english)):
        said = [one.removeprefix("digit-").removeprefix("number-") for one in number_prompts(number, language)]
        assert " ".join(said) == words


def test_every_number_has_its_recordings() -> None:
    for language in ("fr", "en"):
        there = set(CoreSounds.prompts(language))
        for number in range(1000):
            assert there.issuperset(number_prompts(number, language)), number


def test_what_is_told() -> None:
    assert wait_prompts(1, 200, "fr") == ("queue-youarenext", "queue-holdtime", "digit-4", "queue-minutes")
    assert wait_prompts(1, 20, "fr")[-2:] == ("digit-1", "queue-minute")
    assert wait_prompts(3, None, "en") == ("queue-thereare", "digit-3")
