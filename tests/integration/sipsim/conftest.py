"""A bare Asterisk that the simulator is tested against: no line, only core sounds and a few extensions."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sipsim.audio import RATE
from sipsim.phones import PhoneFarm
from sipsim.recognise import Recogniser
from sipsim.voices import babble
from sipsim.witness import Witness

from ivr.asterisk.runtime import Runtime, RuntimeMissing, find
from ivr.prompts.audio import Pcm, encoded

_REPOSITORY = Path(__file__).parents[3]
_MODULES = [
    "res_timing_timerfd",
    "res_crypto",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_pubsub",
    "res_rtp_asterisk",
    "res_pjsip_sdp_rtp",
    "res_pjsip_authenticator_digest",
    "res_pjsip_outbound_authenticator_digest",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_registrar",
    "res_pjsip_caller_id",
    "res_pjsip_nat",
    "res_pjsip_dtmf_info",
    "res_pjsip_rfc3326",
    "chan_pjsip",
    "codec_ulaw",
    "codec_alaw",
    "codec_a_mu",
    "codec_g722",
    "codec_resample",
    "format_pcm",
    "format_sln",
    "format_wav",
    "bridge_simple",
    "bridge_native_rtp",
    "bridge_builtin_features",
    "res_musiconhold",
    "app_playback",
    "app_read",
    "app_dial",
    "app_echo",
    "app_userevent",
    "func_callerid",
    "func_channel",
    "func_logic",
    "pbx_config",
]


@dataclass(frozen=True, kw_only=True)
class Bare:
    """A running Asterisk without the line."""

    runtime: Runtime
    folder: Path
    server: str
    ami_port: int

    @property
    def sounds(self) -> Path:
        """Sounds of a made-up line, as the line's own build would leave them."""
        return self.folder / "sounds"

    def command(self, words: str) -> str:
        """What Asterisk's command line answers."""
        program = self.runtime.command(
            self.runtime.asterisk, "-C", str(self.folder / "etc/asterisk.conf"), "-rx", words
        )
        return subprocess.run(program, capture_output=True, text=True, timeout=10, check=False).stdout


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port of loopback that nobody had a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    named = os.environ.get("OMNIVIGIL_RUNTIME")
    folders = [Path(named)] if named else [_REPOSITORY / "var/runtime", _REPOSITORY / "var/runtime-dev"]
    try:
        return find(folders)
    except RuntimeMissing as error:
        pytest.fail(f"{error}; ./omnivigil doctor says what is missing")


@pytest.fixture(scope="session")
def asterisk(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    bare = Bare(
        runtime=runtime,
        folder=tmp_path_factory.mktemp("asterisk"),
        server=f"127.0.0.1:{free_port()}",
        ami_port=free_port(socket.SOCK_STREAM),
    )
    _write_configuration(bare)
    _write_sounds(bare.sounds)
    program = runtime.command(runtime.asterisk, "-C", str(bare.folder / "etc/asterisk.conf"), "-f", "-n")
    with (bare.folder / "console").open("wb") as console:
        process = subprocess.Popen(program, stdout=console, stderr=console, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while "fully booted" not in bare.command("core waitfullybooted"):
            assert process.poll() is None, (bare.folder / "console").read_text()
            assert time.monotonic() < deadline, "Asterisk does not start"
        yield bare
    finally:
        bare.command("core stop now")
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def recogniser(asterisk: Bare) -> Recogniser:
    return Recogniser.load(asterisk.sounds)


@pytest.fixture
def farm(asterisk: Bare, recogniser: Recogniser, tmp_path: Path) -> Iterator[PhoneFarm]:
    with PhoneFarm(tmp_path / "farm", server=asterisk.server, recogniser=recogniser) as one:
        yield one


@pytest.fixture
def witness(asterisk: Bare) -> Iterator[Witness]:
    with Witness(asterisk.ami_port, secret="seen") as one:
        yield one


def _write_configuration(bare: Bare) -> None:
    root, voices = bare.folder, bare.runtime.core_sounds
    for name in ("etc", "lib", "spool", "run", "log", "agi", "data"):
        (root / name).mkdir()
    for name in ("documentation", "rest-api"):
        (root / "data" / name).symlink_to(bare.runtime.data / name)
    (root / "data/sounds").mkdir()
    (root / "data/sounds/en").symlink_to(voices / "en_US_f_Allison")
    (root / "data/sounds/fr").symlink_to(voices / "fr_CA_f_June")
    folders = {
        "astetcdir": root / "etc",
        "astmoddir": bare.runtime.modules,
        "astvarlibdir": root / "lib",
        "astdbdir": root / "lib",
        "astkeydir": root / "lib",
        "astdatadir": root / "data",
        "astagidir": root / "agi",
        "astspooldir": root / "spool",
        "astrundir": root / "run",
        "astlogdir": root / "log",
        "astsbindir": bare.runtime.asterisk.parent,
    }
    directories = "\n".join(f"{name} => {path}" for name, path in folders.items())
    first_rtp = 20000 + (os.getpid() % 50) * 200
    files = {
        "asterisk.conf": f"[directories]\n{directories}\n[options]\nnocolor = yes\n",
        "modules.conf": "[modules]\nautoload = no\n" + "".join(f"load = {name}.so\n" for name in _MODULES),
        "logger.conf": "[general]\n[logfiles]\nmessages => notice,warning,error\n",
        "rtp.conf": f"[general]\nrtpstart = {first_rtp}\nrtpend = {first_rtp + 198}\nicesupport = no\nstrictrtp = no\n",
        "musiconhold.conf": f"[default]\nmode = files\ndirectory = {root}/moh\n",
        "manager.conf": f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\nport = {bare.ami_port}\n"
        "[witness]\nsecret = seen\nread = call,user\nwrite = reporting\n",
        "pjsip.conf": _PJSIP.replace("SERVER", bare.server) + "".join(_PHONE.replace("NAME", n) for n in _PHONES),
        "extensions.conf": _EXTENSIONS.replace("SOUNDS", str(bare.sounds)),
    }
    for name, text in files.items():
        (root / "etc" / name).write_text(text)


#: Prompts of a made-up line: id, language, seconds.
PROMPTS = (("menu", "fr", 6.0), ("menu", "en", 5.0), ("goodbye", "fr", 2.0), ("goodbye", "en", 1.5))


def _write_sounds(folder: Path) -> None:
    manifest = {}
    for seed, (prompt, language, seconds) in enumerate(PROMPTS):
        name = f"ov/{language}/{prompt}-{seed:010x}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pcm = Pcm(samples=babble(seed, seconds).astype(np.int16), rate=RATE)
        for extension, content in encoded(pcm).items():
            (folder / f"{name}.{extension}").write_bytes(content)
        manifest[name] = {"desk": "bare", "id": prompt, "language": language, "text": f"{prompt} {language}"}
    (folder / "ov/manifest.json").write_text(json.dumps(manifest))


_PHONES = ("6001", "6002", "7001", "7002")
_PJSIP = """
[global]
type = global
endpoint_identifier_order = username,ip
[udp]
type = transport
protocol = udp
bind = SERVER
[trunk]
type = endpoint
transport = udp
context = bare
disallow = all
allow = ulaw,alaw,g722
direct_media = no
[trunk]
type = identify
endpoint = trunk
match = 127.0.0.1/32
"""
_PHONE = """
[NAME]
type = endpoint
transport = udp
context = bare
disallow = all
allow = ulaw,alaw,g722
auth = NAME
aors = NAME
direct_media = no
rtp_symmetric = yes
callerid = "Phone" <NAME>
[NAME]
type = auth
auth_type = userpass
username = NAME
password = demo-NAME
[NAME]
type = aor
max_contacts = 2
"""
_EXTENSIONS = """
[bare]
exten => 100,1,Answer()
 same => n,Playback(hello-world)
 same => n,Hangup(16)
; Says the key that it hears, and lets a key cut what it says.
exten => 101,1,Answer()
 same => n,Read(KEY,demo-congrats,1,,1,10)
 same => n,Playback(digits/${KEY})
 same => n,Hangup(16)
exten => 102,1,Answer()
 same => n,Echo()
; A menu: a key cuts it; 9 is answered in the other language.
exten => 110,1,Answer()
 same => n,Read(KEY,SOUNDS/ov/fr/menu-0000000000,1,,1,1)
 same => n,Playback(SOUNDS/${IF($["${KEY}" = "9"]?ov/en/goodbye-0000000003:ov/fr/goodbye-0000000002)})
; A phone that was busy has the end still in its buffer.
 same => n,Wait(0.5)
 same => n,Hangup(16)
exten => _7XXX,1,Dial(PJSIP/${EXTEN},20)
 same => n,Hangup(${HANGUPCAUSE})
; Tells the key pressed.
exten => 103,1,Answer()
 same => n,Read(KEY,,1,,1,5)
 same => n,UserEvent(Key,Key: ${KEY})
 same => n,Hangup(16)
exten => 104,1,Hangup(17)
exten => _X.,1,Answer()
 same => n,Wait(10)
"""
