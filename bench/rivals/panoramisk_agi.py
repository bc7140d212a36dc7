"""panoramisk's fast_agi: python -m bench.rivals.panoramisk_agi PORT STEPS."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvloop
from panoramisk import fast_agi

from bench.rivals.steps import KEYS, Step, read


async def _menu(request: Any, steps: list[Step]) -> None:
    for step in steps:
        for sound in step.sounds[:-1]:
            answer = await request.send_command(f'STREAM FILE "{sound}" "{KEYS}"')
            if answer["result"][0] not in ("0", "-1"):
                break
        else:
            await request.send_command(f'GET OPTION "{step.sounds[-1]}" "{KEYS}" {step.wait_ms}')
    await request.send_command("SET VARIABLE BENCH_DONE 1")


async def _serve(port: int, steps: list[Step]) -> None:
    async def menu(request: Any) -> None:
        await _menu(request, steps)

    application = fast_agi.Application(loop=asyncio.get_running_loop())
    application.add_route("menu", menu)
    server = await asyncio.start_server(application.handler, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), read(Path(sys.argv[2]))))
