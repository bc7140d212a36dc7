"""The night: who is on call, and the emergencies that they take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.common import Given, Has, Who
from api.deps import Services
from api.desk_edits import DeskNotFound
from api.paths import DeskId, desk_of
from ivr.desk.oncall import OnCall, Person
from ivr.desk.schema import Desk
from ivr.errors import BadInput, NotFound
from ivr.notify.delivery import TextTrouble
from ivr.notify.store import TextProblem
from ivr.oncall import calendar_import, gaps, ical, paging, store, views
from ivr.oncall.escalation import kept, timetable
from ivr.oncall.rota import Stint, overlap, stints
from ivr.oncall.service import EmergencyNotFound
from ivr.oncall.store import Emergency
from ivr.store.engine import Unit

router = APIRouter(tags=["on call"])

EmergencyId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2099, 1, 1, tzinfo=UTC))]

#: The rota is shown and exported so far ahead.
_AHEAD = timedelta(days=91)
_SHOWN = timedelta(hours=1)


class NobodyOnCall(NotFound):
    """This desk has nobody on call; its desk file may name them."""


class OverrideNotFound(NotFound):
    """There is no such override."""


class StintView(BaseModel):
    """Somebody is on call."""

    id: int | None = Field(default=None, description="Of an override.")
    person: str
    name: str | None
    start: AwareDatetime
    end: AwareDatetime
    override: bool


class GapView(BaseModel):
    """Nobody is on call, within the next 14 days: the fallback number would be paged."""

    start: AwareDatetime
    end: AwareDatetime


class RotaView(BaseModel):
    """What a change of the rota leaves; operations are told of its gaps by e-mail."""

    gaps: list[GapView]


class AddedView(StintView, RotaView):
    """An override that was entered."""


class ImportView(RotaView):
    """The overrides that were entered; what was there already is not among them."""

    added: list[StintView]
    removed: list[StintView] = Field(default=[], description="What the calendar has moved, or called off.")
    until: AwareDatetime | None = Field(
        default=None, description="Recurring events were taken up to here: import the calendar again by then."
    )


class PageView(BaseModel):
    """A page that would be sent; without a person to the fallback number."""

    at: AwareDatetime
    person: str | None
    name: str | None


class PersonView(BaseModel):
    """Somebody who can be paged, and how that went."""

    person: str
    name: str
    text_problem: TextTrouble | None = Field(
        description="Why the last text message did not reach them: a landline, a phone that was off, texts refused, …. "
        "They are rung all the same."
    )
    text_problem_at: AwareDatetime | None
    text_error: str | None = Field(description="In Twilio's words.")


class OnCallView(BaseModel):
    """Who is paged for an emergency that is left now, and when, until somebody takes it."""

    desk: str
    at: AwareDatetime
    line: list[str]
    people: list[PersonView]
    timetable: list[PageView]
    rota: list[StintView]
    overrides: list[StintView]
    gaps: list[GapView]


class OnCallQuery(Given):
    """When."""

    at: Moment | None = Field(default=None, description="Without it, now.")


class NewOverride(Given):
    """Somebody takes over."""

    person: Slug
    start: Moment
    end: Moment


class Calendar(Given):
    """Overrides as iCalendar (RFC 5545); each event's summary names who is on call, by id, name, or first name."""

    ical: Annotated[str, StringConstraints(min_length=1, max_length=200_000)]


class EmergencyView(BaseModel):
    """An urgent message and its three clocks."""

    id: int
    ticket: str
    message: int
    desk: str
    number: str | None
    known: bool = Field(description="Its caller is a customer.")
    bundle: bool = Field(description="It is paged for all that were merged into it: there were too many at once.")
    merged_into: int | None
    left_at: AwareDatetime
    pages: int
    notified_at: AwareDatetime | None
    taken_at: AwareDatetime | None
    taken_by: str | None
    called_back_at: AwareDatetime | None
    called_back_by: str | None
    in_time: bool | None = Field(description="Taken within 30 minutes; null while that may still be.")
    late_at: AwareDatetime | None = Field(description="When operations were told that nobody had taken it in time.")


class PageCallView(BaseModel):
    """One ringing of one person; without a person, of the fallback number."""

    nth: int
    person: str | None
    state: Literal["due", "dialling", "ended"]
    outcome: str | None = Field(description="taken, passed, no-key, no-answer, busy, refused, failed, …")
    due_at: AwareDatetime
    dialled_at: AwareDatetime | None
    answered_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class EmergencyDetail(EmergencyView):
    """With the calls to whoever is on call."""

    calls: list[PageCallView]


class MonthView(BaseModel):
    """A desk's emergencies of a month."""

    desk: str
    month: str
    emergencies: int = Field(description="Without those that were merged into another one.")
    taken_in_time: int
    late: int
    slowest_s: int | None
    items: list[EmergencyView]


class MonthQuery(Given):
    """Which month, in the desk's own time."""

    month: Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = Field(
        default=None, description="Without it, this one.", examples=["2026-11"]
    )


class Taken(Given):
    """Who."""

    person: Slug | None = Field(default=None, description="Without it, the token's name.")


def _person(person: str, known: Person, trouble: TextProblem | None) -> PersonView:
    return PersonView(
        person=person,
        name=known.name,
        text_problem=trouble.kind if trouble is not None else None,
        text_problem_at=trouble.at if trouble is not None else None,
        text_error=trouble.error if trouble is not None else None,
    )


@router.get("/desks/{desk}/oncall")
async def read_oncall(desk: DeskId, query: Annotated[OnCallQuery, Query()], has: Has) -> OnCallView:
    """Who is on call, and who would be paged when."""
    found, duty = _duty(has, desk)
    at = query.at or has.clock()
    async with has.store.reading() as unit:
        line = await paging.line_of(unit, found, duty, at)
        others = await store.overrides(unit, desk, at, at + _AHEAD)
        left_to_nobody = await gaps.found(unit, found, at)
        troubles = await paging.text_troubles(unit, duty, has.clock())
    pages = timetable(duty, line, at, at + _SHOWN)
    rota = stints(duty, found.zone, [stint for _, stint in others], at, at + _AHEAD)
    return OnCallView(
        desk=desk,
        at=at,
        line=list(line),
        people=[_person(name, one, troubles.get(name)) for name, one in duty.people.items()],
        timetable=[PageView(at=page.at, person=page.person, name=_name(duty, page.person)) for page in pages],
        rota=[_stint(duty, stint) for stint in rota],
        overrides=[_stint(duty, stint, override_id) for override_id, stint in others],
        gaps=_gaps(left_to_nobody),
    )


@router.get("/desks/{desk}/oncall.ics", responses={200: {"content": {"text/calendar": {}}}}, response_class=Response)
async def export_oncall(desk: DeskId, has: Has) -> Response:
    """The rota of the next three months, for people's own calendars."""
    found, duty = _duty(has, desk)
    now = has.clock()
    async with has.store.reading() as unit:
        others = [stint for _, stint in await store.overrides(unit, desk, now, now + _AHEAD)]
    text = ical.written(stints(duty, found.zone, others, now, now + _AHEAD), duty.people, desk=desk, now=now)
    return Response(text, media_type="text/calendar; charset=utf-8")


@router.post("/desks/{desk}/oncall/overrides", status_code=201)
async def add_override(desk: DeskId, given: NewOverride, has: Has, who: Who) -> AddedView:
    """Have somebody else on call for a time."""
    found, duty = _duty(has, desk)
    if given.person not in duty.people:
        mend = f"give one of {', '.join(duty.people)}"
        raise BadInput(field="person", problem=f"{given.person} is not among the people on call", mend=mend)
    new = ical.checked(Stint(start=given.start, end=given.end, person=given.person, override=True), field="end")
    async with has.store.unit() as unit:
        override_id = await _add(unit, desk, new, who=who.name, field="start")
        left_to_nobody = await gaps.tell(unit, found, has.clock())
    return AddedView(**_stint(duty, new, override_id).model_dump(), gaps=_gaps(left_to_nobody))


@router.delete("/desks/{desk}/oncall/overrides/{override_id}")
async def remove_override(
    desk: DeskId, override_id: Annotated[int, Path(ge=1, le=2**31 - 1)], has: Has, who: Who
) -> RotaView:
    """Whoever's turn it is has it again."""
    found, _ = _duty(has, desk)
    async with has.store.unit() as unit:
        if not await store.remove_override(unit, desk, override_id):
            raise OverrideNotFound(override=override_id)
        left_to_nobody = await gaps.tell(unit, found, has.clock())
    return RotaView(gaps=_gaps(left_to_nobody))


@router.post("/desks/{desk}/oncall/import", status_code=201, response_model_exclude_defaults=True)
async def import_overrides(desk: DeskId, given: Calendar, has: Has, who: Who) -> ImportView:
    """Take overrides from a calendar: all of them or, when one cannot be used, none. What is there already stays.

    The calendar is remembered: what it moves or calls off later is moved or removed when it is imported again.
    """
    found, duty = _duty(has, desk)
    now = has.clock()
    async with has.store.unit() as unit:
        taken = await calendar_import.take(unit, desk, given.ical, duty.people, found.zone, now=now, who=who.name)
        left_to_nobody = await gaps.tell(unit, found, now)
    return ImportView(
        added=[_stint(duty, stint, override_id) for override_id, stint in taken.added],
        removed=[_stint(duty, stint) for stint in taken.removed],
        until=taken.until,
        gaps=_gaps(left_to_nobody),
    )


@router.get("/desks/{desk}/emergencies")
async def list_emergencies(desk: DeskId, query: Annotated[MonthQuery, Query()], has: Has) -> MonthView:
    """A month's emergencies, and how many were taken within the 30 minutes that callers are promised."""
    found, now = desk_of(has, desk), has.clock()
    async with has.store.reading() as unit:
        month = await views.month_of(unit, found, query.month, now)
    return MonthView(**vars(month) | {"desk": desk, "items": [_emergency(one, now) for one in month.items]})


@router.get("/emergencies/{emergency_id}")
async def read_emergency(emergency_id: EmergencyId, has: Has) -> EmergencyDetail:
    """An emergency, and who was rung for it; for one that was merged into another, what became of that one."""
    async with has.store.reading() as unit:
        found = await store.get(unit, emergency_id)
        if found is None:
            raise EmergencyNotFound(emergency=emergency_id)
        calls = await store.page_calls(unit, found.merged_into or found.id)
    facts = _emergency(found, has.clock()).model_dump()
    return EmergencyDetail(**facts, calls=[PageCallView(**vars(call)) for call in calls])


@router.post("/emergencies/{emergency_id}/{step}")
async def take_emergency(
    emergency_id: EmergencyId, step: Literal["taken", "called-back"], given: Taken, has: Has, who: Who
) -> EmergencyView:
    """Somebody has taken it, and nobody is paged any more; or the caller was called back. Saying so twice is fine."""
    now = has.clock()
    by = given.person or who.name
    async with has.store.unit() as unit:
        if step == "taken":
            done = await has.emergencies.take(unit, emergency_id, by=by)
        else:
            done = await has.emergencies.call_back(unit, emergency_id, by=by)
    return _emergency(done, now)


async def _add(unit: Unit, desk: str, new: Stint, *, who: str, field: str) -> int:
    await unit.alone("rota", desk)
    known = [stint for _, stint in await store.overrides(unit, desk, new.start, new.end)]
    if (other := overlap(known, new)) is not None:
        problem = f"{other.person} is on call from {other.start:%Y-%m-%d %H:%M} to {other.end:%Y-%m-%d %H:%M} UTC"
        raise BadInput(field=field, problem=problem, mend="remove that override first, or set them apart")
    return await store.add_override(unit, desk, new, who=who)


def _duty(has: Services, desk: str) -> tuple[Desk, OnCall]:
    found = has.desks.get(desk)
    if found is None:
        raise DeskNotFound(desk=desk)
    if found.oncall is None:
        raise NobodyOnCall(desk=desk)
    return found, found.oncall


def _name(duty: OnCall, person: str | None) -> str | None:
    if person is not None and person in duty.people:
        return duty.people[person].name
    return None


def _gaps(found: Sequence[tuple[datetime, datetime]]) -> list[GapView]:
    return [GapView(start=start.astimezone(UTC), end=end.astimezone(UTC)) for start, end in found]


def _stint(duty: OnCall, stint: Stint, override_id: int | None = None) -> StintView:
    return StintView(
        id=override_id,
        person=stint.person,
        name=_name(duty, stint.person),
        start=stint.start,
        end=stint.end,
        override=stint.override,
    )


def _emergency(one: Emergency, now: datetime) -> EmergencyView:
    facts = vars(one) | {"ticket": str(one.ticket_number), "message": one.message_id}
    return EmergencyView(**facts, in_time=kept(one.left_at, one.taken_at, now))
