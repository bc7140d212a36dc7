"""Tells which numbers may be called back. Pure. Any caller may ask us to dial: toll fraud is tried here first."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

_DIGITS = re.compile(r"\+?[0-9]{3,15}", re.ASCII)
_PERSONS = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
#: Exchanges of the North American plan that cost extra or lead to services, whatever the area code.
_SERVICES = re.compile(r"976|[2-9]11|950|700")
#: Directory assistance of any area code.
_ASSISTANCE = "5551212"
#: The other countries of the North American plan (+1), islands that look like a call next door,
#: and are toll fraud's favourites. Never called, and no desk file may name one.
ISLANDS = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]) - {"CA", "US"}


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Why a number is not called; `reason` is for logs and the timeline, the caller only hears that it cannot be."""

    reason: str


def for_our_people(number: str | None, *, region: str, own: Collection[str]) -> str | Refused:
    """A telephone of our own people's that is none of ours, as `diallable`; `region` is their desk's."""
    return diallable(number, region=region, allowed=(region, "CA", "US"), own=own)


def diallable(number: str | None, *, region: str, allowed: Collection[str], own: Collection[str]) -> str | Refused:
    """The number as E.164 digits without plus sign, or why it is refused.

    Only geographic and mobile numbers of the `allowed` regions (ISO 3166), and never, whatever is allowed: 900, 976,
    N11, 555-1212, 011 as it is dialled, toll-free, the islands of +1, nor one of our `own` numbers.
    """
    if number is None or not _DIGITS.fullmatch(number):
        return Refused(reason="not a number")
    try:
        parsed = phonenumbers.parse(number, region)
    except NumberParseException:
        return Refused(reason="not a number")
    if number.startswith("011") and parsed.country_code != 1 and phonenumbers.country_code_for_region(region) == 1:
        return Refused(reason="an international number")
    if not phonenumbers.is_valid_number(parsed):
        return Refused(reason="not in service anywhere")
    digits = phonenumbers.format_number(parsed, PhoneNumberFormat.E164).removeprefix("+")
    national = str(parsed.national_number)
    where = phonenumbers.region_code_for_number(parsed)
    if where in ISLANDS or where not in allowed:
        return Refused(reason=f"region {where} is not allowed")
    if phonenumbers.number_type(parsed) not in _PERSONS:
        return Refused(reason="not a geographic or mobile number")
    if parsed.country_code == 1 and (_SERVICES.fullmatch(national[3:6]) or national[3:] == _ASSISTANCE):
        return Refused(reason="a service number")
    if digits in own or national in own:
        return Refused(reason="one of our own numbers")
    return digits
