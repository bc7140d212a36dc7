"""The makes of phones that can be set up: the files that they ask for, and what is in them. Pure.

A make is a template under `templates/`; a value never ends a line or an element of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from ivr import wording
from ivr.settings import Address

#: How long a registration lasts, in seconds.
EXPIRES_S: Final = 300

Make = Literal["yealink", "polycom", "grandstream", "cisco", "linphone"]
#: What is asked for, by make: a file by the device's MAC address, in lower case.
FILES: Final[Mapping[Make, str]] = {
    "yealink": "{mac}.cfg",
    "polycom": "polycom-{mac}.cfg",
    "grandstream": "cfg{mac}.xml",
    "cisco": "{mac}.xml",
    "linphone": "linphone.xml",
}
#: What a phone is given as its provisioning server, by make: Cisco puts its own MAC address for $MA; the makes that are
#: not here look for their file in the folder.
ADDRESSES: Final[Mapping[Make, str]] = {"cisco": "$MA.xml", "linphone": "linphone.xml"}

#: What is written on the keys for support and for reporting a call, by language.
_LABELS: Final = wording.texts("provisioning.keys")
_MAC = re.compile(r"[0-9a-f]{12}")
_NAMES: Final = {
    make: re.compile(re.escape(name).replace(r"\{mac\}", f"(?P<mac>{_MAC.pattern})")) for make, name in FILES.items()
}
#: What ends a line to one device or another.
_LINES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

#: Addresses that listen on every network: phones are told the name under which the console is reached.
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only compared


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A file that is asked for. `index` is Polycom's list of files, which holds nothing that is secret."""

    make: Make
    #: Of the device, as the file's name has it.
    mac: str | None
    index: bool = False


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a device is to register with, and show."""

    name: str
    secret: str
    display: str
    #: A name, or an address without brackets.
    host: str
    port: int
    #: udp or tcp
    transport: str
    language: str
    #: The best first.
    codecs: tuple[str, ...]
    #: What is dialled for support, and to report a call that went badly.
    support: str = "611"
    trace: str = "*57"

    @property
    def server(self) -> str:
        """As in a SIP address, without the port."""
        if ":" in self.host:
            return f"[{self.host}]"
        return self.host


def addresses(folder: str) -> dict[str, str]:
    """Return what a device is given as its provisioning server, by make.

    `folder` is the address below which its files are.
    """
    return {make: folder + ADDRESSES.get(make, "") for make in FILES}


def asked(file: str, user_agent: str) -> Asked | None:
    """Return what a file's name asks for; None when it is no file of ours. Yealink and Polycom call theirs alike."""
    name = file.lower()
    for make, pattern in _NAMES.items():
        if found := pattern.fullmatch(name):
            mac = found.groupdict().get("mac")
            if make == "yealink" and "poly" in user_agent.lower():
                return Asked(make="polycom", mac=mac, index=True)
            return Asked(make=make, mac=mac)
    return None


def render(make: Make, account: Account) -> str:
    """The file that sets a device of this make up."""
    labels = _LABELS.get(account.language, _LABELS["en"])
    template = _template(f"{make}.{'cfg' if make == 'yealink' else 'xml'}.j2")
    return template.render(account=account, labels=(labels["support"], labels["bad_call"]), expires_s=EXPIRES_S)


def render_index(mac: str) -> str:
    """Polycom's list of files: the one that has everything."""
    return _template("polycom-index.xml.j2").render(file=FILES["polycom"].format(mac=mac))


def _template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(enabled_extensions=("xml.j2",), default=False),
        undefined=StrictUndefined,
        finalize=_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _one_line(value: object) -> object:
    """Values come from the directory; none of them may end its line."""
    if isinstance(value, str):
        return _LINES.sub(" ", value)
    return value


def server_of(sip: Address, reached_as: str) -> str:
    """Return where phones register, as HOST:PORT."""
    host = reached_as if sip.host in _EVERYWHERE else sip.host
    return str(Address(host=host, port=sip.port))
