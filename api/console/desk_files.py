"""For administrators: a desk's hours, menu, texts, queues and rota, changed in its file; and the file's versions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import ValidationError

from api import desk_edits
from api.console import desk_forms, pages
from api.console.guard import ConsoleRoute, PageNotFound, done, may, who
from api.console.pages import line_of
from api.deps import Services
from ivr.desk.fields import Week
from ivr.desk_editing.files import DeskFile, FileChanged
from ivr.desk_editing.spoken_hours import closed_hours
from ivr.desk_editing.values import values_in, with_values
from ivr.desk_editing.yaml_positions import Value
from ivr.errors import AllBadInput, BadInput

router = APIRouter(prefix="/console/menu/desk/{desk}", route_class=ConsoleRoute, include_in_schema=False)

DeskId = Annotated[str, Path(max_length=40)]
Part = Annotated[str, Path(max_length=20)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]

#: The page of the file's text, and the pages with forms.
_WHOLE = "file"
#: A version that is put back.
_VERSION = "version"
#: Where the hours are told by a text that can be made from them.
_SPOKEN = ("hours", "menu")
_LONGEST_REASON = 200


@router.get("/versions")
@may("administrator")
async def desk_versions(desk: DeskId, request: Request) -> Response:
    """The versions of a desk's file that were in force."""
    has = line_of(request)
    file = await desk_edits.file_of(has, desk)
    found = await asyncio.to_thread(desk_edits.files_of(has).versions.every, desk)
    return pages.page(request, "desk_versions.html.j2", versions=found, **_common(has, desk, file))


@router.get("/versions/{number}")
@may("administrator")
async def desk_version(desk: DeskId, number: Number, request: Request) -> Response:
    """Return what putting a version back would change."""
    return await _preview(request, desk, _VERSION, {"version": str(number)}, await _file(request, desk))


@router.get("/{part}")
@may("administrator")
async def desk_part(desk: DeskId, part: Part, request: Request) -> Response:
    """The form of a part, or the text of the whole file."""
    file = await _file(request, desk)
    if part == _WHOLE:
        return _whole_page(request, desk, file, file.text)
    if part not in desk_forms.PARTS:
        raise PageNotFound
    try:
        values = await asyncio.to_thread(values_in, file.text)
    except BadInput as error:
        return _whole_page(request, desk, file, file.text, error)
    return _form_page(request, desk, part, file, values)


@router.post("/{part}/preview")
@may("administrator")
async def preview_desk_file(desk: DeskId, part: Part, request: Request) -> Response:
    """Return what would change; or the form again, with what was typed."""
    file, form = await _file(request, desk), await _form(request)
    if form.get("step") != "edit":
        return await _preview(request, desk, part, form, file, changed=_seen(form) not in ("", file.etag))
    if part == _WHOLE:
        return _whole_page(request, desk, file, form.get("text", ""))
    _known(part)
    values = await asyncio.to_thread(values_in, file.text)
    return _form_page(request, desk, part, file, desk_forms.typed(part, form, values, desk_forms.around(values)))


@router.post("/{part}/put")
@may("administrator")
async def change_desk_file(desk: DeskId, part: Part, request: Request) -> Response:
    """Write it into the file and take it into force; calls that go on keep the desk that they began with."""
    has = line_of(request)
    file, form = await _file(request, desk), await _form(request)
    if _seen(form) != file.etag:
        return await _preview(request, desk, part, form, file, changed=True)
    why = " ".join(form.get("why", "").split())[:_LONGEST_REASON]
    try:
        text = await _text(has, desk, part, form, file)
        edit = await desk_edits.edit_of(
            desk, file, text, etag=file.etag, by=who(request), source="console", why=why or _reason(part, form)
        )
        await desk_edits.files_of(has).put(edit)
    except FileChanged:
        return await _preview(request, desk, part, form, await _file(request, desk), changed=True)
    except BadInput as error:
        return await _again(request, desk, part, form, file, error)
    return done(request, f"/console/menu/desk/{desk}/versions")


async def _file(request: Request, desk: str) -> DeskFile:
    return await desk_edits.file_of(line_of(request), desk)


async def _form(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _seen(form: Mapping[str, str]) -> str:
    return form.get("etag", "")


def _known(part: str) -> None:
    if part not in desk_forms.PARTS:
        raise PageNotFound


def _reason(part: str, form: Mapping[str, str]) -> str:
    if part == _VERSION:
        return f"version {form.get('version', '')}"
    return ""


async def _text(has: Services, desk: str, part: str, form: Mapping[str, str], file: DeskFile) -> str:
    """The file's text as the form has it. Raises BadInput."""
    if part == _WHOLE:
        return form.get("text", "")
    if part == _VERSION:
        number = form.get("version", "")
        if not number.isdecimal() or len(number) > 9:
            raise PageNotFound
        return await asyncio.to_thread(desk_edits.files_of(has).versions.text, desk, int(number))
    _known(part)
    return await asyncio.to_thread(_rewritten, part, form, file.text)


def _rewritten(part: str, form: Mapping[str, str], text: str) -> str:
    values = values_in(text)
    offered = desk_forms.around(values)
    wanted = desk_forms.typed(part, form, values, offered)
    if part in _SPOKEN and "spoken" in form:
        wanted["texts"] = {**_dict(wanted.get("texts")), **_told_hours(wanted, offered.languages)}
    return with_values(text, wanted)


def _told_hours(values: dict[str, Value], languages: Any) -> dict[str, dict[str, str]]:
    """The texts that tell the hours, made from the hours that can be read; the form says what is wrong with others."""
    weeks = {"closed-hours": values.get("hours")}
    for name, one in _dict(values.get("departments")).items():
        if (hours := _dict(one).get("hours")) is not None:
            weeks[f"closed-hours-{name}"] = hours
    made: dict[str, dict[str, str]] = {}
    for prompt, hours in weeks.items():
        try:
            week = Week.model_validate(hours)
        except ValidationError:
            continue
        own = prompt != "closed-hours"
        made[prompt] = {one: closed_hours(week, one, of_department=own) for one in languages if one in ("fr", "en")}
    return made


def _dict(value: Value) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {}


async def _preview(
    request: Request, desk: str, part: str, form: Mapping[str, str], file: DeskFile, *, changed: bool = False
) -> Response:
    """Return what would change, and what callers would hear before and after."""
    has = line_of(request)
    try:
        text = await _text(has, desk, part, form, file)
        edit = await desk_edits.edit_of(desk, file, text, etag=file.etag, by=who(request), source="console")
        shown = await desk_edits.preview(has, desk, file, edit, told_in=request.state.language)
    except BadInput as error:
        return await _again(request, desk, part, form, file, error)
    carried = [(name, value) for name, value in form.items() if name not in ("csrf", "etag", "step", "why")]
    versions = await asyncio.to_thread(desk_edits.files_of(has).versions.every, desk)
    return pages.page(
        request,
        "desk_preview.html.j2",
        status=409 if changed else 200,
        part=part,
        shown=shown,
        carried=carried,
        changed=changed,
        last=versions[0] if versions and versions[0].etag == file.etag else None,
        **_common(has, desk, file),
    )


async def _again(
    request: Request, desk: str, part: str, form: Mapping[str, str], file: DeskFile, error: BadInput
) -> Response:
    """The form as it was typed, with what is wrong in it."""
    if part == _WHOLE:
        return _whole_page(request, desk, file, form.get("text", ""), error)
    if part not in desk_forms.PARTS:
        raise error
    try:
        values = await asyncio.to_thread(values_in, file.text)
    except BadInput:
        return _whole_page(request, desk, file, file.text, error)
    typed = desk_forms.typed(part, form, values, desk_forms.around(values))
    return _form_page(request, desk, part, file, typed, error, spoken="spoken" in form)


def _form_page(
    request: Request,
    desk: str,
    part: str,
    file: DeskFile,
    values: Value,
    error: BadInput | None = None,
    *,
    spoken: bool = False,
) -> Response:
    boxes = desk_forms.boxes_of(part, values, desk_forms.around(values))
    if error is not None:
        desk_forms.show_problems(boxes, error)
    return pages.page(
        request,
        "desk_part.html.j2",
        status=422 if error is not None else 200,
        part=part,
        boxes=boxes,
        problems=_problems(error),
        spoken=spoken,
        may_be_spoken=part in _SPOKEN,
        **_common(line_of(request), desk, file),
    )


def _whole_page(request: Request, desk: str, file: DeskFile, text: str, error: BadInput | None = None) -> Response:
    return pages.page(
        request,
        "desk_file.html.j2",
        status=422 if error is not None else 200,
        part=_WHOLE,
        text=text,
        problems=_problems(error),
        **_common(line_of(request), desk, file),
    )


def _problems(error: BadInput | None) -> list[BadInput]:
    if error is None:
        return []
    if isinstance(error, AllBadInput):
        return list(error.errors)
    return [error]


def _common(has: Services, desk: str, file: DeskFile) -> dict[str, Any]:
    return {
        "desk": has.desks[desk],
        "desks": has.desks,
        "file": file,
        "parts": (*desk_forms.PARTS, _WHOLE, "versions"),
        "at": f"/console/menu/desk/{desk}",
    }
