"""Desk files taken into force while the line runs: whole or not at all."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ivr import desk_reload, prepare
from ivr.desk.last_good import kept
from ivr.desk.load import BUILT_IN
from ivr.desk_editing.files import Edit, FileChanged, NotWritten, find
from ivr.desk_editing.versions import MOST, VersionNotFound, Versions
from ivr.desk_reload import EditRefused, NotReloaded, Outcome
from ivr.errors import BadInput, Unavailable
from tests.fakes.desk_files import World, make_world
from tests.unit.prompts.voice import sound_files


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds that are made once for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def world(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, cache, monkeypatch)


async def test_new_hours_menu_and_texts_are_in_force_at_once_and_calls_that_go_on_keep_the_old(world: World) -> None:
    files = world.files()
    began, old_hours = world.now, world.calendars["omnivigil"]["support"]
    world.now += timedelta(minutes=1)
    world.edit("wrapup_s: 15", "wrapup_s: 30")
    world.edit("13:00-17:00", "13:00-18:00")
    world.edit("Nous sommes fermés en ce moment.", "Nous sommes fermés.")
    told: list[str] = []
    outcome = await files.reload(by="test", say=told.append)
    assert outcome.in_force
    assert any("queues.support.wrapup_s: 15 → 30" in line for line in told)
    assert any(line.startswith("Warning: omnivigil: texts.closed-hours.fr") for line in told)
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (30, 30, [30], 1)
    assert world.calendars["omnivigil"]["support"] is not old_hours

    old, new = files.version(began), files.version(None)
    assert old.desks["omnivigil"].queues["support"].wrapup_s == 15
    assert old.calendars["omnivigil"]["support"] is old_hours
    assert new.desks["omnivigil"].queues["support"].wrapup_s == 30
    said = [one.sounds.fixed("omnivigil", "closed-hours", "fr") for one in (old, new)]
    assert said[0] != said[1] == world.sounds.fixed("omnivigil", "closed-hours", "fr")
    assert all(sound_files(sound)[0].exists() for sound in said)
    assert files.version(world.now + timedelta(seconds=1)) is new


async def test_a_check_and_files_that_say_the_same_change_nothing(world: World) -> None:
    files = world.files()
    world.edit("# Dates that differ", "# Another comment\n# Dates that differ")
    assert (await files.reload(by="test")).changes == ()
    world.edit("wrapup_s: 15", "wrapup_s: 30")
    outcome = await files.reload(by="test", check=True)
    assert (len(outcome.changes), outcome.in_force) == (1, False)
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (15, 15, [], 0)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("wrapup_s: 15", "wrapup_s: soon", "omnivigil.yaml:"),
        ("departments:\n", "departments: {\n", "omnivigil.yaml:"),
        ("    fr: >-\n      Nous sommes fermés", "    xx: >-\n      Nous sommes fermés", "texts"),
    ],
)
async def test_a_broken_file_keeps_the_last_good_one_and_says_so_until_it_is_mended(
    world: World, before: str, after: str, told: str
) -> None:
    files = world.files()
    world.edit(before, after)
    with pytest.raises(NotReloaded, match=told):
        await files.reload(by="test")
    assert files.problem is not None
    assert told in files.problem
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (15, 15, [], 0)
    # So does a service that starts meanwhile, and it runs.
    another = world.files()
    await another.look()
    assert another.problem is not None
    world.edit(after, before)
    await files.reload(by="test")
    assert files.problem is None


async def test_where_asterisk_takes_nothing_up_all_stays_as_it_was(world: World) -> None:
    files = world.files()
    world.edit("wrapup_s: 15", "wrapup_s: 30")
    world.away = True
    with pytest.raises(NotReloaded, match="Asterisk"):
        await files.reload(by="test")
    # It is given the old ones again.
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (15, 15, [30, 15], 0)
    world.away = False
    assert (await files.reload(by="test")).in_force
    assert world.wrapup_s == 30


def test_the_files_of_another_folder_are_not_the_last_good_ones(world: World) -> None:
    assert kept(BUILT_IN, prepare.copy_of(world.settings)) is None


def edit_of(world: World, before: str, after: str, etag: str | None = None, *, by: str = "admin") -> Edit:
    """What `by` wants in place of `before`, who has seen the file as it is."""
    assert world.settings.desks is not None
    file = find(world.settings.desks, "omnivigil")
    assert before in file.text
    text = file.text.replace(before, after, 1)
    return Edit(path=file.path, text=text, etag=etag or file.etag, by=by, source="console", why="essai")


async def test_an_edit_is_written_into_its_file_and_in_force_at_once_and_each_version_is_kept(world: World) -> None:
    files = world.files()
    await files.look()
    path = files.file("omnivigil").path
    path.chmod(0o640)
    edit = edit_of(world, "wrapup_s: 15", "wrapup_s: 30")
    shown = await files.preview(edit)
    assert [str(one) for one in shown.outcome.changes] == ["omnivigil: queues.support.wrapup_s: 15 → 30"]
    assert (shown.desks["omnivigil"].queues["support"].wrapup_s, world.wrapup_s, world.given) == (30, 15, [])

    assert (await files.put(edit)).in_force
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (30, 30, [30], 1)
    assert path.read_text(encoding="utf-8") == edit.text
    assert path.stat().st_mode & 0o777 == 0o640
    # With an editor, and a reload.
    world.edit("wrapup_s: 30", "wrapup_s: 45")
    await files.reload(by="ops")
    # A comment is a version too, though nothing else is.
    assert (await files.put(edit_of(world, "# Dates that", "# All dates that"))).changes == ()
    told = [(one.number, one.by, one.source, one.why) for one in files.versions.every("omnivigil")]
    assert told == [
        (4, "admin", "console", "essai"),
        (3, "ops", "file", ""),
        (2, "admin", "console", "essai"),
        (1, "start", "file", ""),
    ]
    assert "wrapup_s: 15" in files.versions.text("omnivigil", 1)
    await files.put(replace(edit, text=files.versions.text("omnivigil", 1), etag=None))
    assert world.wrapup_s == 15


async def test_the_second_of_two_editors_is_told_and_loses_nothing(world: World) -> None:
    files = world.files()
    first, second = (edit_of(world, "wrapup_s: 15", f"wrapup_s: {seconds}") for seconds in (30, 45))
    done = await asyncio.gather(files.put(first), files.put(second), return_exceptions=True)
    assert [type(one) for one in done] == [Outcome, FileChanged]
    assert (world.wrapup_s, world.kept_wrapup_s) == (30, 30)
    assert [one.etag for one in files.versions.every("omnivigil")] == [first.made]


@pytest.mark.parametrize("broken", ["write", "keep", "asterisk", "link"])
async def test_where_something_cannot_be_written_all_stays_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    files = world.files()
    edit = edit_of(world, "wrapup_s: 15", "wrapup_s: 30")
    before = edit.path.read_text(encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    world.away = broken == "asterisk"
    with monkeypatch.context() as failing:
        if broken == "write":
            failing.setattr("ivr.desk_editing.files.os.fsync", full)
        if broken == "keep":
            failing.setattr(desk_reload, "keep", full)
        if broken == "link":
            failing.setattr("pathlib.Path.replace", full)
        with pytest.raises(Unavailable if broken == "asterisk" else BadInput) as refused:
            await files.put(edit)
    if broken != "asterisk":
        assert "No space left on device" in str(refused.value)
    assert edit.path.read_text(encoding="utf-8") == before
    assert [one.name for one in edit.path.parent.iterdir()] == [edit.path.name]
    assert (world.wrapup_s, world.kept_wrapup_s, world.switched) == (15, 15, 0)
    assert files.versions.every("omnivigil") == []
    assert files.problem is None
    world.away = False
    assert (await files.put(edit)).in_force


@pytest.mark.parametrize(
    ("before", "after", "field", "told"),
    [
        ("wrapup_s: 15", "wrapup_s: soon", "queues.support.wrapup_s", "line "),
        ("ical: []", "ical: [../../secrets.json]", "ical.0", "does not fit"),
        ("ical: []", "ical: [none.ics]", "ical", "there is no none.ics"),
        ("ical: []", "ical: !!python/object/apply:os.system [id]", "file", "could not determine a constructor"),
        ("ical: []", "ical: !include other.yaml", "file", "could not determine a constructor"),
        ("exceptions: []", "exceptions: &a [*a]", "exceptions.0", "holds itself"),
        ("    en: Welcome to OMNIVIGIL.", "", "texts.welcome", "no text in 'en'"),
    ],
)
async def test_an_edit_that_cannot_be_used_names_line_field_and_mend_and_is_no_problem_of_the_files(
    world: World, before: str, after: str, field: str, told: str
) -> None:
    files = world.files()
    edit = edit_of(world, before, after)
    for attempt in (files.preview, files.put):
        with pytest.raises(EditRefused) as refused:
            await attempt(edit)
        assert (refused.value.field, told in refused.value.problem, bool(refused.value.mend)) == (field, True, True)
    assert files.problem is None
    assert "wrapup_s: 15" in edit.path.read_text(encoding="utf-8")


async def test_the_shipped_file_is_never_written_and_a_link_stays_one(world: World, tmp_path: Path) -> None:
    edit = edit_of(world, "wrapup_s: 15", "wrapup_s: 30")
    shipped = replace(edit, path=BUILT_IN / "omnivigil.yaml", etag=None)
    before = shipped.path.read_bytes()
    with pytest.raises(NotWritten, match="came with the product"):
        shipped.write()
    assert shipped.path.read_bytes() == before
    assert find(BUILT_IN, "omnivigil").read_only == "shipped"

    elsewhere = tmp_path / "elsewhere.yaml"
    edit.path.rename(elsewhere)
    edit.path.symlink_to(elsewhere)
    await world.files().put(edit)
    assert edit.path.is_symlink()
    assert "wrapup_s: 30" in elsewhere.read_text(encoding="utf-8")
    assert world.wrapup_s == 30


def test_so_many_versions_are_kept_and_no_more(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    for number in range(MOST + 3):
        versions.note({"omnivigil": f"id: {number}\n"}, by="admin", source="api", at=World.now)
    every = versions.every("omnivigil")
    assert (len(every), every[0].number, every[-1].number) == (MOST, MOST + 3, 4)
    for desk in ("../omnivigil", "nobody"):
        assert versions.every(desk) == []
        with pytest.raises(VersionNotFound):
            versions.text(desk, 5)
