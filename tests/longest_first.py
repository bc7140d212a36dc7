"""Files in the order of how long they take, the longest first: what is left to the end keeps one process busy, and
the others wait for it.

`tests/durations.txt` has the seconds of each file that is worth a place. A test run with `--junitxml=FILE` measures
them; `python -m tests.longest_first FILE…` writes them down.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

TABLE = Path(__file__).with_name("durations.txt")
#: Files that take less, in seconds, are not in the table.
_LEAST_S = 5.0


def read(table: Path = TABLE) -> dict[str, float]:
    """Seconds by file, as it is named from the repository on."""
    rows = (line.split() for line in table.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#"))
    return {name: float(seconds) for seconds, name in rows}


def sort(items: list[pytest.Item], seconds: Mapping[str, float]) -> None:
    """Put the tests of long files first, in place; within a file, and among files not in the table, as they were."""
    items.sort(key=lambda item: -seconds.get(item.nodeid.partition("::")[0], 0.0))


def measured(reports: Iterable[Path]) -> dict[str, float]:
    """Seconds by file of JUnit reports; of a file that is in several, those of the last. Raises OSError, ParseError."""
    found: dict[str, float] = {}
    for report in reports:
        of_this: dict[str, float] = defaultdict(float)
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
            of_this[_file(case.get("classname", ""))] += float(case.get("time", 0))
        found |= of_this
    return found


def write(seconds: Mapping[str, float], table: Path = TABLE) -> None:
    """Write the table; files that were not measured keep what they had."""
    known = read(table) if table.exists() else {}
    known.update(seconds)
    rows = sorted(known.items(), key=lambda row: (-row[1], row[0]))
    head = "# Seconds of each test file, measured on two cores: python -m tests.longest_first JUNIT-REPORT…\n"
    kept = [f"{took:6.0f}  {name}\n" for name, took in rows if took >= _LEAST_S]
    table.write_text(head + "".join(kept), encoding="utf-8")


def _file(classname: str) -> str:
    """`tests.calls.test_pages` or `tests.calls.test_pages.TestClass` as a file."""
    words = classname.split(".")
    module = next((n for n, word in enumerate(words) if word.startswith("test_")), len(words) - 1)
    return "/".join(words[: module + 1]) + ".py"


if __name__ == "__main__":
    write(measured(map(Path, sys.argv[1:])))
