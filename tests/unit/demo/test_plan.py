"""Who calls in the demo: the same for a seed, of all kinds, and as the hour is."""

from __future__ import annotations

from itertools import islice

from ivr.demo.plan import WORDS, Visit, visits


def first(count: int, seed: int = 1, *, is_open: bool = True) -> list[Visit]:
    return list(islice(visits(seed, is_open=is_open), count))


def test_a_seed_is_a_day() -> None:
    assert first(200) == first(200)
    assert first(200) != first(200, seed=2)


def test_everything_happens_within_the_first_minute() -> None:
    kinds = {one.kind for one in first(8) if one.at_s < 60}
    assert {"support", "bad-call", "callback", "other"} <= kinds
    assert any(one.english for one in first(8))


def test_people_come_in_order_and_talk_as_people_do() -> None:
    day = first(1000)
    assert [one.at_s for one in day] == sorted(one.at_s for one in day)
    lengths = sorted(one.talk_s for one in day)
    assert 150 < lengths[500] < 210
    assert lengths[0] >= 30
    assert lengths[-1] <= 900


def test_numbers_are_nobodys() -> None:
    assert all(one.number[3:8] == "55501" and len(one.number) == 10 for one in first(500))


def test_at_night_they_leave_messages() -> None:
    assert {one.kind for one in first(300, is_open=False)} == {"voice-message", "bad-call"}


def test_an_incident_goes_through_all_stages() -> None:
    assert [word.stage for word in WORDS] == ["investigating", "confirmed", "resolved"]
    assert all(word.texts.keys() == {"fr", "en"} for word in WORDS)
