"""Desk files: read, changed whole or in part, and the versions that were in force."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api import desk_edits
from api.common import Given, Has, Line, Who
from api.paths import DeskId
from api.routers.desks import ChangeView
from ivr.desk_editing.caller_preview import Heard
from ivr.desk_editing.files import DeskFile, ReadOnly
from ivr.desk_editing.values import MOST_CHARACTERS, patched, values_in, with_values
from ivr.desk_editing.versions import Source
from ivr.errors import BadInput

router = APIRouter(prefix="/desks/{desk}/file", tags=["desks"])

_ETAG: dict[str, Any] = {
    "ETag": {"description": "Of the file as it is now; for If-Match.", "schema": {"type": "string"}}
}
_CHANGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": _ETAG},
    412: {"description": "The file is another than the condition says."},
}
IfMatch = Annotated[str | None, Header(description="The ETag of the file that you have seen; * for whatever it is.")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Of the version.")]


class FileView(BaseModel):
    """A desk's file as it is now, whether it is in force or not."""

    desk: str
    file: str
    etag: str
    text: str
    values: Any = Field(description="Its content; null if it cannot be read.")
    read_only: ReadOnly | None = Field(description="The reason it cannot be changed here.")


class FileText(Given):
    """A whole file, to the last line break."""

    model_config = ConfigDict(str_strip_whitespace=False)

    text: Annotated[str, Field(max_length=2 * MOST_CHARACTERS)]


class EditQuery(Given):
    """How."""

    check: bool = Field(default=False, description="Only say what would change, and whether it can be used.")
    why: Line | None = Field(default=None, description="Is kept with the version.")


class HeardView(BaseModel):
    """A call at a moment, before and after; `key` is what the caller presses in the menu."""

    at: AwareDatetime
    language: str
    key: str | None
    before: list[str]
    after: list[str]


class EditView(BaseModel):
    """What has changed, or would."""

    in_force: bool
    etag: str
    changes: list[ChangeView]
    warnings: list[str]
    diff: list[str]
    heard: list[HeardView] = Field(description="Calls that go otherwise; told by a check only.")


class VersionView(BaseModel):
    """A version that was in force."""

    number: int
    at: AwareDatetime
    by: str
    source: Source
    why: str
    etag: str


class VersionText(VersionView):
    """And its text."""

    text: str


@dataclass(frozen=True)
class Editing:
    """A request to change a desk's file: whose, under which condition, and how."""

    desk: DeskId
    query: Annotated[EditQuery, Query()]
    has: Has
    who: Who
    response: Response
    if_match: IfMatch = None

    async def file(self) -> DeskFile:
        """The file as it is now."""
        return await desk_edits.file_of(self.has, self.desk)

    async def to(self, found: DeskFile, text: str, *, why: str = "") -> EditView:
        """Put another text in force, or tell what it would change."""
        if self.if_match is None:
            mend = "read the file, and send its ETag; * for whatever it is"
            raise BadInput(field="If-Match", problem="is missing", mend=mend)
        etag = None if self.if_match.strip() == "*" else self.if_match.strip()
        edit = await desk_edits.edit_of(
            self.desk, found, text, etag=etag, by=self.who.name, source="api", why=self.query.why or why
        )
        edit.expect(found.etag)
        diff = list(desk_edits.diff_of(found.text, edit.text))
        heard: list[HeardView] = []
        if self.query.check:
            shown = await desk_edits.preview(self.has, self.desk, found, edit, told_in="en")
            outcome, heard = shown.outcome, [_heard(one) for one in shown.heard.calls if one.differs]
        else:
            outcome = await desk_edits.files_of(self.has).put(edit)
        self.response.headers["ETag"] = found.etag if self.query.check else edit.made
        return EditView(
            in_force=not self.query.check,
            etag=self.response.headers["ETag"],
            changes=[ChangeView(**vars(one)) for one in outcome.changes],
            warnings=list(outcome.warnings),
            diff=diff,
            heard=heard,
        )


Edits = Annotated[Editing, Depends()]


@router.get("", responses={200: {"headers": _ETAG}})
async def read_file(desk: DeskId, has: Has, response: Response) -> FileView:
    """The file of a desk."""
    found = await desk_edits.file_of(has, desk)
    response.headers["ETag"] = found.etag
    try:
        values = await asyncio.to_thread(values_in, found.text)
    except BadInput:
        values = None
    return FileView(
        desk=desk, file=found.path.name, etag=found.etag, text=found.text, values=values, read_only=found.read_only
    )


@router.put("", responses=_CHANGED)
async def replace_file(given: FileText, editing: Edits) -> EditView:
    """Replace the file as a whole and take it into force at once; calls that go on keep the desk they began with."""
    return await editing.to(await editing.file(), given.text)


@router.patch("", responses=_CHANGED)
async def change_file(
    values: Annotated[dict[str, Any], Body(description="A merge patch (RFC 7396); null removes a field.")],
    editing: Edits,
) -> EditView:
    """Change some fields, write them into the file with its comments kept, and take it into force at once."""
    found = await editing.file()
    text = await asyncio.to_thread(lambda: with_values(found.text, patched(values_in(found.text), values)))
    return await editing.to(found, text)


@router.get("/versions")
async def list_versions(desk: DeskId, has: Has) -> list[VersionView]:
    """The versions that were in force, the newest first."""
    await desk_edits.file_of(has, desk)
    return [VersionView(**vars(one)) for one in desk_edits.files_of(has).versions.every(desk)]


@router.get("/versions/{number}")
async def read_version(desk: DeskId, number: Number, has: Has) -> VersionText:
    """One version."""
    await desk_edits.file_of(has, desk)
    versions = desk_edits.files_of(has).versions
    text = versions.text(desk, number)
    return VersionText(**vars(next(one for one in versions.every(desk) if one.number == number)), text=text)


@router.post("/versions/{number}/restore", responses=_CHANGED)
async def restore_version(number: Number, editing: Edits) -> EditView:
    """Put a version back in force, as a new one."""
    found = await editing.file()
    text = desk_edits.files_of(editing.has).versions.text(editing.desk, number)
    return await editing.to(found, text, why=f"version {number}")


def _heard(one: Heard) -> HeardView:
    before, after = (
        [line.text for line in lines if line.kind in ("heard", "then")] for lines in (one.before, one.after)
    )
    return HeardView(at=one.moment.at, language=one.language, key=one.key, before=before, after=after)
