"""Logs are turned over by size and age, and the old ones kept for a time and within a size."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ivr.errors import Unavailable
from ivr.retention import log_rotation
from ivr.retention.log_rotation import LARGEST, OLDEST_S, Logs, Old, due, surplus

#: Files' own times are real.
NOW = time.time()


@pytest.mark.parametrize(
    ("size", "age_s", "expected"),
    [
        (LARGEST, 0.0, False),
        (LARGEST + 1, 0.0, True),
        (1, OLDEST_S, False),
        (1, OLDEST_S + 1, True),
        (0, OLDEST_S * 9, False),
        # The clock was set back.
        (1, -OLDEST_S - 1, True),
    ],
)
def test_when_a_log_begins_anew(size: int, age_s: float, expected: bool) -> None:
    """To the byte and to the second."""
    assert due(size, NOW - age_s, NOW) is expected


def test_what_has_to_go() -> None:
    """What is too old, and the oldest of what is too much together."""
    days = [Old(path=Path(f"{day}"), at=NOW - day * 86_400, size=log_rotation.KEPT // 4) for day in range(1, 8)]
    assert [int(one.path.name) for one in surplus(days, NOW, 90 * 86_400)] == [5, 6, 7]
    assert [int(one.path.name) for one in surplus(days, NOW, 2 * 86_400)] == [3, 4, 5, 6, 7]


class Kept:
    """A folder of logs, and an Asterisk that may be away."""

    def __init__(self, folder: Path) -> None:
        (folder / "asterisk").mkdir()
        self.security = folder / "asterisk" / "security"
        self.away = False
        self.reopened = 0
        self.logs = Logs(folder, self._reopen, keep_days=30)

    async def _reopen(self) -> None:
        if self.away:
            raise Unavailable(component="Asterisk's manager")
        self.reopened += 1

    def old(self) -> list[Path]:
        """In order."""
        return sorted(self.security.parent.glob("security.*"))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Empty."""
    return Kept(tmp_path)


async def test_a_flood_is_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger who has Asterisk write a log full at each look: the total stays bounded, and the newest is there."""
    monkeypatch.setattr(log_rotation, "LARGEST", 100_000)
    monkeypatch.setattr(log_rotation, "KEPT", 400_000)
    noise = os.urandom(50_000).hex().encode() + b"\n"  # shrinks by half at most
    for nth in range(12):
        kept.security.write_bytes(noise + str(nth).encode())
        await kept.logs.once(NOW + nth)
    assert kept.logs.sizes["security"] < log_rotation.KEPT + log_rotation.LARGEST
    assert (
        sum(path.stat().st_size for path in kept.security.parent.iterdir()) < log_rotation.KEPT + log_rotation.LARGEST
    )
    assert gzip.decompress(kept.old()[-1].read_bytes()).endswith(b"\n11")


async def test_nothing_is_compressed_that_asterisk_still_writes(kept: Kept) -> None:
    """Its manager is away: the renamed log grows on, and is whole in the end."""
    kept.away = True
    kept.security.write_bytes(b"x" * (LARGEST + 1))
    await kept.logs.once(NOW)
    (renamed,) = kept.old()
    assert renamed.suffix != ".gz"
    with renamed.open("ab") as asterisk:
        asterisk.write(b"the last line\n")
    await kept.logs.once(NOW + 5)
    assert kept.old() == [renamed]
    kept.away = False
    await kept.logs.once(NOW + 10)
    (small,) = kept.old()
    assert gzip.decompress(small.read_bytes()).endswith(b"the last line\n")
    assert kept.reopened == 1


async def test_by_age(kept: Kept) -> None:
    """A quiet log is turned over once a day, and gone after its days."""
    kept.security.write_bytes(b"a line\n")
    for day in range(3):
        await kept.logs.once(NOW + day * (OLDEST_S + 1))
        kept.security.write_bytes(b"a line\n")
    assert len(kept.old()) == 2
    assert kept.reopened == 3  # at first, for what a killed service left
    await kept.logs.once(NOW + 31 * 86_400.0)
    assert kept.old() == []


async def test_the_queues_log_of_earlier_versions_goes(kept: Kept) -> None:
    """It has callers' numbers, and nobody reads it."""
    (kept.security.parent / "queue_log").write_text("1|1|support|NONE|ENTERQUEUE||5145550000|1")
    await kept.logs.once(NOW)
    assert not (kept.security.parent / "queue_log").exists()


OWN = """
import sys
import time
from pathlib import Path
from ivr import logs
from ivr.retention.log_rotation import turn_own
logs.outlive_full_disk()
path = Path(sys.argv[1])
print("before")
turn_own(path, path.with_name("old"))
print("after", file=sys.stderr)
"""


def test_our_own_log_goes_on_without_a_lost_line(tmp_path: Path) -> None:
    """Its file is the standard output and error of the process itself."""
    path = tmp_path / "service.log"
    with path.open("ab") as output:
        subprocess.run([sys.executable, "-c", OWN, str(path)], stdout=output, stderr=output, timeout=60, check=True)
    assert (tmp_path / "old").read_text() == "before\n"
    assert path.read_text() == "after\n"
    assert path.stat().st_mode & 0o077 == 0


def test_a_log_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """As where standard error goes to a container's log."""
    path = tmp_path / "service.log"
    path.write_text("another's\n")
    log_rotation.turn_own(path, tmp_path / "old")
    assert path.read_text() == "another's\n"
    assert not (tmp_path / "old").exists()
