"""What a campaign of faults tells at its end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.faults import Fault, Outcome
from bench.faults_line import percentile


def report(outcome: Outcome, console: Console) -> None:
    """Print what was found."""
    table = Table("fault", "n", "healthy p50", "p99", "max", "calls again p50", "p99", "max", "first sound max")
    by_kind: defaultdict[str, list[Fault]] = defaultdict(list)
    for fault in outcome.faults:
        by_kind[fault.kind.name].append(fault)
    for name, faults in by_kind.items():
        table.add_row(*_row(name, faults))
    table.add_section()
    table.add_row(*_row("all", outcome.faults))
    console.print(table)
    for name, why in outcome.skipped.items():
        console.print(f"not done: {name}: {why}", markup=False)
    console.print(", ".join(f"{count} {name}" for name, count in outcome.counts.items()))
    wishes = Counter(one.plan.wish for one in outcome.visits)
    console.print("callers who wanted to: " + ", ".join(f"{wish} {count}" for wish, count in sorted(wishes.items())))
    console.print(f"{len(outcome.faults)} faults, {len(outcome.violations)} violations")
    for one in outcome.violations:
        console.print(f"  {one}", style="red", markup=False)


def _row(name: str, faults: Sequence[Fault]) -> list[str]:
    healthy, calls = _figures([one.healthy_s for one in faults]), _figures([one.calls_s for one in faults])
    return [name, str(len(faults)), *healthy, *calls, _figures([one.sound_s for one in faults])[-1]]


def _figures(values: Sequence[float | None]) -> list[str]:
    """p50, p99 and the largest, in seconds."""
    known = [value for value in values if value is not None]
    if not known:
        return ["-"] * 3
    return [f"{value:.1f}" for value in (percentile(known, 0.5), percentile(known, 0.99), max(known))]
