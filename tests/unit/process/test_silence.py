"""When an Asterisk that does not answer is killed."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from ivr import backoff
from ivr.asterisk import options_ping
from ivr.asterisk.options_ping import Answer
from ivr.asterisk.silence import DEAF_S, FROZEN_S, Silence
from ivr.settings import Address


def after(answer: Answer, looks: int, took_s: float = 1.0) -> Silence:
    """So many looks that had this answer."""
    silence = Silence()
    for _ in range(looks):
        silence.looked(answer, took_s)
    return silence


def test_frozen_is_who_answers_neither_sip_nor_the_manager() -> None:
    """Found within 10 s: FROZEN_S of silence, a look before it and the second opinion."""
    assert FROZEN_S + 1.0 + 1.0 + 1.0 < 10
    assert after(Answer.NO, 5).verdict(manager_answers=False) is None
    assert after(Answer.NO, 6).verdict(manager_answers=False) == "frozen: neither SIP nor the manager answers"


def test_a_storm_of_packets_that_drowns_ours_ends_no_calls() -> None:
    """The manager answers: it is only killed after much longer."""
    assert after(Answer.NO, 10).verdict(manager_answers=True) is None
    assert after(Answer.NO, int(DEAF_S)).verdict(manager_answers=True) == "SIP is not answered"


def test_a_lost_port_needs_no_long_proof() -> None:
    """The kernel itself says that nobody listens."""
    assert after(Answer.NOBODY, 6).verdict(manager_answers=True) == "nobody listens on the SIP address"


def test_one_answer_ends_the_silence() -> None:
    silence = after(Answer.NO, 5)
    silence.looked(Answer.YES, 1.0)
    silence.looked(Answer.NO, 1.0)
    assert not silence.doubtful


def test_a_machine_that_was_stopped_proves_nothing() -> None:
    """An hour of sleep is one look."""
    assert after(Answer.NO, 3, took_s=3600.0).verdict(manager_answers=False) is None


def test_tries_come_at_once_then_rarer_and_never_end() -> None:
    waits = [backoff.wait_s(failures) for failures in range(9)]
    assert waits == [0, 0, 1, 2, 4, 8, 15, 30, 30]


async def test_any_response_is_an_answer() -> None:
    """A refusal too; what is another's is none."""
    loop = asyncio.get_running_loop()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.setblocking(False)
        server.bind(("127.0.0.1", 0))
        address = Address(host="127.0.0.1", port=server.getsockname()[1])

        async def refuse(others: bytes = b"") -> bytes:
            request, back = await loop.sock_recvfrom(server, 4096)
            reply = others or request.partition(b"\r\n")[2]
            await loop.sock_sendto(server, b"SIP/2.0 401 Unauthorized\r\n" + reply, back)
            return request

        request, answer = await asyncio.gather(refuse(), options_ping.ask(address, 5))
        assert answer is Answer.YES
        assert request.startswith(f"OPTIONS sip:{address} SIP/2.0\r\n".encode())
        _, answer = await asyncio.gather(refuse(b"Call-ID: other\r\n\r\n"), options_ping.ask(address, 0.2))
        assert answer is Answer.NO
    assert await options_ping.ask(address, 5) is Answer.NOBODY


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_a_line_that_listens_everywhere_is_asked_on_loopback(host: str) -> None:
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        server.settimeout(5)
        asking = asyncio.create_task(options_ping.ask(Address(host=host, port=server.getsockname()[1]), 0.5))
        request = await asyncio.to_thread(server.recv, 4096)
        assert request.startswith(b"OPTIONS sip:")
        await asking
