"""The process that holds real PJSIP phones. Reads commands as JSON lines, writes replies and events.

Run as `python -m sipsim.farm FOLDER OPTIONS`, by sipsim.phones. It ends when its standard input does, so that
it cannot outlive whoever started it.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pjsua2 as pj

#: Most calls of one process; PJSIP is built for 32.
_MAX_CALLS = 30
#: One round of event handling, in milliseconds: the precision of what a phone does by the clock.
_PUMP_MS = 10
#: A goodbye to all peers may take this long, in seconds.
_FAREWELL_S = 1.5
#: After its input has ended the process is gone within this many seconds, whatever hangs.
_LAST_RESORT_S = 4.0
#: As long as a person presses a key, in milliseconds.
_DIGIT_MS = 100

_PAYLOADS = {"PCMU": "0", "PCMA": "8", "G722": "9"}
_STATES = {
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "ringing",
    pj.PJSIP_INV_STATE_CONNECTING: "connecting",
    pj.PJSIP_INV_STATE_CONFIRMED: "answered",
    pj.PJSIP_INV_STATE_DISCONNECTED: "ended",
}


def only_codec(sdp: str, codec: str) -> str:
    """An SDP that offers, or accepts, one audio codec and telephone events (RFC 4733)."""
    wanted = {_PAYLOADS[codec]} | set(re.findall(r"^a=rtpmap:(\d+) telephone-event/8000\r?$", sdp, re.M))
    lines = []
    for line in sdp.splitlines():
        if found := re.match(r"(m=audio \S+ \S+) (.*)$", line):
            lines.append(" ".join([found[1], *(one for one in found[2].split() if one in wanted)]))
        elif (found := re.match(r"a=(?:rtpmap|fmtp):(\d+) ", line)) is None or found[1] in wanted:
            lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def cause_of(message: str) -> int | None:
    """The Q.850 cause in a SIP message's Reason header (RFC 3326)."""
    found = re.search(r"^Reason:\s*Q\.850\s*;\s*cause=(\d+)", message, re.M | re.I)
    if found:
        return int(found[1])
    return None


def _whole(recording: Path) -> bool:
    """Whether the length is in the header: it is 0 while a recording grows."""
    with recording.open("rb") as handle:
        return handle.read(8)[4:] not in (b"", bytes(4))


class Call(pj.Call):  # type: ignore[misc]  # pjsua2 has no types
    """One call of one phone."""

    def __init__(self, farm: Farm, phone: Phone, number: int, call_id: int | None = None) -> None:
        super().__init__(phone, pj.PJSUA_INVALID_ID if call_id is None else call_id)
        self.farm, self.phone, self.number = farm, phone, number
        self.recording: Path | None = None
        self.recorder: Any = None
        self.player: Any = None
        self.cause: int | None = None
        self.ended_by_us = False
        self.gone = False

    def note(self, kind: str, **facts: Any) -> None:
        self.farm.note(kind, self.phone.name, self.number, **facts)

    def onCallState(self, prm: Any) -> None:  # noqa: N802 - PJSUA2's names
        info = self.getInfo()
        state = _STATES.get(info.state)
        if state == "ended":
            self._remember_cause(prm.e)
            by = "us" if self.ended_by_us else "them"
            self.note("ended", status=info.lastStatusCode, reason=info.lastReason, cause=self.cause, by=by)
            self.gone = True
        elif state is not None:
            self.note(state, status=info.lastStatusCode, reason=info.lastReason)

    def onCallTsxState(self, prm: Any) -> None:  # noqa: N802
        self._remember_cause(prm.e)

    def _remember_cause(self, event: Any) -> None:
        if event.type == pj.PJSIP_EVENT_TSX_STATE:
            transaction = event.body.tsxState
            if transaction.type == pj.PJSIP_EVENT_RX_MSG:
                self.cause = cause_of(transaction.src.rdata.wholeMsg) or self.cause
        elif event.type == pj.PJSIP_EVENT_RX_MSG:
            self.cause = cause_of(event.body.rxMsg.rdata.wholeMsg) or self.cause

    def onCallSdpCreated(self, prm: Any) -> None:  # noqa: N802
        prm.sdp.wholeSdp = only_codec(prm.sdp.wholeSdp, self.phone.codec)

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        # The info is kept in a variable: its media list is freed with it.
        info = self.getInfo()
        for index in range(len(info.media)):
            media = info.media[index]
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            held = media.status in (pj.PJSUA_CALL_MEDIA_LOCAL_HOLD, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE or held:
                stream = self.getStreamInfo(index)
                self.note("media", codec=stream.codecName, rate=stream.codecClockRate, held=held)
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                self._connect(self.getAudioMedia(index))

    def _connect(self, audio: Any) -> None:
        if self.recorder is None:
            self.recording = self.farm.folder / f"{self.phone.name}-{self.number}.wav"
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(str(self.recording))
            self.note("recording", path=str(self.recording))
        audio.startTransmit(self.recorder)
        if self.player is not None:
            self.player.startTransmit(audio)

    def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802
        self.note("transfer", status=prm.statusCode, final=prm.finalNotify)

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        self.note("digit", digit=prm.digit)

    def play(self, path: str, loop: bool) -> None:
        """Let the other side hear a WAV file, now or as soon as there is media."""
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(path, 0 if loop else pj.PJMEDIA_FILE_NO_LOOP)
        if self.hasMedia():
            with contextlib.suppress(pj.Error):
                self.player.startTransmit(self.getAudioMedia(-1))
        self.note("playing", path=path)

    def end(self, status: int = 0) -> None:
        """Hang up, cancel or refuse."""
        self.ended_by_us = True
        param = pj.CallOpParam()
        if status:
            param.statusCode = status
        self.hangup(param)


class Phone(pj.Account):  # type: ignore[misc]
    """One SIP account."""

    def __init__(self, farm: Farm, name: str, codec: str, answering: dict[str, Any]) -> None:
        super().__init__()
        self.farm, self.name, self.codec, self.answering = farm, name, codec, answering
        self.registered = False

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        self.registered = prm.code == 200 and prm.expiration > 0
        self.farm.note("registration", self.name, None, status=prm.code, reason=prm.reason, seconds=prm.expiration)

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        call = self.farm.adopt(self, prm.callId)
        info = call.getInfo()
        call.note("incoming", remote=info.remoteUri)
        how = self.answering["how"]
        if how in ("busy", "decline"):
            call.end(486 if how == "busy" else 603)
            return
        self._answer(call, 180)
        if how == "answer":
            self.farm.later(self.answering["after_s"], lambda: self.pick_up(call))

    def pick_up(self, call: Call) -> None:
        """Answer, unless the caller gave up."""
        if call.gone or not call.isActive():
            return
        if self.answering["play"]:
            call.play(self.answering["play"], self.answering["loop"])
        self._answer(call, 200)

    @staticmethod
    def _answer(call: Call, status: int) -> None:
        param = pj.CallOpParam()
        param.statusCode = status
        call.answer(param)


class Farm:
    """All phones of this process, and the loop that serves them."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.folder, self.options = folder, options
        self.phones: dict[str, Phone] = {}
        self.calls: dict[int, Call] = {}
        self._numbers = 0
        self._closing: list[tuple[float, Call]] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._commands: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._endpoint = pj.Endpoint()
        # PJSIP writes to standard output until it has read its configuration.
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    # Telling -----------------------------------------------------------------------------------------

    def note(self, kind: str, phone: str, call: int | None, **facts: Any) -> None:
        self._write({"event": kind, "phone": phone, "call": call, "at": time.monotonic(), "facts": facts})

    def _write(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._out.write(json.dumps(message) + "\n")
            self._out.flush()

    # Living ------------------------------------------------------------------------------------------

    def run(self) -> None:
        self._start()
        self._write({"ready": self._endpoint.libVersion().full})
        threading.Thread(target=self._read, daemon=True).start()
        while self._serve():
            self._pump()
        self._farewell()

    def _start(self) -> None:
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = _MAX_CALLS
        config.uaConfig.userAgent = "sipsim"
        config.logConfig.filename = str(self.folder / "farm.log")
        config.logConfig.level = 4
        config.logConfig.consoleLevel = 0
        media = config.medConfig
        # The telephone band is what is recognised; a wider bridge would only cost more.
        media.clockRate = media.sndClockRate = 8000
        media.ecTailLen = 0
        # Most phones send audio all the time; one that suppresses silence is asked for.
        media.noVad = not self.options["suppress_silence"]
        media.txDropPct = self.options["tx_drop_pct"]
        media.rxDropPct = self.options["rx_drop_pct"]
        self._endpoint.libCreate()
        self._endpoint.libInit(config)
        self._endpoint.audDevManager().setNullDev()
        transport = pj.TransportConfig()
        transport.boundAddress = "127.0.0.1"
        transport.port = self.options["port"]
        self._endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self._endpoint.libStart()
        for codec in self._endpoint.codecEnum2():
            known = codec.codecId.split("/")[0] in _PAYLOADS
            self._endpoint.codecSetPriority(codec.codecId, 128 if known else 0)

    def _read(self) -> None:
        for line in sys.stdin:
            self._commands.put(json.loads(line))
        self._commands.put(None)
        time.sleep(_LAST_RESORT_S)
        os._exit(1)

    def _pump(self) -> None:
        self._endpoint.libHandleEvents(_PUMP_MS)
        while self._timers and self._timers[0][0] <= time.monotonic():
            with contextlib.suppress(pj.Error):
                heapq.heappop(self._timers)[2]()
        for call in [call for call in self.calls.values() if call.gone]:
            del self.calls[call.number]
            call.recorder = call.player = None
            self._closing.append((time.monotonic() + _FAREWELL_S, call))
        self._closing = [(limit, call) for limit, call in self._closing if not self._closed(limit, call)]

    @staticmethod
    def _closed(limit: float, call: Call) -> bool:
        """Whether the recording is whole: PJSIP's mixer writes the header some ticks after its recorder is dropped."""
        whole = call.recording is None or _whole(call.recording)
        if whole or time.monotonic() > limit:
            call.note("closed")
            return True
        return False

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._numbers, action))

    def _farewell(self) -> None:
        deadline = time.monotonic() + _FAREWELL_S
        self._endpoint.hangupAllCalls()
        for phone in self.phones.values():
            if phone.registered:
                with contextlib.suppress(pj.Error):
                    phone.setRegistration(False)
        while self._busy() and time.monotonic() < deadline:
            self._pump()
        # PJSIP's objects and Python's collector disagree on who goes first; all files are closed by now.
        os._exit(0)

    def _busy(self) -> bool:
        return bool(self.calls or self._closing or any(phone.registered for phone in self.phones.values()))

    # Obeying -----------------------------------------------------------------------------------------

    def _serve(self) -> bool:
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return True
            if command is None:
                return False
            try:
                reply: dict[str, Any] = {"ok": getattr(self, "do_" + command["do"])(**command["with"])}
            except pj.Error as error:
                reply = {"error": error.info()}
            except (KeyError, ValueError, TypeError) as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            self._write({"id": command["id"], **reply})

    def adopt(self, phone: Phone, call_id: int | None = None) -> Call:
        self._numbers += 1
        call = self.calls[self._numbers] = Call(self, phone, self._numbers, call_id)
        return call

    def do_phone(self, *, name: str, password: str | None, codec: str, answering: dict[str, Any]) -> None:
        phone = Phone(self, name, codec, answering)
        config = pj.AccountConfig()
        config.idUri = f"sip:{name}@{self.options['server']}"
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        config.natConfig.contactRewriteUse = config.natConfig.viaRewriteUse = 0
        config.natConfig.sdpNatRewriteUse = 0
        config.natConfig.udpKaIntervalSec = 0
        config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
        config.mediaConfig.transportConfig.port = 0
        config.regConfig.registerOnAdd = False
        config.regConfig.retryIntervalSec = 0
        if password is not None:
            config.regConfig.registrarUri = f"sip:{self.options['server']}"
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", name, 0, password))
        phone.create(config)
        self.phones[name] = phone

    def do_register(self, *, name: str, renew: bool) -> None:
        self.phones[name].setRegistration(renew)

    def do_answering(self, *, name: str, answering: dict[str, Any]) -> None:
        self.phones[name].answering = answering

    def do_dial(self, *, name: str, uri: str, caller: str | None, headers: dict[str, str]) -> int:
        call = self.adopt(self.phones[name])
        param = pj.CallOpParam(True)
        param.opt.audioCount, param.opt.videoCount = 1, 0
        if caller is not None:
            param.txOption.localUri = caller
        for header_name, value in headers.items():
            header = pj.SipHeader()
            header.hName, header.hValue = header_name, value
            param.txOption.headers.append(header)
        try:
            call.makeCall(uri, param)
        except pj.Error:
            del self.calls[call.number]
            raise
        return call.number

    def do_pick_up(self, *, call: int) -> None:
        self.calls[call].phone.pick_up(self.calls[call])

    def do_press(self, *, call: int, digits: str) -> float:
        param = pj.CallSendDtmfParam()
        param.method = pj.PJSUA_DTMF_METHOD_RFC2833
        param.digits = digits
        param.duration = _DIGIT_MS
        self.calls[call].sendDtmf(param)
        self.calls[call].note("pressed", digits=digits)
        return time.monotonic()

    def do_play(self, *, call: int, path: str, loop: bool) -> None:
        self.calls[call].play(path, loop)

    def do_hold(self, *, call: int, hold: bool) -> None:
        param = pj.CallOpParam(True)
        if hold:
            self.calls[call].setHold(param)
            return
        param.opt.flag = pj.PJSUA_CALL_UNHOLD
        self.calls[call].reinvite(param)

    def do_transfer(self, *, call: int, uri: str) -> None:
        self.calls[call].xfer(uri, pj.CallOpParam(True))

    def do_connect(self, *, call: int, other: int) -> None:
        self.calls[call].xferReplaces(self.calls[other], pj.CallOpParam(True))

    def do_hangup(self, *, call: int, status: int) -> None:
        if call in self.calls and not self.calls[call].gone:
            self.calls[call].end(status)

    def do_stats(self, *, call: int) -> dict[str, int]:
        stat = self.calls[call].getStreamStat(0)
        received, sent = stat.rtcp.rxStat, stat.rtcp.txStat
        return {"received": received.pkt, "lost": received.loss, "sent": sent.pkt}


if __name__ == "__main__":
    Farm(Path(sys.argv[1]), json.loads(sys.argv[2])).run()
