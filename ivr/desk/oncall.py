"""Who is on call at a desk: the `oncall` part of a desk file."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from ivr.numbers.normalise import typed

#: As `ivr.desk.schema.Identifier` and `Dialled`, whose mends are told for them.
PersonId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


def _digits(value: Any) -> Any:
    """The digits of a number as people write it; whether it may be dialled is asked when it is."""
    if not isinstance(value, str):
        return value
    plain, extension = typed(value)
    if extension is not None:
        raise ValueError(
            f"has an extension ({extension}), which a page cannot reach; give a number that rings by itself"
        )
    return re.sub(r"[ ().+-]", "", plain)


Phone = Annotated[str, BeforeValidator(_digits), StringConstraints(pattern=r"^[0-9]{3,15}$")]


def _written(value: Any) -> Any:
    """Else numbers would be taken for seconds."""
    if isinstance(value, (int, float)):
        raise ValueError("this is not written as a date or a time of day")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(_Part):
    """Somebody who can be paged."""

    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,60}$")]
    #: A mobile number, E.164 without the plus sign.
    phone: Phone
    language: Literal["fr", "en"] = "fr"


class OnCall(_Part):
    """Weekly turns, and what happens until somebody takes an emergency."""

    people: dict[PersonId, Person] = {}
    #: Who has a week each, in this order, round and round; the next in line is paged when one does not answer.
    turns: tuple[PersonId, ...] = ()
    #: The day on which the first turn begins.
    first_turn: Annotated[date, BeforeValidator(_written), Field(ge=date(2000, 1, 1), lt=date(2099, 1, 1))]
    #: The time of day at which one turn ends and the next begins, in the desk's time zone.
    changes_at: Annotated[time, BeforeValidator(_written)] = time(8)
    #: Minutes until the next in line is paged.
    every_min: Annotated[int, Field(ge=1, le=29)] = 5
    #: Paged besides, when nobody has taken it.
    manager: PersonId | None = None
    #: Minutes until the manager is; the caller was promised 30.
    manager_after_min: Annotated[int, Field(ge=1, le=29)] = 20
    #: So many emergencies of callers whom nobody knows are paged for by themselves within an hour; the rest together.
    strangers_an_hour: Annotated[int, Field(ge=1, le=1000)] = 5
    #: Paged when there is nobody in the turns.
    fallback: Phone | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        for name in (*self.turns, *((self.manager,) if self.manager else ())):
            if name not in self.people:
                raise ValueError(f"{name!r} is not among the people on call; add them, or correct the name")
        if not self.turns and self.fallback is None:
            raise ValueError("nobody is ever on call; give turns, or a fallback number")
        return self
