"""./omnivigil bench NAME."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Benchmarks; each prints its ceiling beside ours.")


@app.callback()
def benchmarks() -> None:
    """Benchmarks; each prints its ceiling beside ours."""


@app.command()
def menu(
    rate: Annotated[float, typer.Option(help="Calls a second while CPU and latency are measured.")] = 8.0,
    seconds: Annotated[float, typer.Option(help="How long each back end is measured at that rate.")] = 12.0,
    rounds: Annotated[int, typer.Option(help="Times that every back end has its turn; medians are printed.")] = 5,
    ramp: Annotated[bool, typer.Option(help="Also look for the rate at which each back end saturates.")] = True,
    output: Annotated[Path | None, typer.Option(help="Also write the table here, as Markdown.")] = None,
) -> None:
    """The same menu and prompts on four back ends in turn: pure dialplan, ours, panoramisk's fast_agi, pystrix."""
    from bench.menu import run

    console = Console(highlight=False, width=140)
    asyncio.run(run(console, rate=rate, seconds=seconds, rounds=rounds, ramp=ramp, output=output))


@app.command()
def announcement(
    callers: Annotated[int, typer.Option(help="Callers that wait.")] = 300,
    seconds: Annotated[float, typer.Option(help="How long CPU is counted while all wait.")] = 20.0,
    output: Annotated[Path | None, typer.Option(help="Also write the table here, as Markdown.")] = None,
) -> None:
    """How soon all who wait hear a change of state, and its cost: one held stream, file swap, music alone."""
    from bench.announcement import run

    asyncio.run(run(Console(highlight=False, width=140), callers=callers, seconds=seconds, output=output))


@app.command()
def queue(
    live: Annotated[int, typer.Option(help="Callers that wait.")] = 300,
    held: Annotated[int, typer.Option(help="Places held for callbacks.")] = 1000,
    seconds: Annotated[float, typer.Option(help="How long CPU is counted each time.")] = 20.0,
    output: Annotated[Path | None, typer.Option(help="Also write the table here, as Markdown.")] = None,
) -> None:
    """CPU and memory of each waiting caller and each held place, packets missing, and how soon a change is heard."""
    from bench.queue import run

    asyncio.run(run(Console(highlight=False, width=200), live=live, held=held, seconds=seconds, output=output))


@app.command()
def directory(
    numbers: Annotated[int, typer.Option(min=1, max=1_000_000, help="Numbers, ten to an account.")] = 100_000,
    phones: Annotated[int, typer.Option(min=1, max=100_000, help="Phones.")] = 10_000,
) -> None:
    """How long a large directory takes to be read, its memory, and how soon it is known who calls."""
    from bench.directory import run

    asyncio.run(run(Console(highlight=False, width=140), numbers=numbers, phones=phones))


@app.command()
def verdict(
    calls: Annotated[int, typer.Option(min=1, max=9999, help="How many calls; every fault has its turn.")] = 200,
    seconds: Annotated[float, typer.Option(help="How long each call lasts.")] = 20.0,
    together: Annotated[int, typer.Option(help="Calls at the same time.")] = 16,
    output: Annotated[Path | None, typer.Option(help="Also write the matrix here, as Markdown.")] = None,
) -> None:
    """Loss, jitter and delay on one side and direction at a time: on whose side the verdict sees them."""
    from bench.verdict import run

    console = Console(highlight=False, width=140)
    asyncio.run(run(console, calls=calls, seconds=seconds, together=together, output=output))


@app.command()
def evidence(
    calls: Annotated[int, typer.Option(min=1, max=9999, help="Calls a round.")] = 60,
    seconds: Annotated[float, typer.Option(help="How long each call lasts.")] = 30.0,
    together: Annotated[int, typer.Option(help="Calls at the same time.")] = 20,
    rounds: Annotated[int, typer.Option(help="Times that each way has its turn; medians are printed.")] = 3,
    output: Annotated[Path | None, typer.Option(help="Also write the table here, as Markdown.")] = None,
) -> None:
    """What the evidence of every call costs: the same calls with it and without."""
    from bench.evidence import run

    console = Console(highlight=False, width=140)
    asyncio.run(run(console, calls=calls, seconds=seconds, together=together, rounds=rounds, output=output))


@app.command()
def trace(
    rate: Annotated[float, typer.Option(help="Reports a second.")] = 10.0,
    seconds: Annotated[float, typer.Option(help="For how long.")] = 30.0,
    output: Annotated[Path | None, typer.Option(help="Also write the line here.")] = None,
) -> None:
    """How soon *57 answers, under load: the first sound after the answer."""
    from bench.trace import run

    console = Console(highlight=False, width=140)
    asyncio.run(run(console, rate=rate, seconds=seconds, output=output))


@app.command()
def tickets(
    seconds: Annotated[float, typer.Option(help="How long each server is loaded, each round.")] = 4.0,
    rounds: Annotated[int, typer.Option(help="Times that each has its turn; medians are printed.")] = 11,
    running: Annotated[int, typer.Option(help="Tickets with running clocks.")] = 100_000,
    output: Annotated[Path | None, typer.Option(help="Also write the table here, as Markdown.")] = None,
) -> None:
    """Tickets a second through the API beside a bare FastAPI and SQLAlchemy; and finding what is due among many."""
    from bench.tickets import run

    console = Console(highlight=False, width=140)
    asyncio.run(run(console, seconds=seconds, rounds=rounds, running=running, output=output))


@app.command("import")
def importing(
    numbers: Annotated[int, typer.Option(help="Numbers in the lists.")] = 100_000,
    database: Annotated[
        str | None, typer.Option("--database-url", help="An empty PostgreSQL database instead of SQLite.")
    ] = None,
) -> None:
    """How long a large directory takes to import, and how long a call's write waits for it meanwhile."""
    from bench.importing import run
    from ivr.settings import database_url_of

    url = database_url_of(database) if database else None
    asyncio.run(run(Console(highlight=False, width=140), numbers=numbers, database=url))


@app.command("console")
def console_boards(
    boards: Annotated[int, typer.Option(help="Clients that listen.")] = 50,
    rate: Annotated[float, typer.Option(help="Calls a second that come and go.")] = 20.0,
    seconds: Annotated[float, typer.Option(help="How long each is measured.")] = 20.0,
    rounds: Annotated[int, typer.Option(help="Times that each page has its turn; medians are printed.")] = 3,
    output: Annotated[Path | None, typer.Option(help="Also write the tables here, as Markdown.")] = None,
) -> None:
    """Open boards while calls come and go: event to screen, CPU; the status page beside a static file of the server."""
    from bench.console import run

    console = Console(highlight=False, width=160)
    asyncio.run(run(console, boards=boards, rate=rate, seconds=seconds, rounds=rounds, output=output))


@app.command()
def fuzz(
    messages: Annotated[
        int, typer.Option(min=1, help="How many in all, those of the run that is gone on with too.")
    ] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed sends the same messages.")] = 1,
    seconds: Annotated[float, typer.Option(help="End after so many, wherever it is.")] = 3600.0,
    resume: Annotated[Path | None, typer.Option(help="Keep how far it is in this file, and go on from there.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Send what is in this file instead, as a run that failed wrote it.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Keep the line's logs here.")] = None,
) -> None:
    """Hostile SIP, SDP, RTP, RTCP and HEP as strangers, trunks and phones send it; ends with 1 when Asterisk ended."""
    from bench.fuzz import run

    console = Console(highlight=False, width=200)
    found = asyncio.run(
        run(console, messages=messages, seed=seed, seconds=seconds, resume=resume, replay=replay, state=state)
    )
    raise typer.Exit(1 if found.crashes or found.silences else 0)


@app.command()
def faults(
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="For how long new faults begin.")] = 15.0,
    seed: Annotated[
        int, typer.Option(help="Which faults come in which order, and who calls; the same for the same.")
    ] = 1,
    only: Annotated[list[str] | None, typer.Option(help="Only faults of this kind.")] = None,
    database: Annotated[str, typer.Option(help="sqlite or postgresql.")] = "sqlite",
    rate: Annotated[float, typer.Option(min=0.05, max=2, help="Callers a second.")] = 0.3,
) -> None:
    """A loaded line, hurt at random and watched from outside; ends with 1 when something did not hold."""
    from bench.faults import run_campaign
    from bench.faults_report import report
    from ivr.errors import BadInput

    if database not in ("sqlite", "postgresql"):
        raise BadInput(field="--database", problem=f"{database!r} is unknown", mend="give sqlite or postgresql")
    console = Console(highlight=False, width=150)
    outcome = asyncio.run(
        run_campaign(console, minutes=minutes, seed=seed, only=only or [], database=database, rate=rate)
    )
    report(outcome, console)
    raise typer.Exit(1 if outcome.violations else 0)


@app.command()
def soak(
    for_: Annotated[str, typer.Option("--for", metavar="24h", help="For how long.")] = "24h",
    rate: Annotated[float, typer.Option(min=0.1, max=20, help="Calls a second.")] = 2.0,
) -> None:
    """Memory and descriptors by 1,000 calls; ends with 1 when either grows by more than 1 % by 10,000 calls."""
    from bench.soak import report, run_soak
    from ivr.__main__ import seconds_of

    console = Console(highlight=False, width=150)
    found = asyncio.run(run_soak(console, seconds=seconds_of(for_), rate=rate))
    raise typer.Exit(1 if report(found, console) else 0)


@app.command()
def api(
    cases: Annotated[int, typer.Option(min=1, help="So many made-up requests.")] = 100_000,
    seed: Annotated[int, typer.Option(help="The same requests for the same seed.")] = 1,
) -> None:
    """Made-up requests for every operation of the API on a real line; ends with 1 at a 5xx or if the service ended."""
    import tempfile

    from bench.api import report, run_cases

    console = Console(highlight=False, width=140)
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(run_cases(console, Path(folder), cases=cases, seed=seed))
        if not report(outcome, console):
            raise typer.Exit(1)
