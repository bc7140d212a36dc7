"""Tests run in the order of how long their files take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests import longest_first

REPORT = """<testsuites><testsuite>
<testcase classname="tests.calls.test_pages" name="test_one" time="40.5"/>
<testcase classname="tests.calls.test_pages.TestNight" name="test_two" time="20"/>
<testcase classname="tests.calls.test_quick" name="test_three" time="1"/>
</testsuite></testsuites>"""


@dataclass
class Item:
    nodeid: str


def test_the_longest_file_comes_first_and_a_files_tests_stay_in_order() -> None:
    names = ["tests/a.py::x", "tests/b.py::y", "tests/c.py::z", "tests/b.py::a", "tests/d.py::q"]
    items = [Item(name) for name in names]
    longest_first.sort(cast("list[pytest.Item]", items), {"tests/b.py": 9, "tests/c.py": 90})
    assert [one.nodeid for one in items] == [names[n] for n in (2, 1, 3, 0, 4)]


def test_what_is_measured_is_kept_and_what_is_not_stays(tmp_path: Path) -> None:
    report, table = tmp_path / "junit.xml", tmp_path / "durations.txt"
    report.write_text(REPORT)
    longest_first.write({"tests/calls/test_pages.py": 12, "tests/calls/test_menu.py": 33}, table)
    longest_first.write(longest_first.measured([report]), table)
    assert longest_first.read(table) == {"tests/calls/test_pages.py": 60, "tests/calls/test_menu.py": 33}
    # Longest first in the table too, for whoever reads it.
    assert [line.split()[-1] for line in table.read_text().splitlines()[1:]] == [
        "tests/calls/test_pages.py",
        "tests/calls/test_menu.py",
    ]


def test_every_file_in_the_table_is_there() -> None:
    repository = Path(__file__).parents[2]
    assert [name for name in longest_first.read() if not (repository / name).is_file()] == []
