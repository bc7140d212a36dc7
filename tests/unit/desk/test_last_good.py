"""What a line starts with while a desk file is half-saved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from ivr import prepare
from ivr.asterisk.runtime import Runtime
from ivr.desk.load import BUILT_IN, DeskError, Desks
from ivr.prepare import Prepared
from ivr.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A line with desk files of its own, for which all but these is prepared already."""

    async def prepared(
        settings: Settings, runtime: Runtime, progress: Callable[[str], None], desks: Desks, *_: Any, live: bool
    ) -> Prepared:
        return Prepared(desks=desks, phones=(), secrets={})

    monkeypatch.setattr(prepare, "_prepare", prepared)
    (tmp_path / "desks").mkdir()
    shutil.copy(BUILT_IN / "omnivigil.yaml", tmp_path / "desks")
    return Settings(state=tmp_path / "state", desks=tmp_path / "desks")


def save(settings: Settings, before: str, after: str) -> None:
    path = cast(Path, settings.desks) / "omnivigil.yaml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


async def started(settings: Settings, *, live: bool = False) -> int:
    """The queue's wrap-up time that a line starts with."""
    found = await prepare.prepare(settings, cast(Runtime, None), lambda _: None, live=live)
    return found.main_desk.queues["support"].wrapup_s


async def test_a_first_start_refuses_a_broken_file(settings: Settings) -> None:
    save(settings, "wrapup_s: 15", "wrapup_s: soon")
    with pytest.raises(DeskError, match=r"omnivigil\.yaml"):
        await started(settings)


async def test_a_later_start_goes_on_with_the_last_good_files_and_a_restart_is_refused(settings: Settings) -> None:
    assert await started(settings) == 15
    save(settings, "wrapup_s: 15", "wrapup_s: 30")
    # The service has what was prepared, not what was saved since.
    assert prepare.in_force(settings)[0]["omnivigil"].queues["support"].wrapup_s == 15
    assert await started(settings) == 30
    save(settings, "wrapup_s: 30", "wrapup_s: soon")
    assert await started(settings) == 30
    with pytest.raises(DeskError):
        await started(settings, live=True)
    save(settings, "wrapup_s: soon", "wrapup_s: 45")
    assert await started(settings, live=True) == 45


async def test_another_folder_has_no_last_good_files_here(settings: Settings, tmp_path: Path) -> None:
    assert await started(settings) == 15
    other = Settings(state=settings.state, desks=tmp_path / "other")
    shutil.copytree(cast(Path, settings.desks), tmp_path / "other")
    save(other, "wrapup_s: 15", "wrapup_s: soon")
    with pytest.raises(DeskError):
        await started(other)
