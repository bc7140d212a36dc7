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
    seconds: Annotated[float, typer.Option(help="How long each back end is measured at that rate.")] = 30.0,
    rounds: Annotated[int, typer.Option(help="Times that every back end has its turn; medians are printed.")] = 3,
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
