"""Maintenance as clients give it: what the API and the console's forms are checked by."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from api.common import Given, Line, Short
from api.incidents import ServiceIds, Texts
from ivr.incidents.model import Impact
from ivr.maintenance.model import Kind

Version = Annotated[int | None, Field(ge=1, description="Refuse when the maintenance is not this version any more.")]
Moment = Annotated[AwareDatetime, Field(description="With its offset from UTC, as in 2026-12-05T01:00:00-05:00.")]


class NewMaintenance(Given):
    """Maintenance to announce."""

    desk: Short
    kind: Kind = "planned"
    title: dict[Short, Line] = Field(default_factory=dict, max_length=10, description="By language.")
    texts: Texts
    impact: Impact = "minor"
    services: ServiceIds = Field(default_factory=list)
    components: list[Line] = Field(default_factory=list, max_length=20)
    starts_at: Moment | None = Field(default=None, description="Without it, now.")
    ends_at: Moment
    sms: bool = Field(default=False, description="True to tell subscribers by text message too.")

    def said(self) -> dict[str, Any]:
        """Return it as `Maintenances.plan` takes it."""
        given = self.model_dump(exclude={"desk"})
        return given | {"services": tuple(self.services), "components": tuple(self.components)}


class MaintenanceChange(Given):
    """What is to be different. What is not given stays; `ends_at` makes it longer or shorter."""

    title: dict[Short, Line] | None = Field(default=None, max_length=10)
    texts: Texts | None = None
    impact: Impact | None = None
    services: ServiceIds | None = None
    components: list[Line] | None = Field(default=None, max_length=20)
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    sms: bool | None = None
    version: Version = None

    def fields(self) -> dict[str, Any]:
        """Return what is to be different, as `Maintenances.change` takes it."""
        fields = self.model_dump(exclude={"version"}, exclude_none=True)
        return fields | {name: tuple(fields[name]) for name in ("services", "components") if name in fields}
