"""The held stream: music, and the state of the services between and at once when it changes (OV-10)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sipsim.audio import from_ulaw

from ivr.announcements import stream
from ivr.announcements.stream import AGAIN_S, CHUNK, RATE, Programme, Watched, faded, linear, mu_law

#: A tone that is never silent, and two states that are told apart by their bytes.
MUSIC = bytes(mu_law(round(8000 * np.sin(n / 3))) for n in range(RATE * 4))
FIRST, SECOND = b"\x10" * 8000, b"\x20" * 4000


def heard(programme: Programme, seconds: float) -> bytes:
    return b"".join(programme.chunk() for _ in range(round(seconds * RATE / CHUNK)))


class TestSound:
    def test_g711_there_and_back(self) -> None:
        for byte in range(256):
            # 0x7F is a second zero.
            assert mu_law(linear(byte)) == (0xFF if byte == 0x7F else byte)

    def test_g711_is_what_phones_hear(self) -> None:
        every = bytes(range(256))
        assert [linear(byte) for byte in every] == from_ulaw(every).astype(int).tolist()

    def test_loud_values_do_not_wrap(self) -> None:
        assert linear(mu_law(40000)) > 30000
        assert linear(mu_law(-40000)) < -30000

    def test_a_fade_ends_in_silence(self) -> None:
        quiet = faded(MUSIC[:2400], 1, 0)
        assert len(quiet) == 2400
        assert max(abs(linear(byte)) for byte in quiet[-160:]) == 0
        assert max(abs(linear(byte)) for byte in quiet[:160]) > 6000


class TestProgramme:
    def test_before_anything_is_told_there_is_music(self) -> None:
        assert heard(Programme(MUSIC, 30), 4) == MUSIC

    def test_without_music_there_is_silence(self) -> None:
        assert set(heard(Programme(b"", 30), 4)) == {0xFF}

    def test_what_is_told_is_heard_at_once(self) -> None:
        programme = Programme(MUSIC, 30)
        heard(programme, 5)
        programme.tell(FIRST)
        assert 0 < heard(programme, 3).index(FIRST) <= (stream.FADE_OUT_S + stream.BEFORE_S) * RATE

    def test_it_begins_with_a_packet(self) -> None:
        """So that packets are those of the sound, and a recogniser or a benchmark can compare them."""
        programme = Programme(MUSIC[:-77], 10)
        programme.tell(FIRST[:-33])
        assert heard(programme, 3).index(FIRST[:1]) % 160 == 0
        assert heard(programme, 12).index(FIRST[:1]) % 160 == 0

    def test_it_is_said_again_every_so_often_with_music_between(self) -> None:
        programme = Programme(MUSIC, 10)
        programme.tell(FIRST)
        sound = heard(programme, 40)
        places = [n for n in range(len(sound)) if sound.startswith(FIRST, n) and sound[n - 1] != FIRST[0]]
        gaps = np.diff(places) / RATE
        # News twice more soon after, for those who were being told their place meanwhile.
        assert all(AGAIN_S - 0.5 <= gap <= AGAIN_S + 0.5 for gap in gaps[:2])
        assert len(gaps) >= 3
        assert all(11 <= gap <= 13.5 for gap in gaps[2:])
        assert MUSIC[:1600] in sound

    def test_once_it_was_news_it_is_said_briefly(self) -> None:
        """OV-27: in full once, to those who wait; the regular repetition is for who has heard it."""
        programme = Programme(MUSIC, 10)
        programme.tell(FIRST, SECOND)
        sound = heard(programme, 40)
        assert sound.count(FIRST) == 1
        assert 4 <= sound.count(SECOND) <= 6
        assert sound.index(FIRST) < sound.index(SECOND)

    def test_news_cut_off_what_is_being_said(self) -> None:
        programme = Programme(MUSIC, 30)
        programme.tell(FIRST)
        heard(programme, 1)
        programme.tell(SECOND)
        sound = heard(programme, 4)
        assert sound.index(SECOND) <= (stream.CUT_S + stream.BEFORE_S) * RATE
        assert FIRST[:1600] not in sound

    def test_news_upon_news_are_all_heard_last(self) -> None:
        programme = Programme(MUSIC, 30)
        for _ in range(50):
            programme.tell(FIRST)
        programme.tell(SECOND)
        assert SECOND in heard(programme, 2)

    def test_every_chunk_is_whole(self) -> None:
        programme = Programme(MUSIC[:777], 10)
        programme.tell(FIRST[:777])
        assert {len(programme.chunk()) for _ in range(300)} == {CHUNK}


class TestWatched:
    def test_a_file_replaced_by_the_same_is_no_news(self, tmp_path: Path) -> None:
        path = tmp_path / "state"
        watched = Watched(str(path))
        assert not watched.changed()
        path.write_bytes(FIRST)
        assert watched.changed()
        assert not watched.changed()
        other = tmp_path / "other"
        other.write_bytes(FIRST)
        other.replace(path)
        assert not watched.changed()
        other.write_bytes(SECOND)
        other.replace(path)
        assert watched.changed()

    def test_a_file_that_is_gone_leaves_the_last_known_state(self, tmp_path: Path) -> None:
        path = tmp_path / "state"
        path.write_bytes(FIRST)
        watched = Watched(str(path))
        watched.changed()
        path.unlink()
        assert not watched.changed()
        assert watched.content == FIRST


class TestProgram:
    @pytest.fixture
    def command(self, tmp_path: Path) -> list[str]:
        (tmp_path / "moh").mkdir()
        (tmp_path / "moh" / "tune.ulaw").write_bytes(MUSIC)
        (tmp_path / "moh" / ".tune.crc32").write_bytes(b"{}")
        (tmp_path / "state").write_bytes(FIRST)
        script = [sys.executable, "-I", "-S", str(Path(stream.__file__))]
        return [*script, str(tmp_path / "state"), str(tmp_path / "brief"), str(tmp_path / "moh"), "30"]

    def test_it_runs_by_its_file_alone_and_tells_news(self, command: list[str], tmp_path: Path) -> None:
        """As Asterisk starts it: another folder, no environment."""
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={}, cwd="/") as program:
            assert program.stdout is not None
            assert FIRST in program.stdout.read(RATE * 2)
            fresh = tmp_path / "fresh"
            fresh.write_bytes(SECOND)
            fresh.replace(tmp_path / "state")
            # A little was in the pipe already.
            assert SECOND in program.stdout.read(RATE * 3)
            program.stdout.close()
            # Nobody reads any more: it ends by itself.
            assert program.wait(5) != 0

    def test_it_waits_for_its_reader(self, command: list[str]) -> None:
        """Asterisk is its clock: what it has ahead is less than a second of sound, and it uses no processor."""
        with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
            assert program.stdout is not None
            time.sleep(0.7)
            used = _cpu_s(program.pid)
            time.sleep(0.7)
            assert _cpu_s(program.pid) - used < 0.05
            os.set_blocking(program.stdout.fileno(), False)
            # In one go: it writes on as soon as there is room.
            assert len(os.read(program.stdout.fileno(), 10 * RATE)) <= RATE
            program.kill()


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
