"""Which text a prompt is, per desk and language. Pure, once the texts are read."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from ivr.desk.hours import Calendar
from ivr.desk.schema import Department, Desk
from ivr.desk.spoken_time import phrases_ahead
from ivr.errors import OmnivigilError

TEXTS = Path(__file__).parent / "texts"

#: What the conversations and the dialplan say beside the menu; a desk that lacks one cannot start.
REQUIRED = (
    "welcome",
    "menu",
    "invalid",
    "no-answer",
    "transfer-human",
    "queue-wait",
    "services-operational",
    "ringing-department",
    "nobody-answers",
    "closed-hours",
    "closed-department",
    "closed-department-no-opening",
    "message-record",
    "message-silence",
    "message-short",
    "message-review",
    "message-received",
    "ticket-number",
    "goodbye",
    "technician-login",
    "technician-logout",
    "technician-pause",
    "technician-unpause",
    "technician-back",
    "technician-not-logged-in",
    "technician-unknown",
    "take-call",
    "technician-unregistered",
    "technician-unreachable",
    "pin-enter",
    "pin-wrong",
    "pin-locked",
    "pin-none",
    "announcement-in-force",
    "announcement-ended",
    "announcement-record",
    "announcement-silent",
    "announcement-review",
    "announcement-on-air",
    "announcement-cancelled",
    "not-in-service",
    "queue-patience",
    "queue-wait-long",
    "not-allowed",
    "no-way-out",
    "trace-thanks",
    "trace-received",
    "trace-again",
    "trace-reference",
    "trace-follow-up",
    "trace-none",
    "trace-in-call",
    "trace-too-many",
    "trace-none-away",
    "page-away",
    "call-recorded",
    "incident-yours",
    "incident-others",
    "incident-follow",
    "incident-follow-waiting",
    "follow-number",
    "follow-confirm",
    "follow-enter",
    "follow-number-refused",
    "follow-limit",
    "follow-not-now",
    "follow-none",
    "follow-over",
    "follow-accepted",
    "follow-to-confirm",
    "fallback-queue",
    "fallback-message",
    "fallback-again",
    "fallback-received",
    "fallback-nothing",
    "fallback-settled",
)
#: And where a department takes emergencies.
REQUIRED_FOR_EMERGENCIES = ("closed-emergency", "closed-emergency-no-opening", "message-received-urgent")
#: And where there is another language to offer.
REQUIRED_FOR_LANGUAGES = ("language-offer",)

#: And where somebody is on call.
REQUIRED_FOR_ONCALL = (
    "page-number",
    "page-no-recording",
    "page-keys",
    "page-taken",
    "page-taken-connect",
    "page-connecting",
    "page-not-noted",
    "page-other",
    "page-passed",
)
#: Of these there is only the text: what fills it is not known before.
SPOKEN_WHEN_NEEDED = ("page-greeting", "page-bundle", "page-from")
#: And of these no sound is kept: they name somebody.
NAMING_PEOPLE = ("page-from",)

#: And where a queue offers callbacks.
REQUIRED_FOR_CALLBACKS = (
    "callback-offer",
    "callback-number",
    "callback-confirm",
    "callback-enter",
    "callback-number-refused",
    "callback-limit",
    "callback-not-now",
    "callback-back",
    "callback-accepted",
    "callback-accepted-later",
    "place-kept",
    "callback-pending",
    "callback-pending-choices",
    "callback-pending-stands",
    "callback-kept",
    "callback-cancelled",
    "callback-greeting",
    "callback-brief",
    "callback-brief-dialling",
    "callback-no-answer",
    "callback-withdrawn",
)

#: Openings are spoken ready-made for this many days; later ones are spoken when they are needed.
DAYS_AHEAD = 100

_OTHER_VOICE = re.compile(r"\[([a-z]{2})\] *")


class PromptMissing(OmnivigilError):
    """A prompt has no text."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One thing to be said: by which prompt, in which conversation's language, in which words, by which voice."""

    desk: str
    id: str
    language: str
    text: str
    voice: str
    #: Whether its text has variables, so that the same prompt is said in other words too.
    varies: bool = False


class Catalog:
    """The texts of every desk."""

    def __init__(self, desks: Mapping[str, Desk], common: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._desks = desks
        self._common = common if common is not None else read_common()

    def of(self, desks: Mapping[str, Desk]) -> Catalog:
        """The same for other desks."""
        return Catalog(desks, self._common)

    def _template(self, desk_id: str, prompt: str, language: str) -> str:
        own = self._desks[desk_id].texts.get(prompt, {}).get(language)
        text = own if own is not None else self._common.get(language, {}).get(prompt)
        if text is None:
            raise PromptMissing(prompt=prompt, desk=desk_id, language=language, mend="add its text")
        return text

    def variables(self, desk_id: str, prompt: str, language: str) -> frozenset[str]:
        """The {names} in a prompt's text. Raises PromptMissing."""
        template = self._template(desk_id, prompt, language)
        return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)

    def utterance(self, desk_id: str, prompt: str, language: str, variables: Mapping[str, str]) -> Utterance:
        """Return what to say, the variables filled in.

        Raises PromptMissing for a text or a variable that is not there.
        """
        template = self._template(desk_id, prompt, language)
        try:
            text = template.format_map(variables)
        except (KeyError, ValueError, IndexError) as error:
            problem = f"{{{error.args[0]}}} is not known here"
            raise PromptMissing(prompt=prompt, desk=desk_id, language=language, problem=problem) from error
        other = _OTHER_VOICE.match(text)
        voice = other[1] if other else language
        text = text[other.end() :] if other else text
        return Utterance(
            desk=desk_id,
            id=prompt,
            language=language,
            # "… at 1 p.m." at the end of a sentence brings its own stop.
            text=re.sub(r"(?<!\.)\.\.(?!\.)", ".", " ".join(text.split())),
            voice=voice,
            varies="{" in template,
        )

    def required(self, desk: Desk) -> Iterator[str]:
        """The prompts that a desk cannot do without."""
        yield from REQUIRED
        if any(department.closed == "emergency" for department in desk.departments.values()):
            yield from REQUIRED_FOR_EMERGENCIES
        if desk.menu.languages:
            yield from REQUIRED_FOR_LANGUAGES
        if any(queue.callback is not None for queue in desk.queues.values()):
            yield from REQUIRED_FOR_CALLBACKS
        if desk.oncall is not None:
            yield from REQUIRED_FOR_ONCALL
        yield from (name for name in desk.texts if name not in (*REQUIRED, *SPOKEN_WHEN_NEEDED))

    def everything(
        self, calendars: Mapping[str, Mapping[str, Calendar]], now: datetime
    ) -> tuple[list[Utterance], list[PromptMissing]]:
        """All that may be said during the next DAYS_AHEAD days, and what has no text."""
        said: dict[Utterance, None] = {}
        missing: list[PromptMissing] = []
        for desk in self._desks.values():
            openings = _openings(desk, calendars[desk.id], now)
            for language in desk.languages:
                if desk.oncall is not None:
                    missing += self._without_text(desk, language, SPOKEN_WHEN_NEEDED)
                for prompt in dict.fromkeys(self.required(desk)):
                    try:
                        said |= dict.fromkeys(self._variants(desk, prompt, language, openings))
                    except PromptMissing as error:
                        missing.append(error)
        return list(said), missing

    def _without_text(self, desk: Desk, language: str, prompts: Sequence[str]) -> Iterator[PromptMissing]:
        for prompt in prompts:
            try:
                self._template(desk.id, prompt, language)
            except PromptMissing as error:
                yield error

    def _variants(self, desk: Desk, prompt: str, language: str, openings: _Openings) -> Iterator[Utterance]:
        variables = self.variables(desk.id, prompt, language)
        if not variables:
            yield self.utterance(desk.id, prompt, language, {})
            return
        for name, department in desk.departments.items():
            if _concerns(prompt, name, department):
                for opening in openings[name, language] if "opening" in variables else [""]:
                    filled = {"department": department.name[language], "opening": opening}
                    yield self.utterance(desk.id, prompt, language, filled)


#: What is said for when, by department and language.
_Openings = Mapping[tuple[str, str], list[str]]


def _openings(desk: Desk, calendars: Mapping[str, Calendar], now: datetime) -> _Openings:
    # Most departments share the desk's calendar, which is walked through once.
    shared = {id(calendar): calendar for calendar in calendars.values()}
    ahead = {key: phrases_ahead([one], desk.languages, now, DAYS_AHEAD) for key, one in shared.items()}
    return {
        (name, language): sorted(phrase for one, phrase in ahead[id(calendars[name])] if one == language)
        for name in desk.departments
        for language in desk.languages
    }


def _concerns(prompt: str, name: str, department: Department) -> bool:
    """Return whether a caller of the department may hear the prompt."""
    if prompt == "ringing-department":
        return bool(department.phones)
    if prompt.startswith("closed-emergency"):
        return department.closed == "emergency"
    if prompt.startswith("closed-hours-"):
        return prompt == f"closed-hours-{name}"
    return department.closed == "message"


def read_common(folder: Path = TEXTS) -> dict[str, dict[str, str]]:
    """The common texts by language."""
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.yaml"))}
