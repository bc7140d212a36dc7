"""What strangers send neither stops Asterisk nor tells them anything; a phone that has a password does no more harm."""

from __future__ import annotations

import asyncio
import configparser
import itertools
import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from bench.fuzz import Sender
from bench.fuzz_line import STRANGER, TRUNK, Client, alive, say_by_tcp, settings_on, start
from bench.fuzz_messages import CALL, FROM_TAG, PROOF, TO_TAG, Kind, Message, block
from ivr.asterisk import guard
from ivr.asterisk.process import AsteriskProcess
from ivr.evidence.collector import Collector
from ivr.evidence.legs import of_text
from ivr.evidence.packet_buffer import Ring
from tests.calls.line import REPOSITORY, free_ports, wait_for

_count = itertools.count()

METHODS = ("REGISTER", "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "INFO", "REFER", "PUBLISH", "UPDATE")
#: Next hops as no proxy of a carrier writes them, and as they do.
ODD_HOPS = (
    "<x:y>",
    "<tel:+14185550100>",
    '"<sip:a>" <http://a.example>',
    "<sip:192.0.2.1;lr>, <x:y>",
    "<x:y>, <sip:192.0.2.1;lr>",
    "x:y",
    f"<x:{'y' * 5000}>",
    f'"{"z" * 9000}" <urn:a:b>;p={"q" * 500}',
)
HOPS = ("<sip:192.0.2.1;lr>", "<SIPS:192.0.2.1;lr>, <sip:192.0.2.2:5080;lr>")


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A bare Asterisk with the line's configuration, and who speaks to it."""

    asterisk: AsteriskProcess
    stranger: Client
    trunk: Client
    sender: Sender
    ring: Ring

    @property
    def server(self) -> tuple[str, int]:
        return self.stranger.server

    def well(self) -> bool:
        """It is there, and answers."""
        return alive(self.asterisk) and self.stranger.options(token()) is not None


def token() -> str:
    """For one dialog."""
    return f"hostile{next(_count)}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    sip, http, agi, ami, hep = free_ports(5)
    first = 20000 + (sip * 7) % 400 * 100
    settings = settings_on(
        tmp_path_factory.mktemp("hostile"), ports=(sip, http, agi, ami), rtp=(first, first + 98), hep=hep
    )
    ring = Ring(most_bytes=2_000_000)
    collector = Collector(ring)
    collector.start(settings.hep_collector)
    with asyncio.Runner() as runner:
        asterisk = runner.run(start(settings, Console(quiet=True)))
        clients = [Client(server=(TRUNK, sip), host=host) for host in (STRANGER, TRUNK)]
        sender = Sender(asterisk, collector)
        try:
            yield Hostile(asterisk=asterisk, stranger=clients[0], trunk=clients[1], sender=sender, ring=ring)
        finally:
            for client in clients:
                client.close()
            sender.close()
            collector.close()
            runner.run(asterisk.stop())


def status(answer: str) -> str:
    """As in `401`; "" for no answer."""
    return answer[8:11]


def test_the_guard_is_at_work(hostile: Hostile) -> None:
    """Built on this machine, and loaded."""
    assert guard.look_at(hostile.asterisk.pid)


async def test_where_nothing_builds_the_guard_asterisk_does_without_what_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No phone behind NAT is served then, and nobody stops it either."""
    monkeypatch.setattr(guard, "_compilers", list)
    sip, http, agi, ami, hep = free_ports(5)
    first = 20000 + (sip * 7) % 400 * 100
    settings = settings_on(tmp_path, ports=(sip, http, agi, ami), rtp=(first, first + 98), hep=hep)
    asterisk = await start(settings, Console(quiet=True))
    stranger = Client(server=(TRUNK, sip), host=STRANGER)
    try:
        assert not guard.look_at(asterisk.pid)
        for hop, method in itertools.product(ODD_HOPS, ("INVITE", "OPTIONS")):
            message = stranger.request(method, "6001", token(), f"Record-Route: {hop}")
            assert status(await asyncio.to_thread(stranger.ask, message)) == "401", (hop, method)
        assert alive(asterisk)
    finally:
        stranger.close()
        await asterisk.stop()


def test_an_odd_next_hop_is_as_if_it_were_not_there(hostile: Hostile) -> None:
    """Whoever says it, by whatever method and transport, is answered as without it, and no call is lost."""
    for hop, name, method in itertools.product(ODD_HOPS, ("6001", "7001", "6999", "trunk"), ("INVITE", "OPTIONS")):
        message = hostile.stranger.request(method, name, token(), f"Record-Route: {hop}")
        answer = hostile.stranger.ask(message)
        assert status(answer) == "401", (hop, name, method)
        assert alive(hostile.asterisk), (hop, name, method)
    for method, hop in itertools.product(METHODS, ODD_HOPS[:1] + ODD_HOPS[-1:]):
        message = hostile.stranger.request(method, "6001", token(), f"Record-Route: {hop}")
        assert status(hostile.stranger.ask(message)) == "401", (hop, method)
        message = hostile.stranger.request(method, "6001", token(), f"rEcord-route  :\r\n {hop}", transport="TCP")
        assert status(say_by_tcp(hostile.server, message)) == "401", (hop, method)
    for hop in ODD_HOPS:
        # Who has a password, and who is the trunk.
        uri = f"sip:611@{TRUNK}:{hostile.server[1]}"
        proof = hostile.stranger.authorization("6001", "OPTIONS", uri, token())
        message = hostile.stranger.request("OPTIONS", "6001", token(), proof, f"Record-Route: {hop}")
        assert status(hostile.stranger.ask(message)) == "200", hop
        message = hostile.trunk.request("OPTIONS", "4185550101", token(), f"Record-Route: {hop}", to="18446664844")
        assert status(hostile.trunk.ask(message)) == "200", hop
    assert hostile.well()


@pytest.mark.parametrize("hop", HOPS)
def test_a_carriers_proxies_stay_on_the_way(hostile: Hostile, hop: str) -> None:
    """What a proxy of the trunk wrote is in the answer, as RFC 3261 (section 12.1.1) wants it."""
    message = hostile.trunk.request("INVITE", "4185550101", token(), f"Record-Route: {hop}", to="18446664844")
    assert "192.0.2.1;lr" in hostile.trunk.ask(message)


def test_what_a_phone_with_a_password_says_in_a_call_stops_nothing(hostile: Hostile) -> None:
    """Requests in a call that is up, and answers to a call that rings it."""
    said: list[Message] = []
    for hop in ODD_HOPS:
        for method in ("INVITE", "UPDATE", "INFO", "ACK", "NOTIFY", "BYE"):
            lines = [
                f"{method} sip:611@{TRUNK} SIP/2.0".encode(),
                f"Via: SIP/2.0/UDP {STRANGER};branch=z9hG4bK{token()};rport".encode(),
                f"Record-Route: {hop}".encode(),
                b"From: <sip:6001@127.0.0.1>;tag=" + FROM_TAG,
                b"To: <sip:611@127.0.0.1>;tag=" + TO_TAG,
                b"Call-ID: " + CALL,
                f"CSeq: {len(said) + 10} {method}".encode(),
                b"Contact: <sip:6001@127.0.0.1>",
                b"Content-Length: 0",
            ]
            if method != "BYE" or hop == ODD_HOPS[-1]:
                said.append(Message(kind=Kind.IN_DIALOG, data=b"\r\n".join([*lines, b"", b""])))
        for status_line in (b"SIP/2.0 180 Ringing", b"SIP/2.0 183 Progress", b"SIP/2.0 200 OK"):
            lines = [
                status_line,
                f"Record-Route: {hop}".encode(),
                b"Contact: <sip:6002@127.0.0.1>",
                b"Content-Length: 0",
            ]
            said.append(Message(kind=Kind.ANSWER, data=b"\r\n".join([*lines, b"", b""])))
        lines = [
            f"OPTIONS sip:611@{TRUNK} SIP/2.0".encode(),
            f"Via: SIP/2.0/UDP {STRANGER};branch=z9hG4bK{token()};rport".encode(),
            f"Record-Route: {hop}".encode(),
            b"From: <sip:6001@127.0.0.1>;tag=a",
            b"To: <sip:611@127.0.0.1>",
            f"Call-ID: {token()}".encode(),
            b"CSeq: 1 OPTIONS",
            b"Authorization: " + PROOF,
            b"Content-Length: 0",
        ]
        data = b"\r\n".join([*lines, b"", b""])
        said.append(Message(kind=Kind.SIP_PROVEN, data=data, name="6001", method="OPTIONS", uri=f"sip:611@{TRUNK}"))
    hostile.sender.send(said)
    assert hostile.sender.in_call, "the call that these messages are about did not come about"
    assert hostile.sender.rung, "the phone was not rung"
    assert hostile.well()


@pytest.mark.parametrize("seed", [1, 2])
def test_thousands_of_hostile_messages_stop_nothing(hostile: Hostile, seed: int) -> None:
    """A little of `./omnivigil bench fuzz`: SIP, SDP, RTP, RTCP and HEP, by strangers, trunks and phones."""
    for number in range(2):
        hostile.sender.send(block(seed, number, 1000, STRANGER, hostile.stranger.port))
    assert hostile.well()


def test_strangers_calls_erase_no_evidence_of_a_call(hostile: Hostile) -> None:
    """Four times as many bytes of them as all evidence may take: what began the call, and its answer, stay."""
    strangers = [
        Message(kind=Kind.SIP_UDP, data=hostile.stranger.request("INVITE", "6001", token(), f"Subject: {'x' * 900}"))
        for _ in range(2000)
    ]
    before = hostile.ring.evicted
    hostile.sender.send(strangers)
    # Whatever the channel was called: by the Call-ID is what came before there was one.
    leg = of_text(
        linkedid="1700000000.1",
        uniqueid="1700000000.1",
        name="6001",
        call_id=hostile.sender.call_id,
        answered=True,
        codec=None,
        remote=None,
        their_number=None,
        rtcp="",
    )
    assert leg is not None
    kept = [one.payload.split()[0] for one in hostile.ring.packets(leg)]
    assert b"INVITE" in kept
    assert hostile.ring.evicted == before


def test_a_phone_on_tcp_is_rung_on_its_connection(hostile: Hostile) -> None:
    """It has no other way to be reached."""
    with socket.socket() as link:
        link.bind((STRANGER, 0))
        link.settimeout(10)
        link.connect(hostile.server)
        uri = f"sip:7002@{TRUNK}:{hostile.server[1]}"
        proof = hostile.stranger.authorization("7002", "REGISTER", uri, token())
        message = hostile.stranger.request("REGISTER", "7002", token(), proof, to="7002", transport="TCP")
        here = f"<sip:7002@{STRANGER}:{link.getsockname()[1]};transport=tcp>"
        link.sendall(re.sub(rb"Contact: [^\r]*", f"Contact: {here}".encode(), message))
        came = b""
        # Asterisk may ask whether the phone is there before it answers.
        while b"SIP/2.0 200" not in came:
            came += link.recv(65535)
        call = hostile.stranger.authorization("6001", "INVITE", uri, token())
        body = b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
        hostile.stranger.send(hostile.stranger.request("INVITE", "6001", token(), call, to="7002", body=body))
        while b"INVITE sip:7002@" not in came:
            came += link.recv(65535)


def _without_what_is_new_each_time(answer: str) -> str:
    return re.sub(r'(nonce="|opaque="|tag=|branch=|Call-ID: |CSeq: \d+ |rport=|<sip:)[^";>\s]*', r"\1", answer)


def test_a_name_that_exists_is_challenged_as_one_that_does_not(hostile: Hostile) -> None:
    """Nobody learns which phones there are."""
    for method in METHODS:
        answers = {
            name: _without_what_is_new_each_time(hostile.stranger.ask(hostile.stranger.request(method, name, token())))
            for name in ("6001", "6002", "7001", "6998", "6999", "admin", "trunk", "outbound", "phone")
        }
        assert answers["6001"].startswith("SIP/2.0 401"), method
        assert len(set(answers.values())) == 1, (method, answers)


def test_the_audio_of_a_silent_caller_goes_to_nobody_else(hostile: Hostile) -> None:
    """Somebody sends audio to the call's port before the caller from the trunk, who is muted, ever does."""
    with (
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as caller,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger,
    ):
        caller.bind((TRUNK, 0))
        stranger.bind((STRANGER, 0))
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {TRUNK}\r\ns=-\r\nc=IN IP4 {TRUNK}\r\nt=0 0\r\n"
            f"m=audio {caller.getsockname()[1]} RTP/AVP 0\r\n"
        ).encode()
        call = token()
        answer = hostile.trunk.ask(hostile.trunk.request("INVITE", "4185550101", call, to="18446664844", body=sdp))
        port, tag = re.search(r"^m=audio (\d+)", answer, re.M), re.search(r"^To:.*(;tag=\S+)", answer, re.M)
        assert port is not None and tag is not None, answer  # noqa: PT018 - both or neither
        number, mine = "18446664844", str(tag[1])
        hostile.trunk.send(hostile.trunk.request("ACK", "4185550101", call, to=number, tag=mine))
        for sequence in range(50):
            head = struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, 7)
            stranger.sendto(head + b"\xff" * 160, (TRUNK, int(port[1])))
            time.sleep(0.02)
        for one in (caller, stranger):
            one.setblocking(False)
        heard = wait_for(lambda: _datagrams(caller), "audio for the caller")
        hostile.trunk.ask(hostile.trunk.request("BYE", "4185550101", call, to=number, tag=mine, sequence=2))
        assert heard > 0
        assert _datagrams(stranger) == 0


def _datagrams(one: socket.socket) -> int:
    """How many there are to read."""
    count = 0
    with suppress(BlockingIOError):
        while one.recv(2000):
            count += 1
    return count


def _banned(lines: list[str]) -> set[str]:
    """The addresses that fail2ban's filter finds: `<HOST>` is a group of its own, and the date is taken away first."""
    told = configparser.ConfigParser()
    told.read(REPOSITORY / "deploy" / "fail2ban" / "filter.d" / "omnivigil-sip.conf")
    pattern = re.compile(told["Definition"]["failregex"].replace("<HOST>", r"(?P<host>[0-9a-fA-F.:]+)"))
    found = (pattern.match(re.sub(r"^\[[-\d]{10} [\d:.]{12}\]", "", line)) for line in lines)
    return {one["host"] for one in found if one is not None}


def test_who_guesses_is_found_by_fail2ban_and_nobody_else(hostile: Hostile, tmp_path: Path) -> None:
    """Wrong passwords and made-up names; neither the right password, nor another's address written into a name."""
    log = Path(hostile.asterisk.settings.state) / "log" / "asterisk" / "security"
    began = log.stat().st_size
    uri = f"sip:6001@{TRUNK}:{hostile.server[1]}"
    wrong = hostile.stranger.authorization("6001", "REGISTER", uri, token()).replace('response="', 'response="f')
    assert (
        status(hostile.stranger.ask(hostile.stranger.request("REGISTER", "6001", token(), wrong, to="6001"))) == "401"
    )
    for name in ("6998", "admin"):
        hostile.stranger.ask(hostile.stranger.request("REGISTER", name, token(), to=name))
    with closing(Client(server=hostile.server, host="127.0.0.4")) as honest:
        right = honest.authorization("6002", "REGISTER", uri.replace("6001", "6002"), token())
        assert status(honest.ask(honest.request("REGISTER", "6002", token(), right, to="6002"))) == "200"
    forged = 'SecurityEvent="InvalidAccountID",Severity="Error",RemoteAddress="IPV4/UDP/127.0.0.9/5060"'
    tail = 'LocalAddress="IPV4/UDP/127.0.0.1/5060",RemoteAddress="IPV4/UDP/127.0.0.9/5060"'
    for name, call in (
        ("x%22%0a", f'a",{forged}'),
        ("x%0d%0a[2026-11-28 10:00:00.000]", "a"),
        ("6999", f'a",{tail}'),
        ("6999", f'a",{tail}{"é" * 5000}'),
        (f"x%22,{tail.replace(chr(34), '%22')}", token()),
    ):
        message = hostile.stranger.request("OPTIONS", name, token()).replace(
            b"\r\nCall-ID: ", b"\r\nCall-ID: " + call.encode()
        )
        hostile.stranger.send(message)
    assert hostile.well()

    def new() -> str | None:
        text = log.read_bytes()[began:].decode(errors="replace")
        return text if STRANGER in text else None

    told = wait_for(new, "the log")
    assert "127.0.0.9" in told, "nothing forged came into the log, so that nothing was tried"
    assert _banned(told.splitlines()) == {STRANGER}
    if (program := shutil.which("fail2ban-regex")) is not None:
        (tmp_path / "security").write_text(told)
        folder = REPOSITORY / "deploy" / "fail2ban" / "filter.d" / "omnivigil-sip.conf"
        said = subprocess.run(
            [program, "-o", "ip", str(tmp_path / "security"), str(folder)], capture_output=True, text=True, check=True
        )
        assert set(said.stdout.split()) == {STRANGER}


def test_the_packet_filter_is_one() -> None:
    """As nft itself reads it, where it is on this machine and may look."""
    program = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
    if program is None:
        pytest.skip("no nft on this machine")
    file = REPOSITORY / "deploy" / "nftables" / "omnivigil.nft"
    done = subprocess.run([program, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("nft may not look here")
    assert done.returncode == 0, done.stderr
