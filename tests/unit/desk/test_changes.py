"""What differs between two desks, and whether the spoken hours say the hours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ivr.desk.changes import changes
from ivr.desk.contradictions import contradictions
from ivr.desk.last_good import keep, kept, snapshot
from ivr.desk.load import BUILT_IN, DeskError, Desks, load_desks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the built-in desks."""
    shutil.copytree(BUILT_IN, tmp_path / "desks")
    return tmp_path / "desks"


def edited(folder: Path, *pairs: tuple[str, str], file: str = "omnivigil.yaml") -> Desks:
    """The desks after an edit."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after, 1)
    path.write_text(text, encoding="utf-8")
    return load_desks(folder)


def test_each_changed_field_is_told_as_it_was_and_as_it_is(folder: Path) -> None:
    before = load_desks(folder)
    after = edited(
        folder,
        ('"08:00-12:00", "13:00-17:00"', '"08:00-12:00", "13:00-18:00"'),
        ('"1": ventes', '"1": comptabilite'),
        ("wrapup_s: 15", "wrapup_s: 30"),
        ("exceptions: []", "exceptions: [{date: 2026-12-24, hours: ['08:00-12:00']}]"),
        ('    phones: ["7101"]', "    queue: support"),
    )
    told = [str(change) for change in changes(before, after)]
    assert "omnivigil: hours.monday: 08:00-12:00, 13:00-17:00 → 08:00-12:00, 13:00-18:00" in told
    assert "omnivigil: menu.keys.1: ventes → comptabilite" in told
    assert "omnivigil: queues.support.wrapup_s: 15 → 30" in told
    assert "omnivigil: exceptions.2026-12-24.hours: added: 08:00-12:00" in told
    assert "omnivigil: departments.ventes.queue: added: support" in told
    assert "omnivigil: departments.ventes.phones: 7101 → none" in told
    # Each of the days that share those hours.
    assert sum("hours." in one and "18:00" in one for one in told) == 5
    assert changes(before, before) == []


def test_a_desk_that_comes_or_goes_is_one_line(folder: Path) -> None:
    both = load_desks(folder)
    (folder / "hotline-2024.yaml").unlink()
    one = load_desks(folder)
    assert [str(change) for change in changes(both, one)] == ["hotline-2024: removed: Hotline 2024, 33972596990"]
    assert [str(change) for change in changes(one, both)] == ["hotline-2024: added: Hotline 2024, 33972596990"]


def test_who_holds_the_desks_sees_those_that_are_taken_and_what_was_set_aside_stays(folder: Path) -> None:
    held = load_desks(folder)
    before, going = held.as_now(), iter(held.values())
    next(going)
    (folder / "hotline-2024.yaml").unlink()
    held.take(edited(folder, ("wrapup_s: 15", "wrapup_s: 30"), ('["18446664844"]', '["18446664845"]')))
    assert held["omnivigil"].queues["support"].wrapup_s == 30
    assert held.by_number("+1 844 666-4845") is held["omnivigil"]
    assert held.by_number("18446664844") is None
    assert "hotline-2024" not in held
    assert before["omnivigil"].queues["support"].wrapup_s == 15
    # What was being gone through is gone through to its end.
    assert [desk.id for desk in going] == ["hotline-2024"]


def test_the_desks_that_come_with_the_product_say_their_hours() -> None:
    assert contradictions(load_desks()) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("13:00-17:00", "13:00-18:30", ("fr", "18:30 is not said", "17:00 is said")),
        ("de 8 heures à midi", "de 8 h 30 à midi", ("fr", "8:00 is not said", "8:30 is said")),
        ("from 8 a.m. to noon", "from 9 a.m. to noon", ("en", "8:00 is not said", "9:00 is said")),
    ],
)
def test_a_text_that_says_other_hours_is_told(folder: Path, before: str, after: str, told: tuple[str, ...]) -> None:
    found = contradictions(edited(folder, (before, after)))
    language, *facts = told
    mine = next(one for one in found if f"texts.closed-hours.{language}" in one)
    assert all(fact in mine for fact in facts)


def test_a_text_without_times_says_nothing_false(folder: Path) -> None:
    text = (folder / "omnivigil.yaml").read_text(encoding="utf-8")
    start = text.index("Nos bureaux sont ouverts")
    end = text.index("17 heures.") + len("17 heures.")
    assert contradictions(edited(folder, (text[start:end], "Rappelez-nous demain."))) == []


class TestKept:
    def test_the_copy_is_of_the_files_that_were_kept_and_of_their_folder(self, folder: Path, tmp_path: Path) -> None:
        into = tmp_path / "state" / "desks-in-force"
        assert kept(folder, into) is None
        with snapshot(folder, into) as copy:
            keep(copy, into)
        edited(folder, ("wrapup_s: 15", "wrapup_s: 30"))
        with snapshot(folder, into) as copy:
            assert load_desks(copy)["omnivigil"].queues["support"].wrapup_s == 30
        found = kept(folder, into)
        assert found is not None
        assert load_desks(found)["omnivigil"].queues["support"].wrapup_s == 15
        assert kept(tmp_path / "another", into) is None
        assert not into.with_name("desks-in-force.new").exists()

    def test_a_mistake_is_told_in_the_file_that_the_operator_has(self, folder: Path, tmp_path: Path) -> None:
        path = folder / "omnivigil.yaml"
        path.write_text(path.read_text(encoding="utf-8")[:900], encoding="utf-8")
        with pytest.raises(DeskError) as told, snapshot(folder, tmp_path / "kept") as copy:
            load_desks(copy)
        assert told.value.file == path

    def test_a_folder_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(DeskError, match="no such folder"), snapshot(tmp_path / "none", tmp_path / "kept"):
            pass

    def test_one_process_at_a_time_takes_files(self, folder: Path, tmp_path: Path) -> None:
        """A restart that prepares beside the service waits for its reload."""
        into = tmp_path / "state" / "desks-in-force"
        waits = (
            "import sys; from pathlib import Path; from ivr.desk.last_good import snapshot\n"
            "print('asks', flush=True)\n"
            "with snapshot(Path(sys.argv[1]), Path(sys.argv[2])): print('has', flush=True)"
        )
        with snapshot(folder, into) as copy:
            other = subprocess.Popen(
                [sys.executable, "-c", waits, str(folder), str(into)],
                cwd=Path(__file__).parents[3],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert other.stdout is not None
            assert other.stdout.readline() == "asks\n"
            assert load_desks(copy)
            keep(copy, into)
        assert other.stdout.readline() == "has\n"
        assert other.wait(30) == 0
        other.stdout.close()
        assert kept(folder, into) == into
