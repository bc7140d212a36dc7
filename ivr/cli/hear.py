"""`./omnivigil hear`: what a caller would hear, told at the terminal."""

from __future__ import annotations

import asyncio
from datetime import datetime

from rich.console import Console
from rich.markup import escape

from ivr.announcements.model import Announcement, in_force
from ivr.announcements.store import not_ended
from ivr.clock import system_clock
from ivr.desk import menu
from ivr.desk.contradictions import contradictions
from ivr.desk.load import Desks
from ivr.desk.schema import Desk
from ivr.desk_editing.hear import HeardLine, hear
from ivr.directory.lookup import Directory
from ivr.directory.snapshot import Book
from ivr.errors import BadInput, Unavailable
from ivr.numbers.normalise import normalise
from ivr.prepare import load
from ivr.prompts.catalog import Catalog
from ivr.settings import Settings
from ivr.store.engine import open_store

_STYLES = {"heard": "", "pressed": "bold cyan", "silence": "dim", "decided": "dim", "then": "bold"}


def hear_call(
    console: Console,
    *,
    dial: str,
    caller: str,
    at: str | None,
    presses: list[str],
    settings: Settings,
) -> None:
    """Print the account of a call. Raises BadInput that names the option."""
    desks, calendars = load(settings)
    desk = desks.by_number(dial)
    if desk is None:
        raise BadInput(field="--dial", problem=f"no desk answers {dial}", mend=f"try one of {_numbers(desks)}")
    moment = _moment(at, desk)
    book, announcement = asyncio.run(_known(settings, desk, moment))
    who = _caller(desk, book, caller)
    keys = [key for group in presses for key in _keys(group)]
    catalog = Catalog(desks)

    def render(desk_id: str, prompt: menu.Prompt, language: str) -> str:
        if announcement is not None and prompt.id == menu.ANNOUNCEMENT:
            return announcement.texts.get(language, "(a recording)")
        return catalog.utterance(desk_id, prompt.id, language, dict(prompt.variables)).text

    local = moment.astimezone(desk.zone)
    known = book.identify(who.number, who.registered_phone, desk.provider)
    name = f" ({known.customer.name})" if known.customer is not None else ""
    console.print(escape(f"{desk.name}, {dial}, from {caller}{name}, {local:%A %Y-%m-%d %H:%M:%S %Z}"), style="bold")
    announced = None
    if announcement is not None:
        announced = menu.Announced(prompts=(menu.ANNOUNCEMENT,))
    lines = hear(
        desk,
        calendars[desk.id],
        who,
        dial.removeprefix("+"),
        moment,
        keys,
        render,
        identity=known,
        announced=announced,
    )
    for line in lines:
        console.print(_told(line), style=_STYLES[line.kind], markup=False)
    for doubt in contradictions({desk.id: desk}):
        console.print(f"Warning: {doubt}", style="yellow", markup=False)


def _told(line: HeardLine) -> str:
    match line.kind:
        case "heard":
            return f"  [{line.language}] « {line.text} »"
        case "pressed":
            return f"  presses {line.text}"
        case "silence":
            return "  (says and presses nothing)"
        case "decided":
            return f"    {line.text}"
        case _:
            return f"  → {line.text}"


def _numbers(desks: Desks) -> str:
    return ", ".join(number for desk in desks.values() for number in (*desk.numbers, *desk.service_codes))


def _moment(at: str | None, desk: Desk) -> datetime:
    if at is None:
        return system_clock()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise BadInput(field="--at", problem=str(error), mend="write it as 2026-12-24T16:59") from error
    if moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=desk.zone)


def _keys(group: str) -> list[str]:
    """`9,2` is two presses; a comma at the beginning, the end, or after another is a silence."""
    keys = [key or "," for key in group.split(",")] if group != "," else [","]
    for key in keys:
        if key != "," and not (len(key) == 1 and key in "0123456789*#"):
            raise BadInput(field="--press", problem=f"{key!r} is no key", mend="write the keys as 9,2")
    return keys


async def _known(settings: Settings, desk: Desk, moment: datetime) -> tuple[Book, Announcement | None]:
    """The line's directory, and what it announces then, when one has run on this state folder."""
    # SQLite would make the file.
    if settings.database is None and not await asyncio.to_thread((settings.state / "omnivigil.sqlite3").exists):
        return Book(), None
    store = open_store(settings.database_url)
    try:
        book = await Directory(store).reload()
        async with store.reading() as unit:
            announcements = [one for one in await not_ended(unit) if one.desk == desk.id]
        return book, in_force(announcements, moment)
    except Unavailable:
        return Book(), None
    finally:
        await store.close()


def _caller(desk: Desk, book: Book, caller: str) -> menu.Caller:
    phone = None
    if book.endpoint(caller) is not None or not caller.isdigit() or len(caller) < 7:
        phone = caller
    number = None if phone else normalise(caller, desk.region)
    known = book.identify(number, phone, desk.provider)
    return menu.Caller(number=number, language=known.language, registered_phone=phone, known=known.customer is not None)
