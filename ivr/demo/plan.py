"""Who calls, when, and what they do: the same for the same seed. Pure; seconds are of the line's day, unscaled."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["support", "other", "voice-message", "callback", "bad-call", "impatient"]

#: Somebody calls this often on average, in seconds: a little more than two technicians can take.
_BETWEEN_S = 75.0
#: Half of the conversations last longer than that, in seconds; their logarithms are spread by so much.
_TALK_S, _SPREAD = 180.0, 0.6
_SHORTEST_S, _LONGEST_S = 30.0, 900.0
#: Those who give up do so after that, in seconds.
_PATIENCE_S = (20.0, 240.0)
#: What most people call for.
_KINDS: tuple[Kind, ...] = ("support", "other", "bad-call", "impatient", "callback")
_WEIGHTS = (55, 15, 8, 15, 7)
#: The first minute has something of everything: support is full when the one who wants to be called back comes.
_OPENING: tuple[Kind, ...] = ("bad-call", "support", "support", "support", "support", "support", "callback", "other")
_OPENING_S = 4.0


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One caller. `number` is theirs, of the range that is kept for fiction (555-01XX)."""

    at_s: float
    kind: Kind
    number: str
    english: bool
    talk_s: float
    patience_s: float
    #: The menu's key of the department that they want.
    key: str


def visits(seed: int, *, is_open: bool) -> Iterator[Visit]:
    """Everybody who calls, in order, for ever. While the line is closed they leave messages."""
    chance = random.Random(seed)  # noqa: S311 - a plan that can be repeated
    at_s, count = 0.0, 0
    while True:
        opening = count < len(_OPENING)
        kind = _OPENING[count] if opening else chance.choices(_KINDS, _WEIGHTS)[0]
        talk_s = math.exp(chance.gauss(math.log(_TALK_S), _SPREAD))
        yield Visit(
            at_s=at_s,
            kind=kind if is_open or kind == "bad-call" else "voice-message",
            number=f"{chance.choice(('418', '514', '819', '450'))}55501{chance.randrange(100):02d}",
            english=chance.random() < 0.2 if count != 2 else True,
            talk_s=min(_LONGEST_S, max(_SHORTEST_S, talk_s)),
            patience_s=chance.uniform(*_PATIENCE_S),
            key=chance.choice("13456") if kind == "other" else "2",
        )
        count += 1
        at_s += _OPENING_S if opening else chance.expovariate(1 / _BETWEEN_S)


@dataclass(frozen=True, kw_only=True)
class Word:
    """One update of the incident: how many seconds after the one before, and what is said (OV-26)."""

    after_s: float
    stage: Literal["investigating", "confirmed", "resolved"]
    texts: dict[str, str]


#: What goes wrong on the demo's day, over and over.
INCIDENT = {"fr": "Messagerie vocale indisponible", "en": "Voicemail unavailable"}
WORDS = (
    Word(
        after_s=90.0,
        stage="investigating",
        texts={
            "fr": "Nous vérifions une difficulté qui touche la messagerie vocale. Nos techniciens y travaillent.",
            "en": "We are looking into a problem that affects voicemail. Our technicians are working on it.",
        },
    ),
    Word(
        after_s=90.0,
        stage="confirmed",
        texts={
            "fr": "Une panne touche la messagerie vocale. Il n’est pas nécessaire de la signaler.",
            "en": "An outage affects voicemail. There is no need to report it.",
        },
    ),
    Word(
        after_s=240.0,
        stage="resolved",
        texts={
            "fr": "La panne qui touchait la messagerie vocale est résolue. Nous restons vigilants.",
            "en": "The outage that affected voicemail is resolved. We keep watching.",
        },
    ),
)
#: And after so long it begins again.
QUIET_S = 900.0
