"""What a caller ID is worth: an E.164 number, or nothing."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

#: What people and switches put into a number: ASCII digits, one leading plus, and signs that mean nothing.
_WRITTEN = re.compile(r"\+?[0-9(][0-9 ().-]{0,30}", re.ASCII)


@lru_cache(maxsize=4096)
def normalise(number: str | None, region: str) -> str | None:
    """The number as E.164 digits without the plus sign, or None when it is none (ITU-T E.164).

    `region` is the country (ISO 3166, as in CA) whose habits apply to a number without country code.
    Caller ID comes from strangers: absent, `anonymous`, 40 digits, quotes, control characters and
    anything else that is not plainly a number is None. Whether the number is in service is not known.
    """
    if number is None or not _WRITTEN.fullmatch(number):
        return None
    # As dialled in that country; failing that, as trunks send foreign numbers: international, without the plus.
    return _read(number, region) or (None if number.startswith("+") else _read(f"+{number}", region))


def _read(number: str, region: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, region)
    except NumberParseException:
        return None
    # Most calls come from the desk's own country, of the two dozen that share code 1.
    if not (phonenumbers.is_valid_number_for_region(parsed, region) or phonenumbers.is_valid_number(parsed)):
        return None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164).removeprefix("+")
