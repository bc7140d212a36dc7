"""What a caller would hear, without a phone: the same menu, its steps written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ivr import wording
from ivr.desk import menu
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.directory.elite import partner_first
from ivr.directory.model import NOBODY, Identity
from ivr.errors import BadInput

#: How "nothing" is written among the presses.
SILENCE = ","

#: The text of a prompt of a desk in a language.
Render = Callable[[str, menu.Prompt, str], str]


#: Where the menu ends, in the language of whoever reads the account.
_THEN = wording.texts("hear.then")


@dataclass(frozen=True, kw_only=True)
class HeardLine:
    """One line of the account: `kind` is heard, pressed, silence, decided or then."""

    kind: str
    text: str
    language: str = ""


def hear(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    desk: Desk,
    calendars: Mapping[str, Calendar],
    caller: menu.Caller,
    dialled: str,
    at: datetime,
    presses: Sequence[str],
    render: Render,
    *,
    identity: Identity = NOBODY,
    announced: menu.Announced | None = None,
    told_in: str = "en",
) -> list[HeardLine]:
    """The account of a call at `at` by a caller who presses `presses` one after the other, then nothing.

    A press is made as soon as the step's prompts begin, an impatient caller's way; "," is a silence. Presses are
    for questions; an announcement takes the keys that work anywhere: again, other language, a human.
    `identity` is who the caller is taken to be, and `announced` what is told before a queue then. `at` is aware;
    `told_in` is the language of what is not heard, fr or en. Raises BadInput for a press that is no key.
    """
    for press in presses:
        if press not in (*menu.KEYS, SILENCE):
            raise BadInput(field="press", problem=f"{press!r} is not a key", mend="press one of 0-9, *, # at a time")
    steps = menu.line(desk, calendars, caller, dialled, lambda: at, lambda: announced)
    return list(_hear(desk, steps, list(presses), render, told_in, identity))


def _hear(
    desk: Desk, steps: menu.Conversation, presses: list[str], render: Render, told_in: str, identity: Identity
) -> Iterator[HeardLine]:
    anywhere = (desk.menu.repeat, desk.menu.operator_key, *desk.menu.languages)
    answer: str | None = None
    try:
        while True:
            step = steps.send(answer) if answer is not None else next(steps)
            answer = None
            if isinstance(step, menu.Decided):
                facts = ", ".join(f"{name} {value}" for name, value in step.facts.items() if value)
                yield HeardLine(kind="decided", text=f"{step.what}: {facts}" if facts else step.what)
                continue
            if isinstance(step, menu.Follow):
                yield HeardLine(kind="decided", text="follow the incident by text message")
                continue
            for prompt in step.prompts:
                yield HeardLine(kind="heard", text=render(desk.id, prompt, step.language), language=step.language)
            if presses and (step.wait_s > 0 or presses[0] in anywhere):
                pressed = presses.pop(0)
                answer = None if pressed == SILENCE else pressed
            if answer is not None:
                yield HeardLine(kind="pressed", text=answer)
            elif step.wait_s > 0:
                yield HeardLine(kind="silence", text=f"{step.wait_s:g} s")
    except StopIteration as end:
        yield from _then(desk, end.value, render, told_in, identity)


def _then(desk: Desk, to: menu.Destination, render: Render, told_in: str, identity: Identity) -> Iterator[HeardLine]:
    say = _THEN[told_in]
    if to.kind == "queue":
        text = say["queue"].format(queue=to.queue)
        if (partner := partner_first(desk, to, identity)) is not None:
            seconds = desk.tickets.routing.elite_ring_s
            text = say["partner"].format(partner=partner.name, ring_s=seconds, then=text)
    elif to.kind == "ring":
        text = say["ring"].format(phones=", ".join(to.phones), ring_s=to.ring_s)
    else:
        record = menu.Prompt(id="message-record")
        yield HeardLine(kind="heard", text=render(desk.id, record, to.language), language=to.language)
        text = say["urgent" if to.urgent else "message"]
    names = desk.departments[to.department].name
    yield HeardLine(kind="then", text=f"{names.get(told_in, names[to.language])}{say['colon']}{text}")
