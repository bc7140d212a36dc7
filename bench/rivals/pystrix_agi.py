"""pystrix's FastAGI server, one thread a call: python -m bench.rivals.pystrix_agi PORT STEPS."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import pystrix

from bench.rivals.steps import KEYS, Step, read


def _menu(agi: Any, steps: list[Step]) -> None:
    core = pystrix.agi.core
    for step in steps:
        for sound in step.sounds[:-1]:
            if agi.execute(core.StreamFile(sound, escape_digits=KEYS)) is not None:
                break
        else:
            agi.execute(core.GetOption(step.sounds[-1], escape_digits=KEYS, timeout=step.wait_ms))
    agi.execute(core.SetVariable("BENCH_DONE", "1"))


def _serve(port: int, steps: list[Step]) -> None:
    def menu(agi: Any, args: Any, kwargs: Any, match: Any, path: str) -> None:
        # A caller who hangs up inside a command comes as any of its errors.
        with contextlib.suppress(pystrix.agi.AGIException):
            _menu(agi, steps)

    server = pystrix.agi.FastAGIServer(interface="127.0.0.1", port=port, daemon_threads=True)
    server.register_script_handler(None, menu)
    server.serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), read(Path(sys.argv[2])))
