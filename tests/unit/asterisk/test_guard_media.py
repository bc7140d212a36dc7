"""Who is heard on a socket of media: whom audio is sent to, and who does SIP with the line. Nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ivr.asterisk import guard

#: Runs as Asterisk does, with the guard before the system's library. The line is 127.0.0.1, the caller's SDP names
#: 127.0.0.2, the stranger is 127.0.0.9; `heard` is who got through, in order.
_BEGINNING = r"""
import ctypes, select, socket, struct

def bound(host, kind=socket.SOCK_DGRAM):
    one = socket.socket(socket.AF_INET, kind)
    one.bind((host, 0))
    return one

line, sip, caller, stranger = bound("127.0.0.1"), bound("127.0.0.1"), bound("127.0.0.2"), bound("127.0.0.9")
line.setblocking(False)
RTP = struct.pack("!BBHII", 0x80, 0, 1, 160, 7) + b"\xff" * 160

def heard(*senders):
    found = []
    for sender in senders:
        sender.sendto(RTP, line.getsockname())
        assert select.select([line], [], [], 10)[0]
        try:
            found.append(line.recvfrom(2000)[1][0])
        except BlockingIOError:
            found.append(None)
    return found

def say(text, to=stranger):
    sip.sendto(text.encode(), to.getsockname())

def message(first, method):
    lines = [first, "Via: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bK1", "Call-ID: a", f"CSeq: 2 {method}", "", ""]
    return "\r\n".join(lines)

clock = ctypes.c_long.in_dll(ctypes.CDLL("BESIDE"), "now_s")
at_first = heard(stranger, caller)
line.sendto(RTP, caller.getsockname())
"""


def run(tmp_path: Path, script: str, *, anywhere: bool = False) -> None:
    """Run a script after `_BEGINNING`; it asserts."""
    library = guard.build(tmp_path, rtp_from_anywhere=anywhere)
    assert library is not None
    # What the guard finds in PJSIP is not in Python; and its clock is the test's.
    beside = tmp_path / "beside.c"
    clock = "long now_s = 1000;\nlong time(long *at) { return now_s; }\n"
    beside.write_text(f"void *pjsip_msg_find_hdr_by_name(void) {{ return 0; }}\n{clock}")
    words = [guard._compilers()[0], "-shared", "-fPIC", "-nostdlib", "-o", str(tmp_path / "beside.so"), str(beside)]
    subprocess.run(words, check=True, timeout=60)
    environment = {**os.environ, "LD_PRELOAD": f"{library}:{tmp_path / 'beside.so'}"}
    words = [sys.executable, "-c", _BEGINNING.replace("BESIDE", str(tmp_path / "beside.so")) + script]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_who_is_sent_to_is_heard_and_no_stranger(tmp_path: Path) -> None:
    """Before anything is sent nobody is heard whose SIP is not known: strict RTP would learn whoever came first."""
    run(tmp_path, 'assert at_first == [None, None]\nassert heard(stranger, caller) == [None, "127.0.0.2"]')


def test_while_nothing_is_sent_strict_rtp_decides(tmp_path: Path) -> None:
    """A gateway that no SIP names is heard when a message is recorded, or when the other side is muted."""
    run(
        tmp_path,
        "clock.value += 4\nassert heard(stranger) == [None]\nclock.value += 1\nassert heard(stranger) == ['127.0.0.9']",
    )


def test_a_call_that_is_not_new_may_hear_a_gateway_first(tmp_path: Path) -> None:
    """As the ringing of a carrier whose audio comes from another host than its SIP."""
    script = "line = bound('127.0.0.1')\nline.setblocking(False)\nassert heard(stranger) == [None]\n"
    run(tmp_path, f"{script}clock.value += 2\nassert heard(stranger) == ['127.0.0.9']")


def test_audio_that_is_sent_elsewhere_opens_for_there(tmp_path: Path) -> None:
    """As after a new offer of the other side."""
    script = "line.sendto(RTP, stranger.getsockname())\nassert heard(stranger, caller) == ['127.0.0.9', None]"
    run(tmp_path, script)


@pytest.mark.parametrize(
    ("first", "method", "known"),
    [
        ("SIP/2.0 200 OK", "INVITE", True),
        ("SIP/2.0 183 Session Progress", "INVITE", True),
        ("SIP/2.0 200 OK", "REGISTER", True),
        ("INVITE sip:6001@127.0.0.9 SIP/2.0", "INVITE", True),
        ("OPTIONS sip:6001@127.0.0.9 SIP/2.0", "OPTIONS", True),
        ("SIP/2.0 401 Unauthorized", "INVITE", False),
        ("SIP/2.0 401 Unauthorized", "REGISTER", False),
        ("SIP/2.0 100 Trying", "INVITE", False),
        ("SIP/2.0 200 OK", "OPTIONS", False),
        ("SIP/2.0 503 Service Unavailable", "INVITE", False),
    ],
)
def test_hosts_that_do_sip_with_the_line_are_heard(tmp_path: Path, first: str, method: str, known: bool) -> None:
    """A phone behind NAT, whose SDP names an address of its own network; what anybody gets as an answer is no SIP."""
    run(
        tmp_path, f"say(message({first!r}, {method!r}))\nassert heard(stranger) == [{'127.0.0.9' if known else None!r}]"
    )


def test_sip_over_tcp_makes_known_as_well(tmp_path: Path) -> None:
    script = """
listening = bound("127.0.0.1", socket.SOCK_STREAM)
listening.listen()
phone = bound("127.0.0.9", socket.SOCK_STREAM)
phone.connect(listening.getsockname())
connection, _ = listening.accept()
assert heard(stranger) == [None]
connection.send(message("SIP/2.0 200 OK", "REGISTER").encode())
assert heard(stranger) == ["127.0.0.9"]
"""
    run(tmp_path, script)


def test_it_can_be_left_to_asterisk(tmp_path: Path) -> None:
    """For a carrier whose audio comes from where no SIP does."""
    run(tmp_path, "assert heard(stranger) == ['127.0.0.9']", anywhere=True)


def test_many_hosts_are_known_at_once(tmp_path: Path) -> None:
    """Each is heard, however many came before it; and those that are asked again."""
    script = """
for n in range(2000):
    sip.sendto(message("SIP/2.0 200 OK", "REGISTER").encode(), (f"127.1.{n // 250}.{n % 250 + 1}", 9))
say(message("SIP/2.0 200 OK", "REGISTER"))
assert heard(stranger) == ["127.0.0.9"]
"""
    run(tmp_path, script)
