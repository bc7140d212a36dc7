"""Whose audio and keys a call takes: the caller's, wherever NAT puts them, and no stranger's who guessed its port."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import closing

from sipsim.impaired import PhoneCall as BarePhone
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from tests.calls.line import Line, hear, wait_for

NUMBER = "18446664844"
#: Nobody's address: it never says a word of SIP.
STRANGER = "127.0.0.91"


async def speak_in_their_place(port: int, key: int) -> None:
    """Audio, a key and audio again, in one stream, for longer than strict RTP learns where a call comes from (5 s)."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
        stranger.bind((STRANGER, 0))
        for n in range(320):
            if 50 <= n < 60:
                end = 0x80 * (n >= 57)
                head = struct.pack("!BBHII", 0x80, 101, n, 50 * 160, 7)
                body = bytes([key, end | 10]) + (min(n - 49, 8) * 160).to_bytes(2, "big")
            else:
                head, body = struct.pack("!BBHII", 0x80, 0, n, n * 160, 7), b"\xff" * 160
            stranger.sendto(head + body, ("127.0.0.1", port))
            await asyncio.sleep(0.02)


async def test_a_stranger_neither_presses_nor_shuts_out(
    open_line: Line, known_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """The caller is muted and sends nothing at all; a stranger sends to the call's port, and strict RTP learns it."""
    async with RawCall(open_line.server, NUMBER, ani(), muted=True) as call:
        await asyncio.to_thread(wait_for, lambda: call.media.frames, "the line's first word")
        await speak_in_their_place(call.media_port, 9)
        heard = await asyncio.to_thread(lambda: known_prompts.recognise(call.heard()))
        assert {one.language for one in heard if one.prompt_id == "menu"} <= {"fr"}, heard
        await call.press("9")
        await asyncio.to_thread(hear, known_prompts, call.heard, "menu", language="en")


async def test_a_phone_behind_nat_is_heard_and_hears(open_line: Line) -> None:
    """Its SDP names an address of its own network; its SIP and its audio come from another."""
    async with BarePhone(
        open_line.server, "6002", "demo-6002", "611", source="127.0.0.92", behind="127.0.0.93"
    ) as phone:
        await asyncio.to_thread(wait_for, lambda: phone.first_heard is not None, "audio for the phone")
