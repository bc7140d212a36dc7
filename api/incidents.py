"""Incidents as clients give them: what the API and the console's forms are checked by."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from api.common import Given, Line, Short
from api.deps import Services
from ivr.announcements.model import LONGEST_TEXT
from ivr.desk.schema import Desk
from ivr.errors import AllBadInput, BadInput
from ivr.incidents.affected import affected
from ivr.incidents.model import Affected, Impact, Stage

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
    components: list[Line] = Field(default_factory=list, max_length=20, description="The failed components.")
    affected: AffectedGiven = Field(default_factory=AffectedGiven)
    started_at: AwareDatetime | None = Field(default=None, description="Its beginning; the present moment if left out.")
    sms_partners: bool = Field(
        default=False,
        description="Send it to the administrators and level 3 users of the partners that it affects, by text message.",
    )

    def said(self) -> dict[str, Any]:
        """Return it as `Incidents.begin` takes it, but for whom it affects."""
        return {
            "title": self.title,
            "impact": self.impact,
            "stage": self.stage,
            "texts": self.texts,
            "services": tuple(self.services),
            "components": tuple(self.components),
            "started_at": self.started_at,
            "tell_partners": self.sms_partners,
        }


class NewUpdate(Given):
    """What is said next."""

    stage: Stage
    texts: Texts
    impact: Impact | None = Field(default=None, description="Its severity from now on; unchanged if left out.")
    services: ServiceIds | None = Field(default=None, description="The services affected; unchanged if left out.")
    components: list[Line] | None = Field(
        default=None, max_length=20, description="The failed components, or as before."
    )
    sms_partners: bool = Field(
        default=False,
        description="Send it to the administrators and level 3 users of the partners that it affects, by text message.",
    )
    version: Version = None

    def said(self) -> dict[str, Any]:
        """Return it as `Incidents.update` takes it, but for the version."""
        return {
            "stage": self.stage,
            "texts": self.texts,
            "tell_partners": self.sms_partners,
            "impact": self.impact,
            "services": tuple(self.services) if self.services is not None else None,
            "components": tuple(self.components) if self.components is not None else None,
        }


class AffectedChange(AffectedGiven):
    """Whom it affects, anew."""

    version: Version = None


def named(has: Services, given: AffectedGiven, desk: Desk, field: str) -> Affected:
    """Return whom they name. Raises AllBadInput, with fields below `field`."""
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
