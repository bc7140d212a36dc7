"""Telephone numbers: what a caller ID is worth, and what people write. Pure.

A caller ID is plainly a number or nothing (`normalise`). People, their spreadsheets and their address books write
much more for the same number (`read_number`), and are told what is wrong with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat

#: What people and switches put into a number: ASCII digits, one leading plus, and signs that mean nothing.
_WRITTEN = re.compile(r"\+?[0-9(][0-9 ().-]{0,30}", re.ASCII)
_SIGNS = re.compile(r"[ ().-]")

#: What is a space, a hyphen, a sign of ours, or nothing at all in a number that was copied from somewhere.
_TYPED: dict[int, str | None] = {
    **{ord(sign): " " for sign in "\t\r\n/\u00a0\u202f\u205f\u3000\uff0f"},
    **dict.fromkeys(range(0x2000, 0x200B), " "),
    **{ord(sign): "-" for sign in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"},
    # What nobody sees: soft hyphen, zero width, direction marks (UAX #9), byte order mark; and apostrophes.
    **{ord(sign): None for sign in "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"},
    **{ord(sign): None for sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'\u2019\u02bc"},
    **{0xFF10 + digit: str(digit) for digit in range(10)},
    **{ord(sign): plain for sign, plain in zip("\uff0b\uff08\uff09\uff0e\u00b7\uff03", "+()..#", strict=True)},
}
#: RFC 3966's scheme, and what people write before a number.
_LABEL = re.compile(r"(?:tel:|t[eé]l(?:\.|[eé]phone)? ?:?|phone ?:) *", re.IGNORECASE)
_PARAMETERS = re.compile(r";(?!ext=)[a-z0-9-]+=[^;]*", re.IGNORECASE)
_EXTENSION = re.compile(
    r"[ ,;]*(?:\( *)?(?:(?<![a-z])(?:poste?|p\.|ext(?:n|ension)?\.?|int(?:\.|erne)|local|x)|#)[ .:#=]*"
    r"([0-9]{1,8})(?: *\))?\Z",
    re.IGNORECASE,
)
_ROUNDED = re.compile(r"[0-9][0-9.,]*E\+?[0-9]+", re.IGNORECASE)
_DECIMALS = re.compile(r"([0-9]{7,})[.,]0+")
#: The zero that is dialled within the country only, as in +33 (0)1 42 68 53 00 and +1 (0) 418 555-0101.
_TRUNK_ZERO = re.compile(r"((?:\+|\b00 ?)[0-9 ]{1,4})\(0\)")
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class Written:
    """A number that somebody wrote: E.164 digits without the plus sign, and the extension behind it (« poste 22 »)."""

    e164: str
    extension: str | None = None


class NotANumber(ValueError):
    """What somebody wrote for a telephone number cannot be used: what is wrong with it, and the mend."""

    def __init__(self, problem: str, mend: str) -> None:
        self.problem, self.mend = problem, mend
        super().__init__(f"{problem}; {mend}")


def typed(text: str) -> tuple[str, str | None]:
    """A number as it was typed, in ASCII as far as it can be, and its extension. Raises NotANumber for a rounded one.

    Whether it is a number is not known yet.
    """
    plain = " ".join(text.translate(_TYPED).split())
    if _ROUNDED.fullmatch(plain):
        raise NotANumber("is a number that Excel has rounded", "format the column as text, and enter the number again")
    if whole := _DECIMALS.fullmatch(plain):
        plain = whole[1]
    plain = _PARAMETERS.sub("", _LABEL.sub("", plain, count=1) if _LABEL.match(plain) else plain)
    extension = None
    if (found := _EXTENSION.search(plain)) and found.start() > 0:
        plain, extension = plain[: found.start()].strip(), found[1]
    return _TRUNK_ZERO.sub(r"\1", plain), extension


def read_number(text: str, region: str) -> Written:
    """The number that somebody wrote. Raises NotANumber.

    `region` is the country (ISO 3166, as in CA) whose habits apply to a number without country code. Taken are spaces,
    hyphens and digits of every width, slashes, dots, `tel:` (RFC 3966), `(0)`, `00` before the country code, and an
    extension. Nothing is guessed: digits of other scripts, letters and several numbers at once are refused.
    """
    if len(text) > _LONGEST:
        raise NotANumber(f"has {len(text)} signs, more than any telephone number", "give one number")
    plain, extension = typed(text)
    found = normalise(plain, region)
    if found is None and plain.startswith("00"):
        # As it is dialled in Europe, by whoever has the number from there.
        found = normalise("+" + plain[2:].lstrip(), region)
    if found is not None:
        return Written(e164=found, extension=extension)
    strange = next((sign for sign in plain if not (sign in "+ ().-" or (sign.isascii() and sign.isdigit()))), None)
    problem = "is not a telephone number"
    if strange is not None:
        if strange.isprintable():
            seen = f"« {strange} »"
        else:
            seen = f"a sign that cannot be seen (U+{ord(strange):04X})"
        problem += f": it holds {seen}"
    raise NotANumber(problem, "give ten digits, or a plus sign and the country code")


def read_direct(text: str, region: str) -> str:
    """As `read_number`, where an extension cannot be kept: text messages and calls reach whole numbers only.

    E.164 digits without the plus sign. Raises NotANumber.
    """
    found = read_number(text, region)
    if found.extension is not None:
        problem = f"has an extension ({found.extension})"
        raise NotANumber(problem, "give a number that rings by itself")
    return found.e164


@lru_cache(maxsize=4096)
def normalise(number: str | None, region: str) -> str | None:
    """The number as E.164 digits without the plus sign, or None when it is none (ITU-T E.164).

    `region` is the country (ISO 3166, as in CA) whose habits apply to a number without country code.
    Caller ID comes from strangers: absent, `anonymous`, 40 digits, quotes, control characters and
    anything else that is not plainly a number is None. Whether the number is in service is not known.
    """
    if number is None or not _WRITTEN.fullmatch(number):
        return None
    if (usual := _usual(_SIGNS.sub("", number), region)) is not None:
        return usual
    # As dialled in that country; failing that, as trunks send foreign numbers: international, without the plus.
    return _read(number, region) or (None if number.startswith("+") else _read(f"+{number}", region))


def _usual(number: str, region: str) -> str | None:
    """What `_read` would give for plain digits of a fixed or mobile telephone in that country, as nearly all callers'
    are; None for any other. The general way weighs every country that shares the code, and every kind of number.
    """
    code, pattern = _country(region)
    if pattern.fullmatch(number):
        return code + number
    digits = number.removeprefix("+")
    if digits.startswith(code) and pattern.fullmatch(digits, len(code)):
        return digits
    return None


@cache
def _country(region: str) -> tuple[str, re.Pattern[str]]:
    """A country's code, and its fixed and mobile numbers without it."""
    known = PhoneMetadata.metadata_for_region(region)
    if known is None:
        return "", re.compile("(?!)")
    kinds = (known.fixed_line, known.mobile)
    patterns = [one.national_number_pattern for one in kinds if one is not None and one.national_number_pattern]
    return str(known.country_code), re.compile("|".join(f"(?:{one})" for one in patterns) or "(?!)", re.ASCII)


def _read(number: str, region: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164).removeprefix("+")
