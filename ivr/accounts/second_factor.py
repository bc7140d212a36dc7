"""The second factor: codes of six digits (TOTP, RFC 6238), and recovery codes for a lost phone. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime

import pyotp

_STEP_S = 30
_CODE = re.compile(r"[0-9]{6}")
_RECOVERY = re.compile(r"[a-z2-7]{16}")
RECOVERY_CODES = 8


def new_secret() -> str:
    """A secret of 160 bits, in base32."""
    return pyotp.random_base32()


def enrolment_uri(secret: str, name: str) -> str:
    """Return what an authenticator reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="omnivigil")


def step_of(secret: str, code: str, now: datetime, last: int | None) -> int | None:
    """The step that a code belongs to; None when it is wrong, or not later than the `last` one used."""
    if not _CODE.fullmatch(code):
        return None
    totp, present = pyotp.TOTP(secret), int(now.timestamp()) // _STEP_S
    # Clocks differ, and people type: one step before and after is as good.
    for step in (present, present - 1, present + 1):
        if hmac.compare_digest(totp.generate_otp(step), code) and (last is None or step > last):
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Codes of 80 random bits, to be shown once."""
    return [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> str | None:
    """Return what is kept of a recovery code; None when this cannot be one."""
    plain = re.sub(r"[\s-]", "", code.lower())
    if _RECOVERY.fullmatch(plain):
        return hashlib.sha256(plain.encode()).hexdigest()
    return None
