"""What a raw caller heard: frames where their sender put them, whenever they came."""

from __future__ import annotations

import numpy as np
from sipsim.audio import RATE, Samples
from sipsim.stream import FRAME, Frame, Playback, played

#: Each frame is one value throughout, so that it is known again.
CODES = [bytes([16 + n]) * FRAME for n in range(100)]


def stream(
    count: int, *, began_s: float = 0.0, ssrc: int = 1, first: int = 65_530, start: int = 2**32 - 500
) -> list[Frame]:
    """Frames on time; sequence numbers and timestamps wrap on the way."""
    return [
        Frame(began_s + n * 0.020, (first + n) % 2**16, (start + n * FRAME) % 2**32, ssrc, CODES[n])
        for n in range(count)
    ]


def late(frames: list[Frame], slow: range, by_s: float) -> list[Frame]:
    """The machine does not look at the network for a while: these frames come together, when it does."""
    until = frames[slow.start].at + by_s
    return [
        Frame(max(one.at, until), one.sequence, one.timestamp, one.ssrc, one.payload) if n in slow else one
        for n, one in enumerate(frames)
    ]


def test_on_time_is_heard_as_it_is() -> None:
    heard = played(stream(50), 0.0)
    assert len(heard) == 50 * FRAME
    assert len(set(heard[::FRAME].tolist())) == 50


def test_frames_that_came_late_and_all_at_once_are_heard_as_they_were_sent() -> None:
    frames = stream(100)
    assert np.array_equal(played(late(frames, range(20, 70), 1.0), 0.0), played(frames, 0.0))


def test_what_was_not_sent_is_silence() -> None:
    frames = stream(100)
    heard = played([*frames[:30], *frames[60:]], 0.0)
    assert np.array_equal(heard[60 * FRAME :], played(frames, 0.0)[60 * FRAME :])
    assert not heard[30 * FRAME : 60 * FRAME].any()


def test_what_comes_twice_or_after_its_turn_is_heard_once() -> None:
    frames = stream(100)
    assert np.array_equal(played([*frames[:10], *frames[5:]], 0.0), played(frames, 0.0))


def test_another_stream_begins_when_it_comes() -> None:
    """As with another prompt, or another leg: nothing tells how its timestamps follow."""
    heard = played([*stream(50), *stream(50, began_s=3.0, ssrc=2, first=7, start=99)], 0.0)
    assert len(heard) == 3 * RATE + 50 * FRAME
    assert not heard[50 * FRAME : 3 * RATE].any()
    at_once = played([*stream(50), *stream(50, began_s=1.1, ssrc=2)], 0.0)
    assert len(at_once) == 100 * FRAME


def test_timestamps_that_count_anew_are_not_hours_of_silence() -> None:
    again = [
        Frame(one.at + 1.0, (one.sequence + 50) % 2**16, (one.timestamp + 2**30) % 2**32, 1, one.payload)
        for one in stream(50)
    ]
    assert len(played([*stream(50), *again], 0.0)) == 100 * FRAME


def test_a_first_frame_that_comes_late_is_heard_late() -> None:
    assert len(played(stream(10, began_s=2.0), 0.0)) == 2 * RATE + 10 * FRAME
    assert len(played([], 0.0)) == 0


def test_what_is_played_bit_by_bit_is_what_is_played_at_once() -> None:
    """With losses, frames that come twice, and another stream after the first."""
    frames = [
        *stream(50)[:30],
        *stream(50)[25:28],
        *stream(50)[40:],
        *stream(90, began_s=3.0, ssrc=2, first=7, start=99),
    ]
    playback = Playback(0.0)
    first: Samples = playback.samples
    for n in range(0, len(frames), 7):
        playback.play(frames[n : n + 7])
        first = first if len(first) else playback.samples
    assert np.array_equal(playback.samples, played(frames, 0.0))
    # Who holds what was heard before has it as it was.
    assert np.array_equal(first, playback.samples[: len(first)])
