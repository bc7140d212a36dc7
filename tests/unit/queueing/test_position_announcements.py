"""What waiting callers are told, as the files that Asterisk would open (OV-9, OV-10)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from ivr.prompts.build import BuildError
from ivr.queueing.places import Place
from ivr.queueing.position_announcements import FILES, Listener, News
from ivr.queueing.queue_state import QueueWatch

ARRIVED = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


class Waiting:
    """Two desks' callers in a queue each, for so many seconds."""

    version = 0

    def __init__(self) -> None:
        self.waited_s = {"first": 60.0, "second": 60.0}
        self.follow = False
        #: A caller's language, and whether who they are can be had at all.
        self.language = {"first": "fr", "second": "fr"}
        self.poisoned = ""

    def places(self, queue: str) -> list[Place]:
        return [Place(uniqueid=queue, channel=f"PJSIP/trunk-{queue}", arrived_at=ARRIVED, callback=None)]

    def wait_s(self, queue: str, position: int) -> float | None:
        return 60.0 * position

    def listener(self, queue: str, place: Place) -> Listener:
        if queue == self.poisoned:
            raise KeyError("a row that nobody foresaw")
        return Listener(
            call_id=queue,
            desk=queue,
            language=self.language[queue],
            offered=True,
            waited_s=self.waited_s[queue],
            follow=self.follow,
        )


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def news(tmp_path: Path, waiting: Waiting) -> News:
    def sound_of(desk: str, prompt: str, language: str) -> str:
        if language != "fr":
            raise BuildError(prompt=prompt)
        path = tmp_path / f"{prompt}.ulaw"
        path.write_bytes(prompt.encode())
        return str(path.with_suffix(""))

    return News(tmp_path, tuple(waiting.waited_s), cast(QueueWatch, waiting), waiting.listener, sound_of)


def told(folder: Path, caller: str, file: str = FILES[0]) -> bytes:
    return (folder / f"fr_ov_{caller}" / f"{file}.ulaw").read_bytes()


PLACE = b"queue-youarenextqueue-holdtimedigit-1queue-minute"


async def test_the_place_and_then_the_offer(tmp_path: Path, news: News) -> None:
    await news.refresh()
    assert told(tmp_path, "first") == PLACE
    assert told(tmp_path, "first", FILES[1]) == b"callback-offer"


async def test_who_is_new_is_told_all_at_once(tmp_path: Path, news: News, waiting: Waiting) -> None:
    waiting.waited_s["first"] = 1.0
    await news.refresh()
    assert told(tmp_path, "first") == PLACE + b"callback-offer"


async def test_a_change_ends_what_is_being_told_and_nothing_more_is_for_a_while(tmp_path: Path, news: News) -> None:
    """Other desks' callers are not concerned."""
    await news.refresh()
    heard = {caller: (tmp_path / f"fr_ov_{caller}" / f"{FILES[0]}.ulaw").open("rb") for caller in ("first", "second")}
    await news.interrupt("first", 1)
    assert heard["first"].read() == b""
    assert heard["second"].read() == PLACE
    assert set(told(tmp_path, "first")) == {0xFF}
    assert told(tmp_path, "second") == PLACE
    for file in heard.values():
        file.close()


async def test_who_comes_after_a_change_is_told_their_place(tmp_path: Path, news: News, waiting: Waiting) -> None:
    """They heard of the change before they joined. Theirs is a new file, and not the one that was cut off."""
    await news.refresh()
    waiting.waited_s["first"] = -1.0
    await news.interrupt("first", 1)
    assert told(tmp_path, "first").startswith(PLACE)
    waiting.waited_s["first"] = 60.0
    await news.refresh()
    assert set(told(tmp_path, "first")) == {0xFF}


async def test_places_are_told_again_after_the_change(
    tmp_path: Path, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.queueing.position_announcements.QUIET_S", 0.0)
    await news.refresh()
    await news.interrupt("first", -2)
    await news.refresh()
    assert told(tmp_path, "first") == PLACE


async def test_what_takes_long_to_say_is_not_cut_short(
    tmp_path: Path, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is told for as long as the news lasts."""
    monkeypatch.setattr("ivr.queueing.position_announcements.QUIET_S", 0.0)
    await news.refresh()
    await news.interrupt("first", 30)
    await news.refresh()
    assert set(told(tmp_path, "first")) == {0xFF}


async def test_text_messages_are_offered_after_the_callback(tmp_path: Path, news: News, waiting: Waiting) -> None:
    """OV-27: an incident has just begun."""
    waiting.follow = True
    await news.refresh()
    assert told(tmp_path, "first", FILES[1]) == b"callback-offerincident-follow-waiting"


async def test_one_caller_whose_prompts_cannot_be_had_silences_nobody_else(
    tmp_path: Path, news: News, waiting: Waiting
) -> None:
    waiting.language["first"] = "fr_ov_6b519d51ca23"
    with capture_logs() as lines:
        await news.refresh()
        await news.refresh()
    assert told(tmp_path, "second") == PLACE
    # Told once, and not every half second.
    assert [line["event"] for line in lines] == ["position announcement failed for one caller"]
    waiting.language["first"], waiting.poisoned = "fr", "second"
    await news.refresh()
    assert told(tmp_path, "first") == PLACE


async def test_one_caller_whose_file_cannot_be_written_is_in_nobody_s_way_and_is_tried_again(
    tmp_path: Path, news: News
) -> None:
    in_the_way = tmp_path / "fr_ov_first"
    in_the_way.touch()
    await news.refresh()
    assert told(tmp_path, "second") == PLACE
    in_the_way.unlink()
    await news.refresh()
    assert told(tmp_path, "first") == PLACE
