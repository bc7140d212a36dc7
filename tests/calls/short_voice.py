"""A voice that is quick: every text that is always the same is one second of made-up speech, different for each.

A line is told of it by `--recordings`. Callers wait through no sentences then, and the ear tells prompts apart as it
does with the real voice, by their content. That the real voice is heard is proved on the lines that keep it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from filelock import FileLock
from sipsim.audio import RATE, Samples
from sipsim.voices import babble, write_wav

from ivr.desk.hours import calendars_of
from ivr.desk.load import BUILT_IN, load_desks
from ivr.prompts.catalog import Catalog, Utterance

#: Long enough for the ear to know it by its first half, and for a key to be pressed in it.
SECONDS = 1.2
_KEPT = Path(__file__).parents[2] / "var" / "short-voice"


def recordings() -> Path:
    """The folder of recordings for the built-in desks, made once for all test processes and runs."""
    said = utterances()
    texts = "\0".join(f"{one.desk}.{one.id}.{one.language}.{one.text}" for one in said)
    folder = _KEPT / hashlib.sha256(f"2\0{SECONDS}\0{texts}".encode()).hexdigest()[:10]
    _KEPT.mkdir(parents=True, exist_ok=True)
    with FileLock(_KEPT / "lock"):
        if not (folder / "whole").exists():
            for one in said:
                path = folder / one.language / f"{one.desk}.{one.id}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                seed = int.from_bytes(hashlib.sha256(f"{one.id}.{one.language}.{one.text}".encode()).digest()[:4])
                write_wav(path, _speech(seed))
            (folder / "whole").touch()
    return folder


def _speech(seed: int) -> Samples:
    # Without its pauses: of a second that is half silence the ear has too little.
    talk: Samples = babble(seed, 3 * SECONDS, pitch=100.0 + 7 * (seed % 13))
    return np.asarray(talk[talk != 0][: int(SECONDS * RATE)])


def utterances() -> list[Utterance]:
    """What a recording can say: texts without variables."""
    desks = load_desks(BUILT_IN)
    calendars = {desk.id: calendars_of(desk, BUILT_IN) for desk in desks.values()}
    everything, _ = Catalog(desks).everything(calendars, datetime(2026, 11, 25, 15, tzinfo=UTC))
    return sorted((one for one in everything if not one.varies), key=lambda one: (one.desk, one.id, one.language))


def option() -> tuple[str, str]:
    """For a line that shall speak so."""
    return "--recordings", str(recordings())
