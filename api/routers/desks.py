"""Desks: numbers, departments and hours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, field_validator

from api.common import Given, Has, Who
from api.desk_edits import files_of
from api.paths import DeskId, desk_of
from ivr.desk.schema import Desk

router = APIRouter(tags=["desks"])

#: Holidays and daylight saving are known for these years.
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class DepartmentView(BaseModel):
    """A department; either its queue or its phones."""

    id: str
    name: dict[str, str]
    email: str
    key: str | None = Field(description="The menu key that leads there.")
    queue: str | None
    phones: list[str]


class DeskView(BaseModel):
    """A desk."""

    id: str
    name: str
    timezone: str
    numbers: list[str]
    languages: list[str]
    departments: list[DepartmentView]


class Hours(BaseModel):
    """Open or closed, and when that changes; null when it does not within a year."""

    open: bool
    next_opening: AwareDatetime | None
    next_closing: AwareDatetime | None


class DeskHours(BaseModel):
    """A desk's hours at a moment, for each department."""

    desk: str
    at: AwareDatetime
    departments: dict[str, Hours]


class Reload(Given):
    """What is to be done with the desk files."""

    check: bool = Field(default=False, description="Only say what would change, and whether it can be used.")


class ChangeView(BaseModel):
    """A field of a desk that differs; null where there is none. Without a field, the whole desk."""

    desk: str
    field: str
    before: str | None
    after: str | None


class ReloadView(BaseModel):
    """What differs in the desk files, what is doubtful in them, and whether they are in force now."""

    in_force: bool
    changes: list[ChangeView]
    warnings: list[str]


class HoursQuery(Given):
    """When."""

    at: AwareDatetime | None = Field(
        default=None,
        description="Without it, now. In an address, + is written %2B.",
        examples=["2026-12-24T16:59:00-05:00"],
    )

    @field_validator("at")
    @classmethod
    def _in_range(cls, at: datetime | None) -> datetime | None:
        if at is not None and not _FIRST <= at < _LAST:
            raise ValueError("hours are known for 2000 to 2099; give a moment in these years")
        return at


@router.get("/desks")
async def list_desks(has: Has) -> list[DeskView]:
    """Every desk, the main one first."""
    return [_view(desk) for desk in has.desks.values()]


@router.post("/desks/reload")
async def reload_desks(given: Reload, who: Who, has: Has) -> ReloadView:
    """Take changed desk files into force while the line runs; calls that go on keep the desk that they began with.

    Files that cannot be used change nothing: 422 says which file, line and field, and how to mend it.
    """
    outcome = await files_of(has).reload(by=who.name, check=given.check)
    return ReloadView(
        in_force=outcome.in_force,
        changes=[
            ChangeView(desk=one.desk, field=one.field, before=one.before, after=one.after) for one in outcome.changes
        ],
        warnings=list(outcome.warnings),
    )


@router.get("/desks/{desk}")
async def read_desk(desk: DeskId, has: Has) -> DeskView:
    """One desk."""
    return _view(desk_of(has, desk))


@router.get("/desks/{desk}/hours")
async def read_hours(desk: DeskId, query: Annotated[HoursQuery, Query()], has: Has) -> DeskHours:
    """Whether each department is open at a moment, and when that changes, in the desk's own time."""
    found = desk_of(has, desk)
    at = (query.at or has.clock()).astimezone(found.zone)
    departments = {
        name: Hours(
            open=calendar.is_open(at),
            next_opening=calendar.next_opening(at),
            next_closing=calendar.next_closing(at),
        )
        for name, calendar in has.calendars[desk].items()
    }
    return DeskHours(desk=desk, at=at, departments=departments)


def _view(desk: Desk) -> DeskView:
    keys = {department: key for key, department in desk.menu.keys.items()}
    return DeskView(
        id=desk.id,
        name=desk.name,
        timezone=desk.timezone,
        numbers=list(desk.numbers),
        languages=list(desk.languages),
        departments=[
            DepartmentView(
                id=name,
                name=dict(one.name),
                email=one.email,
                key=keys.get(name),
                queue=one.queue,
                phones=list(one.phones),
            )
            for name, one in desk.departments.items()
        ],
    )
