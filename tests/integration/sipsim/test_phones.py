"""Phones against a bare Asterisk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import wave
from pathlib import Path

import pytest
from sipsim.errors import FarmFailed, PhoneTimeout, RegistrationFailed
from sipsim.phones import PhoneFarm
from sipsim.recognise import Recogniser
from sipsim.records import Answering, Caller, Codec
from sipsim.voices import person
from sipsim.witness import Witness

from tests.integration.sipsim.conftest import Bare


def test_a_registered_phone_dials_presses_hears_and_is_hung_up_on(farm: PhoneFarm) -> None:
    call = farm.phone("6001", password="demo-6001").register().dial("101")
    call.wait_answered()
    call.press("7")
    ending = call.wait_ended()
    assert (ending.status, ending.by, ending.cause) == (200, "them", 16)
    with wave.open(str(call.recording)) as recording:
        assert recording.getframerate() == 8000
        assert recording.getnframes() > 4000


def test_a_wrong_password_is_refused_with_the_registrars_words(farm: PhoneFarm) -> None:
    with pytest.raises(RegistrationFailed, match=r"6001 at .* 401"):
        farm.phone("6001", password="wrong").register()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722"])
def test_prompts_are_recognised_in_each_codec_and_a_key_cuts_them(farm: PhoneFarm, codec: Codec) -> None:
    call = farm.phone("trunk", codec=codec).dial("110")
    pressed = call.press_when_heard("menu", "9", language="fr", after_s=2.0)
    goodbye = call.wait_heard("goodbye", language="en")
    ending = call.wait_ended()
    assert ending.cause == 16
    assert call.codec == codec
    key = next(one for one in call.events if one.kind == "pressed")
    assert call.offset(key) == pytest.approx(pressed.start_s + 2.0, abs=0.1)
    menu, cut_by = call.heard()
    assert (menu.prompt_id, menu.language, menu.complete) == ("menu", "fr", False)
    # Asterisk stops a prompt at the end of the key; PJSIP's jitter buffer adds a little.
    assert menu.end_s == pytest.approx(call.offset(key), abs=0.5)
    assert (cut_by.prompt_id, cut_by.language, cut_by.complete) == ("goodbye", "en", True)
    assert cut_by.start_s == pytest.approx(goodbye.start_s, abs=0.06)


def test_without_a_key_the_menu_is_heard_to_its_end(farm: PhoneFarm) -> None:
    call = farm.phone("trunk").dial("110")
    call.wait_ended()
    assert [(one.prompt_id, one.language, one.complete) for one in call.heard()] == [
        ("menu", "fr", True),
        ("goodbye", "fr", True),
    ]


def test_what_is_never_said_is_never_heard(farm: PhoneFarm) -> None:
    call = farm.phone("trunk").dial("110")
    with pytest.raises(PhoneTimeout, match=r"menu was not heard: the call ended; heard menu \(fr\)"):
        call.wait_heard("menu", language="en")


def test_technician_and_caller_hear_each_other(
    farm: PhoneFarm, asterisk: Bare, recogniser: Recogniser, tmp_path: Path
) -> None:
    caller_voice, caller_wav = person("caller", tmp_path, seed=11)
    technician_voice, technician_wav = person("technician", tmp_path, seed=12)
    ears = recogniser.knowing(caller_voice, technician_voice)
    how = Answering(after_s=0.5, play=technician_wav)
    with PhoneFarm(tmp_path / "other", server=asterisk.server) as other:
        technician = other.phone("7001", password="demo-7001", answering=how).register()
        call = farm.phone("6001", password="demo-6001").register().dial("7001")
        call.wait_answered()
        call.play(caller_wav, loop=True)
        answered = technician.wait_ringing()
        answered.wait_answered()
        time.sleep(7)
        assert call.stats()["received"] > 100
        ending = call.hang_up()
        theirs = answered.wait_ended()
    assert (ending.by, theirs.by) == ("us", "them")
    assert ending.talked_s == pytest.approx(theirs.talked_s, abs=0.3)
    assert {one.prompt_id for one in ears.recognise(call.recording)} == {"technician"}
    assert {one.prompt_id for one in ears.recognise(answered.recording)} == {"caller"}


@pytest.mark.parametrize(
    ("how", "status"), [(Answering(how="busy"), 486), (Answering(how="decline"), 603), (Answering(how="ring"), 0)]
)
def test_a_technician_may_be_busy_decline_or_let_it_ring(farm: PhoneFarm, how: Answering, status: int) -> None:
    technician = farm.phone("7002", password="demo-7002", answering=how).register()
    call = farm.phone("6002", password="demo-6002").register().dial("7002")
    rung = technician.wait_ringing()
    if status:
        assert rung.wait_ended().status == status
        assert call.wait_ended().status >= 400
        return
    time.sleep(1)
    assert not call.ended
    assert call.hang_up().by == "us"
    assert rung.wait_ended().by == "them"


def test_digits_cross_a_call(farm: PhoneFarm) -> None:
    """RFC 4733."""
    technician = farm.phone("7001", password="demo-7001").register()
    call = farm.phone("trunk").dial("7001")
    call.wait_answered()
    answered = technician.wait_ringing()
    answered.wait_answered()
    call.press("12*#")
    farm.wait(lambda: answered.digits == "12*#" or None, 5, "the digits")


@pytest.mark.parametrize(
    ("caller", "number", "name"),
    [
        (Caller(number="4185550101"), "4185550101", "<unknown>"),
        (Caller(number="4185550101", name='L’été "chez" <b>'), "4185550101", 'L’été "chez" <b>'),
        (Caller.anonymous(), "anonymous", "Anonymous"),
        (Caller.absent(), "<unknown>", "<unknown>"),
        (Caller(number="9" * 40), "9" * 40, "<unknown>"),
        (Caller(number="${SHELL(x)}\r\né"), "${SHELL(x)}\r\né", "<unknown>"),
    ],
    ids=["plain", "quotes", "anonymous", "absent", "long", "hostile"],
)
def test_a_trunk_call_says_any_caller(
    farm: PhoneFarm, witness: Witness, caller: Caller, number: str, name: str
) -> None:
    call = farm.phone("trunk").dial("102", caller=caller)
    call.wait_answered()
    channel = witness.wait_until(lambda: next(iter(witness.channels()), None), "a channel")
    call.hang_up()
    witness.wait_until(lambda: None if witness.channels() else True, "the end of the channel")
    assert channel["CallerIDNum"] == number.split("\r")[0]
    # Asterisk keeps the backslashes that a quoted display name is sent with.
    assert channel["CallerIDName"].replace("\\", "") == name


def test_loss_is_seen_by_whoever_receives(asterisk: Bare, tmp_path: Path) -> None:
    with PhoneFarm(tmp_path / "lossy", server=asterisk.server, rx_drop_pct=20) as lossy:
        call = lossy.phone("trunk").dial("102")
        call.wait_answered()
        time.sleep(3)
        stats = call.stats()
    share = stats["lost"] / (stats["lost"] + stats["received"])
    assert 0.08 < share < 0.35


def test_a_phone_that_suppresses_silence_sends_next_to_nothing(asterisk: Bare, tmp_path: Path) -> None:
    with PhoneFarm(tmp_path / "mute", server=asterisk.server, suppress_silence=True) as mute:
        call = mute.phone("trunk").dial("105")
        call.wait_answered()
        # It takes a while to make out that there is nothing but silence.
        time.sleep(2)
        before = call.stats()["sent"]
        time.sleep(2)
        assert call.stats()["sent"] - before < 10


def test_hold_and_resume(farm: PhoneFarm) -> None:
    call = farm.phone("trunk").dial("102")
    call.wait_answered()
    call.hold()
    farm.wait(lambda: [one for one in call.events if one.kind == "media"][-1].facts["held"] or None, 5, "the hold")
    call.resume()
    farm.wait(lambda: not [one for one in call.events if one.kind == "media"][-1].facts["held"] or None, 5, "the end")
    assert call.hang_up().by == "us"


def test_a_call_the_line_refuses_says_why(farm: PhoneFarm) -> None:
    call = farm.phone("trunk").dial("104")
    with pytest.raises(PhoneTimeout, match="not answered: 486"):
        call.wait_answered()
    assert call.wait_ended().cause == 17


def test_a_wrong_command_says_what_is_wrong(farm: PhoneFarm) -> None:
    with pytest.raises(FarmFailed, match="dial"):
        farm.phone("trunk").dial("sip:>not a uri<")


def test_phones_are_gone_with_whoever_started_them(asterisk: Bare, tmp_path: Path) -> None:
    """A killed parent says no goodbye: its end of the pipe closes, and that must do."""
    script = """
        import sys, time
        from pathlib import Path
        from sipsim.phones import PhoneFarm
        farm = PhoneFarm(Path(sys.argv[1]), server=sys.argv[2])
        farm.phone("6001", password="demo-6001").register().dial("102").wait_answered()
        print(farm.pid, flush=True)
        time.sleep(60)
    """
    packages = Path(__file__).parents[3] / "sip-sim"
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), asterisk.server],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(packages)},
    ) as parent:
        assert parent.stdout is not None
        phones = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 8
    while _alive(phones):
        assert time.monotonic() < deadline, "the phones outlive their parent"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
