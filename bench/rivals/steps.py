"""The menu that every back end plays: one list of steps, each the sounds to play and the wait for a key."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

KEYS = "0123456789*#"


@dataclass(frozen=True, kw_only=True)
class Step:
    """Sounds by absolute name without extension; all can be cut short; then `wait_ms` for a key."""

    sounds: tuple[str, ...]
    wait_ms: int


def write(path: Path, steps: list[Step]) -> None:
    """Hand the steps to a rival's process."""
    path.write_text(json.dumps([asdict(step) for step in steps]))


def read(path: Path) -> list[Step]:
    """The steps that `write` wrote."""
    return [Step(sounds=tuple(one["sounds"]), wait_ms=one["wait_ms"]) for one in json.loads(path.read_text())]
