"""Incidents: opened, updated, resolved; each update is told to everybody who waits (OV-10, OV-26, OV-27)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Given, Has, Line, Page, PageQuery, Short, Who, bad_cursor, make_cursor, read_moment_cursor
from api.deps import Services
from api.routers.desks import desk_of
from ivr.accounts.api_tokens import Bearer
from ivr.announcements.model import LONGEST_TEXT
from ivr.desk.schema import Desk
from ivr.errors import AllBadInput, BadInput
from ivr.incidents import sms_followers, store
from ivr.incidents.affected import affected, affected_of_csv
from ivr.incidents.model import STAGE_NAMES, Affected, Impact, Incident, Stage, draft
from ivr.incidents.service import services_of
from ivr.tickets.store import count_about

router = APIRouter(tags=["incidents"])

IncidentId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Version = Annotated[int | None, Field(ge=1, description="Refuse when the incident is not this version any more.")]
Texts = Annotated[
    dict[Short, str],
    Field(
        max_length=10,
        description=f"What is said, in each language of the desk; at most {LONGEST_TEXT} characters, without markup.",
        examples=[{"fr": "Une panne touche la téléphonie à Québec.", "en": "Telephony is down in Quebec City."}],
    ),
]
ServiceIds = Annotated[
    list[Short], Field(max_length=20, examples=[["telephonie"]], description="Ids of the desk's services.")
]


class AffectedGiven(Given):
    """Whom it affects. Nobody named is everybody."""

    partners: list[Line] = Field(default_factory=list, max_length=200, description="By name.")
    accounts: list[Short] = Field(default_factory=list, max_length=5000, description="Customers' account numbers.")
    numbers: list[Short] = Field(default_factory=list, max_length=10_000, description="As people write them.")


class NewIncident(Given):
    """An incident, with what is said of it first."""

    desk: Short
    title: dict[Short, Line] = Field(default_factory=dict, max_length=10, description="By language.")
    impact: Impact = "major"
    stage: Stage = "investigating"
    texts: Texts
    services: ServiceIds = Field(default_factory=list)
    components: list[Line] = Field(default_factory=list, max_length=20, description="What failed, for the report.")
    affected: AffectedGiven = Field(default_factory=AffectedGiven)
    started_at: AwareDatetime | None = Field(default=None, description="When it began; without it, now.")
    sms_partners: bool = Field(
        default=False,
        description="Send it to the administrators and level 3 users of the partners that it affects, by text message.",
    )


class NewUpdate(Given):
    """What is said next."""

    stage: Stage
    texts: Texts
    impact: Impact | None = Field(default=None, description="How bad it is now; without it, as before.")
    services: ServiceIds | None = Field(default=None, description="What is affected now; without it, as before.")
    components: list[Line] | None = Field(default=None, max_length=20, description="What failed; else as before.")
    sms_partners: bool = Field(
        default=False,
        description="Send it to the administrators and level 3 users of the partners that it affects, by text message.",
    )
    version: Version = None


class AffectedChange(AffectedGiven):
    """Whom it affects, anew."""

    version: Version = None


class UpdateView(BaseModel):
    """What was said at a stage."""

    id: int
    stage: Stage
    stage_name: dict[str, str] = Field(description="As people read it, by language.")
    texts: dict[str, str]
    at: AwareDatetime
    by: str


class AffectedView(BaseModel):
    """Whom it affects; empty lists are everybody."""

    partners: list[str]
    accounts: list[str]
    numbers: list[str] = Field(description="E.164 digits.")


class IncidentView(BaseModel):
    """An incident; the last of `updates` is where it stands."""

    id: int
    desk: str
    title: dict[str, str]
    impact: Impact
    stage: Stage
    services: list[str]
    components: list[str]
    affected: AffectedView
    started_at: AwareDatetime
    resolved_at: AwareDatetime | None
    updates: list[UpdateView]
    version: int


class IncidentDetail(IncidentView):
    """An incident, and what came of it so far."""

    followers: int = Field(description="Numbers that get a text message at each stage.")
    tickets: int = Field(description="Tickets that are about it.")
    open_tickets: int = Field(description="Those of them that are not resolved or closed.")


class IncidentQuery(PageQuery):
    """Which incidents."""

    desk: Short | None = None
    state: Literal["open", "resolved"] | None = None


class Drafts(BaseModel):
    """What could be said."""

    texts: dict[str, str]


@router.post("/incidents", status_code=201)
async def open_incident(given: NewIncident, has: Has, who: Who, response: Response) -> IncidentView:
    """Open an incident. When this is answered, it is committed and on the air."""
    whom = named(has, given.affected, desk_of(has, given.desk), "affected.")
    made = await open_as(given, whom, has, who)
    response.headers["Location"] = f"/v1/incidents/{made.id}"
    return _view(has, made)


async def open_as(given: NewIncident, whom: Affected, has: Services, who: Bearer) -> Incident:
    """Open an incident that affects these, whoever is named in it."""
    return await has.incidents.begin(
        desk_of(has, given.desk),
        title=given.title,
        impact=given.impact,
        stage=given.stage,
        texts=given.texts,
        services=tuple(given.services),
        components=tuple(given.components),
        affected=whom,
        started_at=given.started_at,
        who=who.name,
        tell_partners=given.sms_partners,
    )


@router.get("/incidents")
async def list_incidents(asked: Annotated[IncidentQuery, Query()], has: Has) -> Page[IncidentView]:
    """Incidents, those that began last first."""
    before = read_moment_cursor(asked.cursor)
    if before is not None and not before[1].isdecimal():
        raise bad_cursor()
    async with has.store.reading() as unit:
        found = await store.page(
            unit,
            desk=asked.desk,
            is_open=None if asked.state is None else asked.state == "open",
            before=(before[0], min(int(before[1]), 2**31 - 1)) if before is not None else None,
            limit=asked.limit + 1,
        )
    items = [_view(has, one) for one in found[: asked.limit]]
    more = len(found) > asked.limit
    return Page(items=items, next=make_cursor(items[-1].started_at.isoformat(), str(items[-1].id)) if more else None)


@router.get("/incidents/draft")
async def draft_update(
    has: Has,
    desk: Annotated[Short, Query()],
    stage: Annotated[Stage, Query()],
    service: Annotated[list[Short], Query(max_length=20, description="Ids of the desk's services.")] = [],  # noqa: B006
) -> Drafts:
    """What could be said at a stage, in each language of the desk, to be changed as needed."""
    found = desk_of(has, desk)
    names = services_of(found, service)
    return Drafts(texts={language: draft(stage, names, language) for language in found.languages})


@router.get("/incidents/{incident_id}")
async def read_incident(incident_id: IncidentId, has: Has, response: Response) -> IncidentDetail:
    """One incident with all its updates. The ETag is its version."""
    found = await has.incidents.get(incident_id)
    async with has.store.reading() as unit:
        followers = await sms_followers.count(unit, incident_id)
        tickets, still_open = await count_about(unit, incident_id)
    response.headers["ETag"] = f'"{found.version}"'
    view = _view(has, found).model_dump()
    return IncidentDetail(**view, followers=followers, tickets=tickets, open_tickets=still_open)


@router.post("/incidents/{incident_id}/updates", status_code=201)
async def update_incident(incident_id: IncidentId, given: NewUpdate, has: Has, who: Who) -> IncidentView:
    """Say what is new, at the same stage or another. When this is answered, it is committed and on the air."""
    changed = await has.incidents.update(
        incident_id,
        stage=given.stage,
        texts=given.texts,
        version=given.version,
        who=who.name,
        tell_partners=given.sms_partners,
        impact=given.impact,
        services=tuple(given.services) if given.services is not None else None,
        components=tuple(given.components) if given.components is not None else None,
    )
    return _view(has, changed)


@router.put("/incidents/{incident_id}/affected")
async def change_affected(incident_id: IncidentId, given: AffectedChange, has: Has) -> IncidentView:
    """Say anew whom it affects."""
    desk = has.desks[(await has.incidents.get(incident_id)).desk]
    return _view(has, await has.incidents.touches(incident_id, named(has, given, desk, ""), version=given.version))


@router.put("/incidents/{incident_id}/affected.csv")
async def change_affected_by_csv(
    incident_id: IncidentId,
    has: Has,
    csv: Annotated[bytes, Body(media_type="text/csv", description="Columns partner, account, number.")],
) -> IncidentView:
    """Say anew whom it affects, by a CSV with a line of headings, as a spreadsheet saved it."""
    desk = has.desks[(await has.incidents.get(incident_id)).desk]
    found = affected_of_csv(csv, has.directory.book, desk.region, desk.provider)
    return _view(has, await has.incidents.touches(incident_id, found, version=None))


def named(has: Services, given: AffectedGiven, desk: Desk, field: str) -> Affected:
    """Whom they name. Raises AllBadInput, with fields below `field`."""
    try:
        return affected(
            has.directory.book,
            desk.region,
            desk.provider,
            partners=given.partners,
            accounts=given.accounts,
            numbers=given.numbers,
        )
    except AllBadInput as error:
        wrong = [BadInput(field=f"{field}{one.field}", problem=one.problem, mend=one.mend) for one in error.errors]
        raise AllBadInput(wrong) from None


def _view(has: Services, one: Incident) -> IncidentView:
    book = has.directory.book
    names = {
        "partners": [book.partners[n].name for n in one.affected.partners if n in book.partners],
        "accounts": [book.customers[n].account for n in one.affected.customers if n in book.customers],
        "numbers": list(one.affected.numbers),
    }
    updates = [
        change.facts() | {"stage_name": {language: names_[change.stage] for language, names_ in STAGE_NAMES.items()}}
        for change in one.updates
    ]
    return IncidentView.model_validate(one.facts() | {"affected": names, "updates": updates})
