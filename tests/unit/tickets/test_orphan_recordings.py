"""Recordings that the dialplan made alone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ivr.errors import Unavailable
from ivr.tickets.orphan_recordings import Claims, Unclaimed, parse


def test_a_name_tells_whose_message_it_is() -> None:
    """As dialplan/extensions.conf.j2 names its recordings."""
    found = parse(Path("omnivigil_support_fr_urgent_14185550101_ov-1763835000.12.wav"))
    assert found is not None
    assert (found.desk, found.department, found.language, found.urgent) == ("omnivigil", "support", "fr", True)
    assert (found.number, found.uniqueid) == ("14185550101", "ov-1763835000.12")
    anonymous = parse(Path("hotline-2024_cloud_fr_ordinary__ov-1.2.wav"))
    assert anonymous is not None
    assert (anonymous.number, anonymous.urgent) == ("", False)
    unasked = parse(Path("omnivigil_support_fr_unasked_14185550101_ov-1.2.wav"))
    assert unasked is not None
    assert unasked.urgent is None


@pytest.mark.parametrize("name", ["x.wav", "a_b_c.wav", "omnivigil_support_fr_maybe_1_ov-1.wav"])
def test_other_names_are_nobodys(name: str) -> None:
    """A file that is not one of ours is left alone."""
    assert parse(Path(name)) is None


def _old(path: Path) -> Path:
    path.write_bytes(b"x")
    long_ago = time.time() - 100
    os.utime(path, (long_ago, long_ago))
    return path


async def test_each_recording_is_claimed_once_and_failures_are_tried_again(tmp_path: Path) -> None:
    """A database that is away leaves the message for the next round; nothing is entered twice."""
    _old(tmp_path / "omnivigil_support_fr_urgent_1_ov-1.1.wav")
    entered: list[Unclaimed] = []
    away = True

    async def enter(found: Unclaimed) -> bool:
        if away:
            raise Unavailable(component="database")
        entered.append(found)
        return True

    claims = Claims(tmp_path, enter, set())
    assert await claims.once() == 0
    away = False
    assert await claims.once() == 1
    assert await claims.once() == 0
    assert len(entered) == 1


async def test_a_recording_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    """Somebody may be speaking."""
    (tmp_path / "omnivigil_support_fr_urgent_1_ov-1.1.wav").write_bytes(b"x")

    async def enter(found: Unclaimed) -> bool:
        raise AssertionError(found)

    assert await Claims(tmp_path, enter, set()).once() == 0


async def test_the_number_is_in_a_note_and_not_in_the_name(tmp_path: Path) -> None:
    """It goes once the message is entered, or came to nothing; where entering fails it stays."""
    name = "omnivigil_support_fr_urgent__ov-1.1"
    note = _old(tmp_path / f"{name}.from")
    _old(tmp_path / f"{name}.wav")
    note.write_text("number:15145550101")
    told: list[str] = []
    away = True

    async def enter(found: Unclaimed) -> bool:
        if away:
            raise Unavailable(component="database")
        told.append(found.number)
        return True

    claims = Claims(tmp_path, enter, set())
    assert await claims.once() == 0
    assert note.exists()
    away = False
    assert await claims.once() == 1
    assert (told, note.exists()) == (["15145550101"], False)
    # Whoever hung up before the beep left a note alone.
    alone = tmp_path / "omnivigil_support_fr_urgent__ov-2.1.from"
    alone.write_text("number:15145550102")
    await claims.once()
    assert alone.exists()
    os.utime(alone, (time.time() - 3601,) * 2)
    await claims.once()
    assert not alone.exists()
