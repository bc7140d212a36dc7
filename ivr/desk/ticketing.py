"""What a desk promises about its tickets and who gets them: the `tickets` part of a desk file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
#: Who asks: a kind of contact, or the account's partner.
Role = Literal["administrateur", "facturation", "utilisateur", "partenaire"]
#: Up to four weeks.
Minutes = Annotated[int, Field(ge=1, le=40_320)]
#: As `ivr.desk.schema.Email`, whose mend is told for it.
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[a-z]+$")]
LevelKey = Literal["1", "2", "3", "4"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Times(_Part):
    """A clock's limits, in minutes of working time; around the clock for what is urgent."""

    #: Staff are warned.
    warning_min: Minutes | None = None
    #: The promise is broken.
    limit_min: Minutes | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.warning_min is not None and self.limit_min is not None and self.warning_min >= self.limit_min:
            raise ValueError("warning_min is not before limit_min; make it smaller")
        return self


class Level(_Part):
    """One level of support."""

    #: Until a technician answers or actively works on a documented ticket.
    tmr: Times = Times()
    #: Until it is resolved; past its limit the ticket goes to the next level.
    tr: Times = Times()
    #: Who is told of this level's clocks, and of tickets that come to it; without it, the ticket's department.
    email: Email | None = None


class ToPartner(_Part):
    """What makes a ticket the account's partner's; an account without one has it on a higher level instead."""

    kinds: tuple[Slug, ...] = ()
    #: More minutes of programming than this.
    programming_over_min: Annotated[int, Field(ge=0, le=10_000)] | None = None
    #: A visit on site.
    on_site: bool = False
    #: Knowledge of the customer's installation.
    installation: bool = False
    level_without_partner: Annotated[int, Field(ge=1, le=4)] = 2


class Routing(_Part):
    """Who gets a documented ticket."""

    #: Customers of an Élite partner are directed to that partner.
    elite_to_partner: bool = False
    #: How long an Élite partner's phone rings, in seconds, before the caller is in our queue.
    elite_ring_s: Annotated[int, Field(ge=5, le=120)] = 25
    to_partner: ToPartner = ToPartner()
    #: Kind to department, for kinds that are not the operator's.
    departments: dict[Slug, Slug] = {}


class Ticketing(_Part):
    """The desk's promises, routing and rights; without any, tickets have no clocks and stay where they are."""

    levels: dict[LevelKey, Level] = {}
    routing: Routing = Routing()
    #: Kind to who may ask for it; everyone may ask for kinds that are not named.
    asking: dict[Slug, Annotated[tuple[Role, ...], Field(min_length=1)]] = {}
    #: Kinds of service request that this desk quotes.
    services: tuple[Slug, ...] = ()

    def level(self, level: int) -> Level:
        """A level's promises; none when the desk makes none for it."""
        return next((one for key, one in self.levels.items() if int(key) == level), Level())
