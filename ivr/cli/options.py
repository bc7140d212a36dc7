"""The options that several commands take, and the settings that they say."""

from __future__ import annotations

import os
import pwd
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ivr.clock import require_aware, system_clock
from ivr.errors import BadInput
from ivr.settings import Address, Settings, database_url_of

StateOption = Annotated[Path, typer.Option("--state", help="Folder for everything the line keeps.")]
SipOption = Annotated[str, typer.Option("--sip", metavar="HOST:PORT", help="Where phones and trunks call.")]
HttpOption = Annotated[str, typer.Option("--http", metavar="HOST:PORT", help="Where the API answers.")]
AgiOption = Annotated[str, typer.Option("--agi", metavar="HOST:PORT", help="Internal: the service's FastAGI port.")]
AmiOption = Annotated[str, typer.Option("--ami", metavar="HOST:PORT", help="Internal: Asterisk's manager port.")]
RtpOption = Annotated[str, typer.Option("--rtp", metavar="FIRST-LAST", help="UDP ports for media.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="OMNIVIGIL_DATABASE_URL",
        show_envvar=True,
        metavar="postgresql://…",
        help="PostgreSQL instead of SQLite in the state folder; with a password, better by the environment.",
    ),
]
UserOption = Annotated[
    str | None,
    typer.Option("--user", envvar="OMNIVIGIL_USER", help="Started as root: become this user, without any rights."),
]


def database_of(url: str | None) -> str | None:
    if url:
        return database_url_of(url)
    return None


def settings_in(state: Path, database: str | None) -> Settings:
    """Return the settings of a command that needs only the folder and the database. Raises BadInput."""
    return Settings(state=state.resolve(), database=database_of(database))


def user_name() -> str:
    """Return who runs the command, for the record: by name, or by number where the machine knows none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def settings_of(
    state: Path, sip: str, http: str, agi: str, ami: str, rtp: str, now: str | None, demo: bool
) -> Settings:
    """The settings that the options say; raises BadInput that names the option."""
    return Settings(
        state=state.resolve(),
        sip=Address.parse(sip, field="--sip"),
        http=Address.parse(http, field="--http"),
        agi=Address.parse(agi, field="--agi"),
        ami=Address.parse(ami, field="--ami"),
        rtp=_ports(rtp),
        clock_shift_s=_shift(now),
        demo=demo,
    )


def _ports(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1023 < first < last < 65536:
        raise BadInput(field="--rtp", problem=f"{text!r} is not a range of ports", mend="write it as 10000-12000")
    return first, last


def _shift(now: str | None) -> float:
    if now is None:
        return 0.0
    try:
        start = require_aware(datetime.fromisoformat(now))
    except ValueError as error:
        mend = "write it as 2026-12-25T10:00:00-05:00"
        raise BadInput(field="--now", problem=str(error), mend=mend) from error
    return (start - system_clock()).total_seconds()
