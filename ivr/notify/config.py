"""Where notices leave by, and where e-mail comes in: read from the environment, so that no secret is on a disk of ours.

Every secret may be given as NAME, or as NAME_FILE, the path of a file that holds it.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from ivr.errors import BadInput
from ivr.settings import Address

Security = Literal["starttls", "tls", "none"]

_PREFIX: Final = "OMNIVIGIL_"
_ADDRESS: Final = re.compile(r"[^@\s<>,;:\"\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,190}")
_LONGEST_SECRET: Final = 4096


#: In bytes: 25 MB of photographs, as mail programs encode them.
LARGEST_MAIL: Final = 35 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Smtp:
    """The server that takes our e-mails."""

    host: str
    port: int
    security: Security
    #: What e-mails come from, and what answers go to.
    sender: str
    sender_name: str
    user: str | None = None
    password: SecretStr | None = None

    @property
    def domain(self) -> str:
        """Of our Message-IDs."""
        return self.sender.rpartition("@")[2]


@dataclass(frozen=True, kw_only=True)
class Twilio:
    """The account that sends our text messages."""

    account_sid: str
    auth_token: SecretStr
    #: A short code, or E.164 with the plus sign.
    sender: str
    api: str = "https://api.twilio.com"


@dataclass(frozen=True, kw_only=True)
class Statuspage:
    """The account at Statuspage that is told of the main desk's incidents."""

    page: str
    key: SecretStr
    api: str = "https://api.statuspage.io"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Somebody's server that is told of events."""

    name: str
    url: str
    #: whsec_ and base64, as Standard Webhooks has it.
    secret: SecretStr
    #: As in ticket.created or ticket.*.
    events: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NoticeConfig:
    """What is configured; a kind that is not waits in the outbox."""

    smtp: Smtp | None = None
    twilio: Twilio | None = None
    endpoints: tuple[Endpoint, ...] = ()
    statuspage: Statuspage | None = None
    #: Where others reach our API from outside, without a slash at the end.
    public_url: str | None = None
    #: Where our own mail server listens.
    mail: Address | None = None
    #: The largest e-mail that it takes, in bytes.
    mail_largest: int = LARGEST_MAIL

    @property
    def missing(self) -> tuple[str, ...]:
        """Kinds whose rows wait for a configuration."""
        kinds = (("email", self.smtp), ("sms", self.twilio))
        return tuple(kind for kind, configured in kinds if configured is None)


def read(environment: Mapping[str, str], *, demo: bool = False) -> NoticeConfig:
    """The configuration that these variables say. Raises BadInput that names the variable.

    In the demo endpoints may be on this machine and without encryption.
    """
    given = _Given(environment)
    return NoticeConfig(
        smtp=_smtp(given),
        twilio=_twilio(given),
        endpoints=_endpoints(given, demo),
        statuspage=_statuspage(given),
        public_url=_public(given),
        mail=_mail(given),
        mail_largest=_mail_largest(given),
    )


class _Given:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str | None:
        value = self._environment.get(_PREFIX + name, "").strip()
        return value or None

    def needed(self, name: str, why: str) -> str:
        value = self.text(name)
        if value is None:
            raise bad(name, "is missing", why)
        return value

    def secret(self, name: str) -> SecretStr | None:
        value, file = self.text(name), self.text(f"{name}_FILE")
        if value is not None and file is not None:
            raise bad(name, "is given twice", f"give {_PREFIX}{name} or {_PREFIX}{name}_FILE")
        if file is not None:
            value = _content(Path(file), f"{name}_FILE").strip()
            if not value:
                raise bad(f"{name}_FILE", f"{file} is empty", "write the secret into it")
        if value is not None:
            return SecretStr(value)
        return None


def bad(name: str, problem: str, mend: str) -> BadInput:
    """Something is wrong with a variable."""
    return BadInput(field=_PREFIX + name, problem=problem, mend=mend)


def _content(path: Path, name: str) -> str:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        raise bad(name, problem, "name a readable file") from None
    return text


def _loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _smtp(given: _Given) -> Smtp | None:
    host = given.text("SMTP_HOST")
    if host is None:
        return None
    security: Security
    match (given.text("SMTP_TLS") or "starttls").lower():
        case "starttls":
            security = "starttls"
        case "tls":
            security = "tls"
        case "none":
            security = "none"
        case other:
            raise bad("SMTP_TLS", f"{other!r} is unknown", "give starttls, tls or none")
    port = given.text("SMTP_PORT") or {"starttls": "587", "tls": "465", "none": "25"}[security]
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise bad("SMTP_PORT", f"{port!r} is not a port", "give a number, as in 587")
    user, password = given.text("SMTP_USER"), given.secret("SMTP_PASSWORD")
    if (user is None) != (password is None):
        raise bad("SMTP_USER", "has no password, or the password no user", "give both, or neither")
    if password is not None and security == "none" and not _loopback(host):
        raise bad("SMTP_TLS", "the password would cross the network unencrypted", "use starttls or tls")
    sender = given.needed("SMTP_FROM", "give the address that e-mails come from, as in support@example.com")
    if not _ADDRESS.fullmatch(sender):
        raise bad("SMTP_FROM", f"{sender!r} is not an e-mail address", "write it as support@example.com")
    name = given.text("SMTP_FROM_NAME") or "OMNIVIGIL"
    if not name.isprintable():
        raise bad("SMTP_FROM_NAME", "holds control characters", "remove them")
    return Smtp(
        host=host,
        port=int(port),
        security=security,
        sender=sender,
        sender_name=name,
        user=user,
        password=password,
    )


def _twilio(given: _Given) -> Twilio | None:
    sid = given.text("TWILIO_ACCOUNT_SID")
    if sid is None:
        return None
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", sid):
        raise bad("TWILIO_ACCOUNT_SID", "is not an account's SID", "give AC and 32 digits or letters a to f")
    token = given.secret("TWILIO_AUTH_TOKEN")
    if token is None:
        raise bad(
            "TWILIO_AUTH_TOKEN", "is missing", "give it, or the path of its file as OMNIVIGIL_TWILIO_AUTH_TOKEN_FILE"
        )
    sender = given.text("TWILIO_SENDER") or "332211"
    if not re.fullmatch(r"[0-9]{5,6}|\+[1-9][0-9]{6,14}", sender):
        raise bad("TWILIO_SENDER", f"{sender!r} is no short code and no number", "write it as 332211 or +14185550100")
    api = given.text("TWILIO_API")
    if api is None:
        return Twilio(account_sid=sid, auth_token=token, sender=sender)
    return Twilio(account_sid=sid, auth_token=token, sender=sender, api=_origin(api, "TWILIO_API"))


def _statuspage(given: _Given) -> Statuspage | None:
    page = given.text("STATUSPAGE_PAGE")
    if page is None:
        return None
    if not re.fullmatch(r"[a-z0-9]{4,40}", page):
        raise bad("STATUSPAGE_PAGE", "is not a page's id", "give its letters and digits, as Statuspage shows them")
    key = given.secret("STATUSPAGE_KEY")
    if key is None:
        raise bad("STATUSPAGE_KEY", "is missing", "give it, or the path of its file as OMNIVIGIL_STATUSPAGE_KEY_FILE")
    api = given.text("STATUSPAGE_API")
    if api is None:
        return Statuspage(page=page, key=key)
    return Statuspage(page=page, key=key, api=_origin(api, "STATUSPAGE_API"))


def _origin(text: str, name: str) -> str:
    parts = _url(text, name)
    if parts.scheme != "https" and not _loopback(parts.hostname):
        raise bad(name, "what is sent there would be unencrypted", "use https")
    return text.rstrip("/")


def _url(text: str, name: str) -> Any:
    mend = "write it as https://example.com/path"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise bad(name, f"{text[:100]!r} is not an address", mend) from None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.password or parts.fragment:
        raise bad(name, f"{text[:100]!r} is not an address", mend)
    return parts


def _public(given: _Given) -> str | None:
    text = given.text("PUBLIC_URL")
    if text is not None:
        return _origin(text, "PUBLIC_URL")
    return None


def _mail(given: _Given) -> Address | None:
    text = given.text("MAIL_LISTEN")
    if text is None:
        return None
    address = Address.parse(text, field=f"{_PREFIX}MAIL_LISTEN")
    if not address.loopback:
        problem = f"{address} can be reached by others, and senders are not verified here"
        raise bad("MAIL_LISTEN", problem, "use a loopback address, behind the mail server that verifies them")
    return address


def _mail_largest(given: _Given) -> int:
    text = given.text("MAIL_LARGEST_MB")
    if text is None:
        return LARGEST_MAIL
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= 150:
        raise bad("MAIL_LARGEST_MB", f"{text[:20]!r} is no size in MB", "give a whole number from 1 to 150, as 35")
    return int(text) * 1024 * 1024


class _EndpointEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,59}$")
    url: str = Field(max_length=500)
    secret: SecretStr | None = None
    secret_file: Path | None = None
    events: list[str] = Field(min_length=1, max_length=50)


class _EndpointFile(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    endpoints: list[_EndpointEntry] = Field(max_length=100)


def _endpoints(given: _Given, demo: bool) -> tuple[Endpoint, ...]:
    text = given.text("WEBHOOKS_FILE")
    if text is None:
        return ()
    path = Path(text)
    try:
        entries = _EndpointFile.model_validate(yaml.safe_load(_content(path, "WEBHOOKS_FILE"))).endpoints
    except yaml.YAMLError:
        raise bad("WEBHOOKS_FILE", f"{path} is not YAML", "see docs/notices.md") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise bad("WEBHOOKS_FILE", f"{path}, {where}: {first['msg']}", "see docs/notices.md") from None
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise bad("WEBHOOKS_FILE", f"{path} has two endpoints of one name", "give each a name of its own")
    return tuple(_endpoint(entry, path, demo) for entry in entries)


def _endpoint(entry: _EndpointEntry, path: Path, demo: bool) -> Endpoint:
    def wrong(problem: str, mend: str) -> BadInput:
        return bad("WEBHOOKS_FILE", f"{path}, endpoint {entry.name}: {problem}", mend)

    parts = _url(entry.url, "WEBHOOKS_FILE")
    if parts.scheme != "https" and not (demo and _loopback(parts.hostname)):
        raise wrong("what is sent there would be unencrypted", "use https")
    if (entry.secret is None) == (entry.secret_file is None):
        raise wrong("has no secret, or two", "give secret or secret_file")
    secret = entry.secret.get_secret_value() if entry.secret else ""
    if entry.secret_file is not None:
        secret = _content(path.parent / entry.secret_file, "WEBHOOKS_FILE").strip()
    if len(secret) > _LONGEST_SECRET or _key_bytes(secret) < 24:
        raise wrong("its secret is not whsec_ and at least 24 bytes in base64", "make one as docs/notices.md shows")
    for event in entry.events:
        if not re.fullmatch(r"\*|[a-z]+\.(\*|[a-z-]+)", event):
            raise wrong(f"{event[:60]!r} is not an event", "write it as ticket.created, ticket.* or *")
    return Endpoint(name=entry.name, url=entry.url, secret=SecretStr(secret), events=tuple(entry.events))


def _key_bytes(secret: str) -> int:
    if not secret.startswith("whsec_"):
        return 0
    try:
        return len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        return 0
