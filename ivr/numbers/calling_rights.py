"""Which numbers a phone may dial: classes of destinations as dialplan patterns. Pure.

Countries of the North American plan are told apart by their area codes, as the public metadata of phonenumbers
has them: `1 876 ...` looks like a call next door and is Jamaica, toll fraud's favourite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Literal, get_args

import phonenumbers
from phonenumbers import PhoneNumberType

from ivr.errors import BadInput

#: What an account may be allowed. `premium` is nobody's: it is always refused.
Right = Literal["local", "toll-free", "national", "united-states", "international"]
RIGHTS: tuple[Right, ...] = get_args(Right)

#: Area codes within Quebec's own: a local call for accounts there.
LOCAL_AREAS = ("263", "354", "367", "418", "438", "450", "468", "514", "579", "581", "819", "873")
_ORDINARY = (PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
_TOLL_FREE = ("800", "833", "844", "855", "866", "877", "888")

#: Refused whatever the account's rights: 900 services, and 976 exchanges of any area; of the codes that no country has
#: (ITU-T E.164), satellites, international networks and the world's own premium rate. *choice*
PREMIUM_PATTERNS = (
    "_1900NXXXXXX",
    "_1NXX976XXXX",
    *(f"_011{code}!" for code in (870, 878, 881, 882, 883, 979)),
)


def rights_of(names: Iterable[str]) -> tuple[Right, ...]:
    """The rights in their order, each once. Raises BadInput for one that there is not."""
    given = set(names)
    if unknown := given - set(RIGHTS):
        problem = f"there is no right {min(unknown)!r}"
        raise BadInput(field="dial_rights", problem=problem, mend=f"use some of: {', '.join(RIGHTS)}")
    return tuple(right for right in RIGHTS if right in given)


@cache
def patterns(right: Right) -> tuple[str, ...]:
    """Dialplan patterns of what a right lets through; numbers are written with the country code, 1 or 011."""
    if right == "international":
        abroad = tuple(f"_1{area}NXXXXXX" for area in _areas("other"))
        # ITU-T E.164: a country code and at most 15 digits; fewer than 7 is nobody's number.
        return (*abroad, *(f"_011[2-9]{'X' * length}" for length in range(6, 15)))
    areas = {
        "local": LOCAL_AREAS,
        "toll-free": _TOLL_FREE,
        "national": _areas("CA"),
        "united-states": _areas("US"),
    }[right]
    return tuple(f"_1{area}NXXXXXX" for area in areas)


@cache
def _areas(country: str) -> tuple[str, ...]:
    """Area codes of Canada, of the United States, or of the plan's `other` countries."""
    abroad = [area for area in map(str, range(200, 1000)) if _abroad(area)]
    if country == "other":
        return tuple(abroad)
    found = []
    for area in map(str, range(200, 1000)):
        number = phonenumbers.parse(f"+1{area}2345678")
        ordinary = phonenumbers.number_type(number) in _ORDINARY
        if ordinary and area not in abroad and phonenumbers.region_code_for_number(number) == country:
            found.append(area)
    return tuple(found)


@cache
def _abroad(area: str) -> bool:
    """Return whether it is of a country of the plan other than Canada and the United States."""
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        leading = None
        if metadata is not None and region not in ("CA", "US"):
            leading = metadata.leading_digits
        if leading is not None and re.fullmatch(leading, area):
            return True
    return False
