"""The process of the service: signals, heartbeat, parts, and the end. The line itself is `ivr.line`."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from functools import partial

import structlog

from agi_scripts.conversations import converse
from api.app import create_app
from api.deps import services_of
from api.server import ApiServer, server_of
from ivr import desk_reload
from ivr.asterisk.fastagi import FastAgiServer
from ivr.line import Line
from ivr.process.parts import PartEnded
from ivr.process.service_process import beat
from ivr.settings import Settings

log = structlog.get_logger()

#: Conversations in progress may go on this long, in seconds, after the service is told to stop.
_DRAIN_S = 4.0
#: What was begun beside them, and the parts, have so long to end, in seconds.
_END_S = 2.0
#: Clients that listen to events are told of the end within this, in seconds.
_LAST_WORD_S = 0.1
#: Objects made and not freed that are worth a look for cycles; a call makes some hundreds and few cycles.
_GC_ALLOCATIONS = 50_000


async def serve(settings: Settings, heartbeat_fd: int) -> None:
    """Run until SIGTERM or until the supervisor is gone. Raises PartEnded when a vital part ended."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    beating = asyncio.create_task(beat(heartbeat_fd, stop), name="heartbeat")
    try:
        async with Line.open(settings) as line:
            await _serve(line, stop)
    finally:
        beating.cancel()


async def _serve(line: Line, stop: asyncio.Event) -> None:
    api = server_of(create_app(services_of(line)), line.settings.http, os.environ)
    serving = asyncio.create_task(api.serve(), name="api")
    if not await _connected(line, stop, serving):
        api.end()
        await asyncio.wait({serving}, timeout=_END_S)
        return
    await line.take_up()
    agi = FastAgiServer(
        line.settings.agi.host,
        line.settings.agi.port,
        partial(converse, line=line),
        step=line.counters.step,
        secret=line.secrets["agi"],
    )
    await agi.start()
    told = await desk_reload.listen(line.settings.state, line.desk_files)
    line.conversing = True
    _settle()
    log.info("calls are taken", sip=str(line.settings.sip), http=str(line.settings.http))
    try:
        await _run(line, stop, serving)
    finally:
        # New callers go to the dialplan's own way; those in conversation may finish theirs.
        line.conversing = False
        await agi.stop(_DRAIN_S)
        await line.aside.finish(_END_S)
        line.parts.end()
        if told is not None:
            told.close()
        await _close(line, api)
    log.info("service stopped")


async def _connected(line: Line, stop: asyncio.Event, serving: asyncio.Task[None]) -> bool:
    """Wait for Asterisk with the API there; tell whether it came before the end. Raises what ended the API."""
    waiting = asyncio.create_task(line.connect(stop), name="connecting")
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    if waiting.done():
        return waiting.result()
    waiting.cancel()
    serving.result()
    return False


async def _run(line: Line, stop: asyncio.Event, serving: asyncio.Task[None]) -> None:
    """Run the parts until we are told to stop.

    When another vital one ends, raises PartEnded, and the supervisor starts us again: what is half dead must not go on
    taking calls.
    """
    line.parts.vital("stop signal", stop.wait)
    for part in line.background():
        (line.parts.vital if part.vital else line.parts.add)(part.name, part.run)
    line.parts.vital("api", partial(_joined, serving))
    if (ended := await line.parts.run()) != "stop signal":
        raise PartEnded(f"{ended} ended")


async def _joined(task: asyncio.Task[None]) -> None:
    await task


async def _close(line: Line, api: ApiServer) -> None:
    line.bus.close()
    api.end()
    await asyncio.sleep(_LAST_WORD_S)
    await line.parts.stop(_END_S)
    await line.close()


def _settle() -> None:
    """Move what was made at the start out of the garbage collector's generations, so that its passes stay cheap."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS, 20, 50)
