"""A real Asterisk with the least configuration, in a folder of its own, for proving what its interfaces do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ivr.asterisk import runtime
from ivr.asterisk.runtime import Runtime, RuntimeMissing

_REPOSITORY = Path(__file__).parents[3]

_MODULES = (
    *("res_timing_timerfd", "bridge_simple", "bridge_builtin_features", "res_musiconhold", "res_speech", "res_agi"),
    *("pbx_config", "pbx_spool", "app_stack", "app_exec", "app_playback", "app_record", "app_queue", "app_senddtmf"),
    *("app_dial", "func_callerid", "func_channel", "func_global", "func_logic", "func_strings", "func_uri"),
    *("codec_ulaw", "format_pcm", "format_wav"),
)

#: `agi` runs a FastAGI conversation with the port that is its extension. The others are the caller's side: what
#: its extension says is first how many milliseconds to wait, in four digits, and then which keys to press.
_EXTENSIONS = """
[general]
clearglobalvars = yes
[agi]
exten => _X.,1,Answer()
 same => n,ExecIf($["${CALLER}" != ""]?Set(CALLERID(name)=${URIDECODE(${CALLER})}))
 same => n,Set(SEVERAL=${URIDECODE(first%0Asecond)})
 same => n,Set(SECRET=expanded)
 same => n,AGI(agi://127.0.0.1:${EXTEN}/line,one,"two words")
 same => n,Set(GLOBAL(after)=${AGISTATUS}/${DECIDED})
 same => n,Wait(60)
exten => h,1,Set(GLOBAL(hung-up)=${AGISTATUS}/${DECIDED})
[presses]
exten => _X.,1,Wait($[${EXTEN:0:4} / 1000])
 same => n,SendDTMF(${EXTEN:4},50,80)
 same => n,Wait(60)
[leaves]
exten => _X.,1,Wait($[${EXTEN:0:4} / 1000])
 same => n,Hangup()
[waits]
exten => _X.,1,Answer()
 same => n,ExecIf($["${CALLER}" != ""]?Set(CALLERID(name)=${URIDECODE(${CALLER})}))
 same => n,Queue(${EXTEN:1},,,,60)
[technicians]
exten => _X!,1,Answer()
 same => n,Wait(${TALK})
[stays]
exten => _X.,1,Wait(60)
"""

_QUEUES = """
[general]
persistentmembers = no
[support]
strategy = ringall
timeout = 15
retry = 1
[sales]
strategy = ringall
"""

#: The same rights as the service's account in production, plus `call` to end calls, and the same filter.
_MANAGER = """
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {ami}
webenabled = no
[service]
secret = {secret}
read = call,agent,dialplan,system
write = agent,originate,reporting,call
eventfilter(action(include),name(FullyBooted)) =
eventfilter(action(include),name(QueueCallerJoin)) =
eventfilter(action(include),name(QueueCallerLeave)) =
eventfilter(action(include),name(AgentCalled)) =
eventfilter(action(include),name(AgentConnect)) =
eventfilter(action(include),name(AgentComplete)) =
eventfilter(action(include),name(QueueMemberAdded)) =
eventfilter(action(include),name(QueueMemberRemoved)) =
eventfilter(action(include),name(QueueMemberPause)) =
[looker]
secret = {secret}
read = system
write = none
"""


def find_runtime() -> Runtime:
    """The machine's Asterisk or an unpacked one. Raises RuntimeError that says what to do."""
    named = os.environ.get("OMNIVIGIL_RUNTIME")
    folders = [Path(named)] if named else [_REPOSITORY / "var/runtime", _REPOSITORY / "var/runtime-dev"]
    try:
        return runtime.find(folders)
    except RuntimeMissing as error:
        raise RuntimeError("these tests need Asterisk: run ./omnivigil doctor, it says how to get it") from error


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def silences(folder: Path) -> None:
    """Put the sounds `short` and `long` there: half a second and five seconds of µ-law silence."""
    for name, seconds in (("short", 0.5), ("long", 5.0)):
        (folder / f"{name}.ulaw").write_bytes(b"\xff" * int(8000 * seconds))


class RealAsterisk:
    """One Asterisk; `start` and `stop` may be called again and again."""

    secret = "a-long-secret"

    def __init__(self, folder: Path) -> None:
        self.runtime = find_runtime()
        self.folder = folder
        self.ami_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._calls = 0
        self._write_configuration()

    def _write_configuration(self) -> None:
        etc = self.folder / "etc"
        for name in ("etc", "run", "log", "lib", "keys", "data", "agi", "spool/outgoing", "spool/tmp", "sounds"):
            (self.folder / name).mkdir(parents=True)
        for name in ("documentation", "rest-api"):
            (self.folder / "data" / name).symlink_to(self.runtime.data / name)
        (self.folder / "data" / "sounds").symlink_to(self.folder / "sounds")
        directories = {
            "astetcdir": "etc",
            "astvarlibdir": "lib",
            "astdbdir": "lib",
            "astkeydir": "keys",
            "astdatadir": "data",
            "astagidir": "agi",
            "astspooldir": "spool",
            "astrundir": "run",
            "astlogdir": "log",
        }
        lines = [f"{name} => {self.folder / sub}" for name, sub in directories.items()]
        lines.append(f"astmoddir => {self.runtime.modules}")
        (etc / "asterisk.conf").write_text("[directories]\n" + "\n".join(lines) + "\n[options]\nnocolor = yes\n")
        modules = "".join(f"load = {name}.so\n" for name in _MODULES)
        (etc / "modules.conf").write_text(f"[modules]\nautoload = no\n{modules}")
        (etc / "logger.conf").write_text("[logfiles]\nmessages => notice,warning,error\n")
        (etc / "extensions.conf").write_text(_EXTENSIONS)
        (etc / "queues.conf").write_text(_QUEUES)
        (etc / "musiconhold.conf").write_text(f"[default]\nmode = files\ndirectory = {self.folder / 'sounds'}\n")
        (etc / "manager.conf").write_text(_MANAGER.format(ami=self.ami_port, secret=self.secret))
        for name in ("indications", "features", "cdr", "cel", "ccss", "stasis", "udptl", "acl", "queuerules"):
            (etc / f"{name}.conf").write_text("[general]\n")
        silences(self.folder / "sounds")

    def sound(self, name: str) -> str:
        """A sound file as AGI wants it: `short` (0.5 s) or `long` (5 s)."""
        return str(self.folder / "sounds" / name)

    def start(self) -> None:
        """Start and wait until calls are taken. Raises RuntimeError with the end of the log."""
        etc = self.folder / "etc" / "asterisk.conf"
        command = self.runtime.command(self.runtime.asterisk, "-C", str(etc), "-f", "-n")
        with (self.folder / "log" / "console").open("ab") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            if "fully booted" in self.cli("core waitfullybooted"):
                return
            time.sleep(0.1)
        log = (self.folder / "log" / "messages").read_text(errors="replace")
        self.kill()
        raise RuntimeError(f"Asterisk did not start: {log[-2000:]}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def cli(self, command: str) -> str:
        """What Asterisk's command line answers."""
        etc = self.folder / "etc" / "asterisk.conf"
        words = self.runtime.command(self.runtime.asterisk, "-C", str(etc), "-rx", command)
        return subprocess.run(words, capture_output=True, timeout=20, check=False).stdout.decode(errors="replace")

    def call(self, near: str, far: str, variables: Mapping[str, str] | None = None, seconds: int = 20) -> None:
        """Place a call between two extensions (`EXTENSION@CONTEXT`); `variables` are seen on both sides."""
        self._calls += 1
        extension, _, context = far.partition("@")
        lines = [
            f"Channel: Local/{near}/n",
            "Codecs: ulaw",
            "MaxRetries: 0",
            f"WaitTime: {seconds}",
            f"Context: {context}",
            f"Extension: {extension}",
            "Priority: 1",
            *(f"Setvar: __{name}={value}" for name, value in (variables or {}).items()),
        ]
        name = f"call-{self._calls}"
        written = self.folder / "spool" / "tmp" / name
        written.write_text("\n".join(lines) + "\n")
        written.rename(self.folder / "spool" / "outgoing" / name)

    def global_variable(self, name: str) -> str | None:
        """A global variable of the dialplan."""
        for line in self.cli("dialplan show globals").splitlines():
            found, equals, value = line.strip().partition("=")
            if equals and found == name:
                return value
        return None
