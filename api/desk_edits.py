"""What the API and the console share about changing desk files: who, which file, what would be heard."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from api.deps import DeskFiles, Services
from ivr.desk import menu
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.desk_editing.caller_preview import Comparison, Side, compare
from ivr.desk_editing.files import DeskFile, Edit
from ivr.desk_editing.hear import Render
from ivr.desk_editing.values import check_text, id_of
from ivr.desk_reload import Outcome
from ivr.errors import BadInput, NotFound
from ivr.prompts.catalog import Catalog


class DeskNotFound(NotFound):
    """There is no such desk."""


class NoDeskFiles(NotFound):
    """There are no desk files to be changed or reloaded."""


@dataclass(frozen=True, kw_only=True)
class Previewed:
    """What an edit would change: by field, in the file, and in what callers hear."""

    outcome: Outcome
    diff: tuple[str, ...]
    heard: Comparison


def files_of(has: Services) -> DeskFiles:
    """The line's desk files. Raises NoDeskFiles."""
    if has.desk_files is None:
        raise NoDeskFiles
    return has.desk_files


async def file_of(has: Services, desk: str) -> DeskFile:
    """The file of a desk that is in force. Raises DeskNotFound and NoDeskFiles."""
    if desk not in has.desks:
        raise DeskNotFound(desk=desk)
    return await asyncio.to_thread(files_of(has).file, desk)


async def edit_of(
    desk: str,
    file: DeskFile,
    text: str,
    *,
    etag: str | None,
    by: str,
    source: Literal["console", "api"],
    why: str = "",
) -> Edit:
    """Another text for a desk's file, as the file's own lines end. Raises BadInput."""
    text = text.replace("\r\n", "\n")
    check_text(text)
    # Reading it takes longer than a call should wait.
    if await asyncio.to_thread(id_of, text) not in (None, desk):
        mend = f"leave it as {desk}; a desk gets another id in the file itself, with a reload"
        raise BadInput(field="id", problem="names another desk", mend=mend)
    if "\r\n" in file.text:
        text = text.replace("\n", "\r\n")
    return Edit(path=file.path, text=text, etag=etag, by=by, source=source, why=why)


async def preview(has: Services, desk: str, file: DeskFile, edit: Edit, *, told_in: str) -> Previewed:
    """Return what an edit would change. Raises EditRefused."""
    found = await files_of(has).preview(edit)
    heard = await asyncio.to_thread(
        compare,
        _side(has.desks, has.calendars, desk),
        _side(found.desks, found.calendars, desk),
        has.clock(),
        told_in=told_in,
    )
    return Previewed(outcome=found.outcome, diff=diff_of(file.text, edit.text), heard=heard)


def diff_of(before: str, after: str) -> tuple[str, ...]:
    """The lines that differ, with two around them, as `diff -U2` has them but without its heading."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    return tuple(lines)[2:]


def _side(desks: Mapping[str, Desk], calendars: Mapping[str, Mapping[str, Calendar]], desk: str) -> Side:
    return Side(desk=desks[desk], calendars=calendars[desk], render=_render(desks))


def _render(desks: Mapping[str, Desk]) -> Render:
    catalog = Catalog(desks)

    def render(desk_id: str, prompt: menu.Prompt, language: str) -> str:
        return catalog.utterance(desk_id, prompt.id, language, dict(prompt.variables)).text

    return render
