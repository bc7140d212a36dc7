"""Finds the person on call whom a calendar's event names; never guesses. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.calendars.events import Event
from ivr.desk.oncall import Person
from ivr.lists.sheets import plain

#: What may stand beside a name without saying that it is about something else.
_ABOUT = frozenset(
    (
        *("garde", "gardes", "on", "call", "oncall", "duty", "shift", "astreinte", "quart", "rotation", "rota"),
        *("urgence", "urgences", "emergency", "semaine", "week", "weekend", "nuit", "night", "soir", "fin"),
        *("support", "soutien", "technique", "technicien", "technicienne", "technician", "tech", "equipe", "team"),
        *("primaire", "primary", "appel", "sur", "est", "is", "de", "d", "du", "la", "le", "en", "of", "the"),
    )
)


def person_of(event: Event, people: Mapping[str, Person]) -> str:
    """The id of the person in the title, by id, full name, or a part of the name that no other person has.

    « Garde : Luc », « Luc (garde) » and « On call: Luc Bouchard » name Luc. Where it names no person, it is the one
    on call among those who were asked and did not decline. Raises CalendarProblem for anybody else, for two of them,
    and for a title that says more than that.
    """
    mend = f"write as its title one of {', '.join(sorted(one.name for one in people.values()))}"
    title = plain(event.title).split()
    exact = [key for key, one in people.items() if title in (plain(key).split(), plain(one.name).split())]
    if len(exact) == 1:
        return exact[0]
    named = exact or _named(title, people)
    if len(named) > 1:
        raise event.wrong(f"names {' and '.join(sorted(people[key].name for key in named))}", mend)
    if named:
        return named[0]
    if any(word not in _ABOUT for word in title):
        raise event.wrong("is for nobody on call", mend)
    asked = sorted({key for one in event.attendees for key in _exactly(one, people)})
    if len(asked) != 1:
        told = " and ".join(people[key].name for key in asked)
        raise event.wrong(f"names {told}" if asked else "is for nobody on call", mend)
    return asked[0]


def _named(title: list[str], people: Mapping[str, Person]) -> list[str]:
    """Those whom a title names, if it says nothing else."""
    words = {word for word in title if word not in _ABOUT and not word.isdigit()}
    if not words:
        return []
    # Whom all of these words fit is meant; of two persons' words together, each fits one.
    whole = [key for key, one in people.items() if words <= _words(key, one)]
    if whole:
        return whole
    some = [key for key, one in people.items() if words & _words(key, one)]
    known = set().union(*(_words(key, people[key]) for key in some)) if some else set()
    if words <= known and len(some) > 1:
        return some
    return []


def _words(key: str, one: Person) -> set[str]:
    return {*plain(one.name).split(), *plain(key).split()}


def _exactly(asked: str, people: Mapping[str, Person]) -> list[str]:
    """By the name of who was asked, or by what stands before the @ of the address."""
    said = plain(asked.partition("@")[0])
    return [key for key, one in people.items() if said and said in (plain(key), plain(one.name))]
