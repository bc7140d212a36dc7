"""What a caller ID is worth: an E.164 number, or nothing."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat

#: What people and switches put into a number: ASCII digits, one leading plus, and signs that mean nothing.
_WRITTEN = re.compile(r"\+?[0-9(][0-9 ().-]{0,30}", re.ASCII)
_SIGNS = re.compile(r"[ ().-]")


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
    return digits if digits.startswith(code) and pattern.fullmatch(digits, len(code)) else None


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
