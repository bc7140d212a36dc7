"""Where an Asterisk's files are, and the sounds that its fallback plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ivr.asterisk.runtime import Runtime
from ivr.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where one Asterisk keeps its things, below the state folder."""

    etc: Path
    home: Path
    run: Path
    log: Path
    messages: Path
    #: Call traces that were reported while the service was away.
    traces: Path
    #: Callbacks whose customer and technician were put through (`ivr.callbacks.bridged_markers`).
    put_through: Path
    #: Notes of the calls that began (`ivr.calls.unfinished`).
    begun: Path
    #: Calls that are recorded, where the desk file wants that.
    recordings: Path
    sounds: Path

    @classmethod
    def below(cls, settings: Settings) -> Folders:
        home = settings.state / "asterisk"
        return cls(
            etc=home / "etc",
            home=home,
            run=settings.state / "run",
            log=settings.state / "log" / "asterisk",
            messages=settings.spool / "messages",
            traces=settings.spool / "reported",
            put_through=settings.spool / "put-through",
            begun=settings.spool / "begun",
            recordings=settings.spool / "recordings",
            sounds=settings.sounds,
        )

    def make(self, runtime: Runtime) -> None:
        """Create the folders, and the data folder whose links lead to the runtime's documentation and voices."""
        spool = (self.messages, self.traces, self.put_through, self.begun, self.recordings)
        folders = (self.etc, self.run, self.log, *spool, self.sounds)
        below_home = ("lib/keys", "data", "agi", "spool/outgoing", "spool/tmp")
        for folder in (*folders, *(self.home / name for name in below_home), self.log / "cdr-custom"):
            folder.mkdir(parents=True, exist_ok=True)
        voices = {"fr": "fr_CA_f_June", "en": "en_US_f_Allison"}
        for name in ("documentation", "rest-api"):
            link_to(self.home / "data" / name, runtime.data / name)
        link_to(self.home / "data" / "sounds", self.sounds)
        for language, voice in voices.items():
            link_to(self.sounds / language, runtime.core_sounds / voice)


def link_to(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


@dataclass(frozen=True, kw_only=True)
class FixedPrompts:
    """Sound files (absolute, without extension) that the dialplan plays by itself."""

    not_in_service: str
    technician_login: str
    #: By language, what a queue announces without the service.
    waiting: Mapping[str, str]
    not_allowed: str
    #: By name and language: what phones hear from the dialplan alone, of *57, recording, a page call and *22.
    tracing: Mapping[tuple[str, str], str]
    no_way_out: str
    #: (desk id, `queue` | `message` | `received`, language) -> sound file.
    fallback: Mapping[tuple[str, str, str], str]
