"""What can be entered into the directory, and what is wrong with it by itself. Pure.

What an entry refers to is checked where it is written, by `ivr.directory.service`; bodies of the API, rows of files and
the console's forms all become these, by `read_entry`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from ivr.directory.model import ContactKind, EndpointKind, Tier
from ivr.errors import AllBadInput, BadInput
from ivr.numbers.calling_rights import Right
from ivr.numbers.normalise import read_direct

Kind = Literal["partners", "accounts", "contacts", "numbers", "phones", "staff"]
#: In an order in which each can be entered: what it refers to comes before it.
KINDS: Final[tuple[Kind, ...]] = ("partners", "accounts", "contacts", "numbers", "phones", "staff")
#: What the key is called within an entry; where it is not named here, `key`.
KEY_FIELDS: Final[Mapping[Kind, str]] = {"numbers": "e164", "phones": "name"}
#: One of a kind, in words.
ONE_OF: Final[Mapping[Kind, str]] = {
    "partners": "partner",
    "accounts": "account",
    "contacts": "contact",
    "numbers": "number",
    "phones": "phone",
    "staff": "member of staff",
}

LANGUAGES: Final = ("fr", "en")
#: What phones may be given to speak with; as in Asterisk's `allow`.
CODECS: Final = ("ulaw", "alaw", "g722")
#: The region (ISO 3166) for numbers without a country code, when none is said.
REGION: Final = "CA"

#: Names that mean something else to Asterisk: sections of its configuration, and extensions of its own.
RESERVED_PHONES: Final = frozenset(
    {
        *("global", "general", "globals", "system", "default", "anonymous", "asterisk", "contacts", "phones"),
        *("udp", "tcp", "tls", "ws", "wss", "trunk", "outbound", "phone", "registration", "queue", "ring", "message"),
        *("fax", "hint", "done", "next", "talk", "failed", "none", "all", "any", "unknown"),
    }
)
#: What people dial in need (CRTC's N11 codes, and 112), which no phone may be called.
EMERGENCY_NUMBERS: Final = frozenset({"112", "211", "311", "411", "511", "611", "711", "811", "911", "988"})

#: What turns the direction of text, so that it can be shown as something else than it is (UAX #9).
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\\\]]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-;=?-~]*)?", re.ASCII)
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_ACCOUNT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:+# -]{0,38}[A-Za-z0-9._:+#-])?")
_PHONE = re.compile(r"[a-z0-9][a-z0-9_]{1,39}")
_ID = re.compile(r"[a-z][a-z0-9-]{0,39}")

T = TypeVar("T")


def _line(most: int) -> Any:
    def check(text: str) -> str:
        text = unicodedata.normalize("NFC", text).strip()
        if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text):
            raise ValueError("holds control characters or line breaks; write it on one line")
        if _TURNING & set(text):
            raise ValueError("holds marks that turn the direction of text; remove them")
        if not text:
            raise ValueError("is empty; give a text, or leave it out")
        if len(text) > most:
            raise ValueError(f"has {len(text)} characters; give at most {most}")
        return text

    return AfterValidator(check)


def _whole(pattern: re.Pattern[str], problem: str, mend: str) -> Any:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{problem}; {mend}")
        return text

    return AfterValidator(check)


def _nothing(value: Any) -> Any:
    """An empty cell says nothing."""
    if isinstance(value, str) and not value.strip():
        return None
    return value


def telephone(value: str, region: str) -> str:
    """A telephone number as +14185550188, of what people write in a country. Raises ValueError."""
    return f"+{read_direct(value, region)}"


def _telephone(value: str, info: ValidationInfo) -> str:
    return telephone(value, (info.context or {}).get("region", REGION))


def _no_repeats(values: tuple[T, ...]) -> tuple[T, ...]:
    seen: list[T] = []
    for one in values:
        if one in seen:
            raise ValueError(f"names {one} twice; keep one of them")
        seen.append(one)
    return values


Name = Annotated[str, _line(200)]
Key = Annotated[str, _whole(_SLUG, "is no key", "use lower-case letters, digits and hyphens, as in reseaux-boreal")]
AccountKey = Annotated[
    str, _whole(_ACCOUNT, "is no account number", "use letters, digits and . _ - : + #, as in C-1001; at most 40")
]
PhoneKey = Annotated[
    str, _whole(_PHONE, "is no name of a phone", "use 2 to 40 digits, lower-case letters and _, as in 6001")
]
Identifier = Annotated[str, _whole(_ID, "is no name of a desk file's", "use lower-case letters, digits and hyphens")]
Email = Annotated[str, _line(254), _whole(_EMAIL, "is no e-mail address", "write it as julie@clinique.example")]
Url = Annotated[str, _line(500), _whole(_URL, "is no address of a page", "write it as https://portail.example/")]
Language = Literal["fr", "en"]


def _mac(value: str) -> str:
    digits = re.sub(r"[:.\- ]", "", value).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits) or int(digits[:2], 16) & 1 or not int(digits, 16):
        raise ValueError("is no MAC address of a device; write it as 00:15:65:aa:bb:cc, as on its label")
    return digits


#: Twelve hexadecimal digits, as 001565aabbcc (IEEE 802).
Mac = Annotated[str, AfterValidator(_mac)]
Telephone = Annotated[str, AfterValidator(_telephone)]


class AnyEntry(BaseModel):
    """What all entries have in common: nothing but what is known, and never changed in place."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WarnedPerson(AnyEntry):
    """Somebody at a partner's, who is warned of incidents by text message (OV-27) if the role is one of those."""

    name: Name
    #: administrateur, telephonie-niveau-3, or another of theirs.
    role: Annotated[str, _line(40)]
    mobile: Annotated[Telephone | None, BeforeValidator(_nothing)] = None
    language: Annotated[Language | None, BeforeValidator(_nothing)] = None


class PartnerEntry(AnyEntry):
    """A reseller that looks after customers."""

    name: Name
    tier: Tier = "standard"
    phone: Annotated[Telephone | None, BeforeValidator(_nothing)] = None
    email: Annotated[Email | None, BeforeValidator(_nothing)] = None
    #: Their own page for tickets.
    portal: Annotated[Url | None, BeforeValidator(_nothing)] = None
    language: Annotated[Language | None, BeforeValidator(_nothing)] = None
    people: Annotated[tuple[WarnedPerson, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        mobiles = [one.mobile for one in self.people if one.mobile is not None]
        for mobile in mobiles:
            if mobiles.count(mobile) > 1:
                raise _wrong("people", f"holds {mobile} twice", "nobody gets a message twice: keep one of them")
        return self


class AccountEntry(AnyEntry):
    """A customer. Its key is its account number."""

    name: Name
    address: Annotated[Annotated[str, _line(500)] | None, BeforeValidator(_nothing)] = None
    phone: Annotated[Telephone | None, BeforeValidator(_nothing)] = None
    #: Key of the partner who looks after it.
    partner: Annotated[Key | None, BeforeValidator(_nothing)] = None
    language: Annotated[Language | None, BeforeValidator(_nothing)] = None
    #: The desk that serves it; null for any of its provider's.
    desk: Annotated[Identifier | None, BeforeValidator(_nothing)] = None
    #: What its phones may dial beyond our own numbers.
    dial_rights: Annotated[tuple[Right, ...], AfterValidator(_no_repeats)] = ()


class ContactEntry(AnyEntry):
    """A person at a customer's (OV-20)."""

    account: AccountKey
    name: Name
    kind: ContactKind = "utilisateur"
    phones: Annotated[tuple[Telephone, ...], Field(max_length=20), AfterValidator(_no_repeats)] = ()
    email: Annotated[Email | None, BeforeValidator(_nothing)] = None
    language: Annotated[Language | None, BeforeValidator(_nothing)] = None
    #: Kinds of ticket that a utilisateur may ask for, beside those that everyone may.
    rights: Annotated[tuple[Identifier, ...], Field(max_length=50), AfterValidator(_no_repeats)] = ()


class NumberEntry(AnyEntry):
    """A number by which a customer is known. Its key is +14185550188."""

    account: AccountKey
    #: The person whose own number it is; null for a shared line.
    contact: Annotated[Key | None, BeforeValidator(_nothing)] = None


class PhoneEntry(AnyEntry):
    """A phone that registers. Its key is the name of its SIP account."""

    kind: EndpointKind = "customer"
    account: Annotated[AccountKey | None, BeforeValidator(_nothing)] = None
    contact: Annotated[Key | None, BeforeValidator(_nothing)] = None
    department: Annotated[Identifier | None, BeforeValidator(_nothing)] = None
    #: Its owner's, unless it is said here.
    language: Annotated[Language | None, BeforeValidator(_nothing)] = None
    #: The number that it shows to those it calls; null for its own name.
    caller_id: Annotated[Telephone | None, BeforeValidator(_nothing)] = None
    #: The name that it shows; its owner's, unless it is said here.
    display: Annotated[Annotated[str, _line(100)] | None, BeforeValidator(_nothing)] = None
    #: Empty for the line's own choice.
    codecs: Annotated[tuple[Literal["ulaw", "alaw", "g722"], ...], AfterValidator(_no_repeats)] = ()
    #: null for either.
    transport: Annotated[Literal["udp", "tcp"] | None, BeforeValidator(_nothing)] = None
    #: At most so many calls at a time; null for no limit of its own.
    call_limit: Annotated[Annotated[int, Field(ge=1, le=100)] | None, BeforeValidator(_nothing)] = None
    #: At most so many devices that are registered with it at a time.
    devices: Annotated[int, Field(ge=1, le=10)] = 2
    #: Of the device that is to be set up with it; see `ivr.provisioning`.
    mac: Annotated[Mac | None, BeforeValidator(_nothing)] = None

    @model_validator(mode="before")
    @classmethod
    def _kind_of_owner(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and not data.get("kind"):
            if data.get("account"):
                return {**data, "kind": "customer"}
            if data.get("department"):
                return {**data, "kind": "department"}
            raise _wrong("kind", "is missing", "give an account, a department, or the kind technician")
        return data

    @model_validator(mode="after")
    def _one_owner(self) -> Self:
        if self.kind != "customer" and (self.account or self.contact):
            raise _wrong("account", f"is given to a phone of kind {self.kind}", "leave it out, or correct the kind")
        if self.contact is not None and self.account is None:
            raise _wrong("account", "is missing", "give the contact's account as well")
        if self.kind != "department" and self.department is not None:
            raise _wrong("department", f"is given to a phone of kind {self.kind}", "leave it out, or correct the kind")
        return self


def _penalised(field: str) -> Any:
    """`support` means {"queue": "support", "penalty": 0}, and is written so."""

    def widen(value: Any) -> Any:
        if isinstance(value, str):
            return {field: value}
        return value

    return BeforeValidator(widen)


def _shortest(field: str) -> Any:
    def shorten(one: Any) -> Any:
        value = getattr(one, field)
        if one.penalty:
            return {field: value, "penalty": one.penalty}
        return value

    return PlainSerializer(shorten)


Penalty = Annotated[int, Field(ge=0, le=100)]


class QueueDuty(AnyEntry):
    """A queue that somebody answers; those with a lower penalty are rung before."""

    queue: Identifier
    penalty: Penalty = 0


class SpokenLanguage(AnyEntry):
    """A language that somebody speaks; those with a lower penalty are rung before."""

    language: Language
    penalty: Penalty = 0


class StaffEntry(AnyEntry):
    """Somebody who answers queues, on a phone of ours or on a number of the outside."""

    name: Name
    #: Name of a phone of kind technician.
    phone: Annotated[PhoneKey | None, BeforeValidator(_nothing)] = None
    external_number: Annotated[Telephone | None, BeforeValidator(_nothing)] = None
    queues: Annotated[
        tuple[Annotated[QueueDuty, _penalised("queue"), _shortest("queue")], ...], Field(max_length=100)
    ] = ()
    languages: tuple[Annotated[SpokenLanguage, _penalised("language"), _shortest("language")], ...] = ()
    skills: Annotated[tuple[Identifier, ...], Field(max_length=50), AfterValidator(_no_repeats)] = ()
    #: Name of their account of the console.
    account: Annotated[Annotated[str, _line(40)] | None, BeforeValidator(_nothing)] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.phone is not None and self.external_number is not None:
            raise _wrong("external_number", "is given beside a phone", "give the one on which they answer")
        if self.phone is None and self.external_number is None:
            raise _wrong("phone", "is missing", "give a phone of kind technician, or an external_number")
        named: dict[str, list[str]] = {
            "queues": [one.queue for one in self.queues],
            "languages": [one.language for one in self.languages],
        }
        for field, names in named.items():
            for name in names:
                if names.count(name) > 1:
                    raise _wrong(field, f"names {name} twice", "keep one of them")
        return self


ENTRIES: Final[Mapping[Kind, type[AnyEntry]]] = {
    "partners": PartnerEntry,
    "accounts": AccountEntry,
    "contacts": ContactEntry,
    "numbers": NumberEntry,
    "phones": PhoneEntry,
    "staff": StaffEntry,
}


class _Wrong(ValueError):
    """A rule over several fields is broken, by this one."""

    def __init__(self, field: str, problem: str, mend: str) -> None:
        self.field, self.problem, self.mend = field, problem, mend
        super().__init__(f"{problem}; {mend}")


def _wrong(field: str, problem: str, mend: str) -> _Wrong:
    return _Wrong(field, problem, mend)


def check_key(kind: Kind, key: str, region: str = REGION) -> str:
    """The key as it is kept: a number is +14185550188, the others stay as they are. Raises BadInput."""
    field = KEY_FIELDS.get(kind, "key")
    if kind == "numbers":
        try:
            return telephone(key, region)
        except ValueError as error:
            problem, _, mend = str(error).rpartition("; ")
            raise BadInput(field=field, problem=problem, mend=mend) from None
    pattern, problem, mend = {
        "accounts": (_ACCOUNT, "is no account number", "use letters, digits and . _ - : + #, as in C-1001; at most 40"),
        "phones": (_PHONE, "is no name of a phone", "use 2 to 40 digits, lower-case letters and _, as in 6001"),
    }.get(kind, (_SLUG, "is no key", "use lower-case letters, digits and hyphens, as in reseaux-boreal"))
    if not pattern.fullmatch(key):
        raise BadInput(field=field, problem=problem, mend=mend)
    if kind == "phones" and key in RESERVED_PHONES:
        raise BadInput(field=field, problem=f"{key} means something else to Asterisk", mend="choose another name")
    if kind == "phones" and key in EMERGENCY_NUMBERS:
        raise BadInput(
            field=field, problem=f"{key} is what people dial for a public service", mend="choose another name"
        )
    return key


def read_entry(kind: Kind, data: object, region: str = REGION) -> AnyEntry:
    """An entry of what somebody gives; every wrong field is told at once. Raises AllBadInput.

    `region` (ISO 3166) is the country of numbers without a country code.
    """
    try:
        return ENTRIES[kind].model_validate(data, context={"region": region})
    except ValidationError as error:
        raise AllBadInput([_bad_input(dict(one)) for one in error.errors(include_url=False)[:100]]) from None


def _bad_input(error: Mapping[str, Any]) -> BadInput:
    context = error.get("ctx") or {}
    where = ".".join(_plain(part) for part in error["loc"])
    cause = context.get("error")
    if isinstance(cause, _Wrong):
        field = ".".join(part for part in (where, cause.field) if part)
        return BadInput(field=field, problem=cause.problem, mend=cause.mend)
    if error["type"] == "value_error":
        problem, _, mend = str(cause).rpartition("; ")
        return BadInput(field=where or "body", problem=problem, mend=mend)
    return BadInput(field=where or "body", problem=_PROBLEMS.get(error["type"], str(error["msg"])), mend=_mend(error))


def _plain(part: object) -> str:
    """Names of unknown fields come from whoever gives them."""
    return "".join(sign if sign.isprintable() else "�" for sign in str(part))[:100]


_PROBLEMS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "is not a text",
    "model_type": "is not an object",
    "model_attributes_type": "is not an object",
    "tuple_type": "is not a list",
}


def _mend(error: Mapping[str, Any]) -> str:
    context = error.get("ctx") or {}
    mends: Mapping[str, Callable[[], str]] = {
        "missing": lambda: "give it",
        "extra_forbidden": lambda: "remove it, or correct its name",
        "literal_error": lambda: f"give one of {context.get('expected')}",
        "too_long": lambda: f"give at most {context.get('max_length')}",
        "greater_than_equal": lambda: f"give {context.get('ge')} or more",
        "less_than_equal": lambda: f"give {context.get('le')} or less",
        "string_type": lambda: "give a text",
        "tuple_type": lambda: "give a list",
    }
    found = mends.get(error["type"])
    if found is not None:
        return found()
    return "correct its form, as docs/directory.md says"
