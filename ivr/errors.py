"""The one error tree. The first docstring line of a class is the message; the facts are its fields."""

from __future__ import annotations

from collections.abc import Sequence


class OmnivigilError(Exception):
    """Something the line could not do."""

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.message())

    def message(self) -> str:
        """The sentence of the class, followed by its facts."""
        sentence = (type(self).__doc__ or "").strip().split("\n")[0]
        facts = ", ".join(f"{name}: {value}" for name, value in self.facts.items() if value is not None)
        if facts:
            return f"{sentence} ({facts})"
        return sentence


class BadInput(OmnivigilError):
    """What was given cannot be used."""

    def __init__(self, *, field: str, problem: str, mend: str, **facts: object) -> None:
        self.field = field
        self.problem = problem
        self.mend = mend
        super().__init__(field=field, problem=problem, mend=mend, **facts)


class AllBadInput(BadInput):
    """Several things that were given cannot be used; told all at once, so that they are mended in one go."""

    def __init__(self, errors: Sequence[BadInput]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        more = len(self.errors) - 1
        problem = f"{first.problem} (and {more} more)" if more else first.problem
        super().__init__(field=first.field, problem=problem, mend=first.mend)


class NotAllowed(BadInput):
    """Whoever asks may not have this."""


class NotFound(OmnivigilError):
    """There is no such thing."""


class Conflict(OmnivigilError):
    """Somebody changed it in the meantime."""


class TooMany(OmnivigilError):
    """Too often in too short a time."""


class Unavailable(OmnivigilError):
    """A component that is needed does not answer."""
