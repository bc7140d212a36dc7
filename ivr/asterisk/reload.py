"""Has a running Asterisk take up what was changed of its configuration: calls go on, and phones stay registered.

By its command line: the manager's accounts may change no configuration.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable
from typing import Protocol

from ivr.errors import OmnivigilError

#: With ten thousand phones a reload takes some seconds, and several times as long on a busy machine.
RELOAD_S = 60.0
#: By file: the command, and what Asterisk answers once it is done.
_COMMANDS = {
    "extensions.conf": ("dialplan reload", "Dialplan reloaded"),
    "pjsip.conf": ("module reload res_pjsip.so", "reloaded successfully"),
    "queues.conf": ("module reload app_queue.so", "reloaded successfully"),
    "musiconhold.conf": ("module reload res_musiconhold.so", "reloaded successfully"),
}
#: Read when Asterisk starts, and by no reload.
_AT_START = frozenset({"asterisk.conf", "modules.conf", "stasis.conf"})
#: As `database show registrar` prints a contact: the account, and what tells it from the account's others.
_CONTACT = re.compile(r"^/registrar/contact/([\w.-]+;@[0-9a-f]+)\s*:", re.MULTILINE)


class Cli(Protocol):
    """Asks Asterisk's command line; "" when it does not answer in time."""

    def __call__(self, command: str, *, timeout_s: float = ...) -> Awaitable[str]: ...


class ReloadFailed(OmnivigilError):
    """Asterisk has not taken the configuration up."""


async def reload(cli: Cli, files: Iterable[str]) -> None:
    """Have Asterisk read these files again, one after the other. Raises ReloadFailed."""
    names = set(files) - _AT_START
    commands = [command for name, command in _COMMANDS.items() if name in names]
    if names - _COMMANDS.keys():
        commands = [("core reload", "")]
    for command, done in commands:
        answer = await cli(command, timeout_s=RELOAD_S)
        if done not in answer:
            raise ReloadFailed(command=command, said=answer.strip()[:200] or "nothing")


async def registered(cli: Cli) -> dict[str, list[str]]:
    """Return what Asterisk keeps of where phones are registered: the keys of its database, by account."""
    found: dict[str, list[str]] = {}
    for key in _CONTACT.findall(await cli("database show registrar", timeout_s=RELOAD_S)):
        found.setdefault(key.partition(";@")[0], []).append(key)
    return found


async def forget(cli: Cli, keys: Iterable[str]) -> None:
    """Forget where a phone was registered that Asterisk does not have any more; `keys` are as `registered` gives them.

    Else the calls of the next phone of that name would ring there, too.
    """
    for key in keys:
        await cli(f'database del registrar/contact "{key}"')
