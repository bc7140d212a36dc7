"""Passwords: Argon2id (RFC 9106). Each check takes some hundredths of a second on purpose, account or not."""

from __future__ import annotations

import functools

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return _HASHER.hash(password)


@functools.cache
def _nobodys() -> str:
    """Return what the passwords of accounts that do not exist are checked against."""
    return _HASHER.hash("nobody has this password")


def matches(password_hash: str | None, password: str) -> bool:
    """Return whether it is the password; without a hash it never is, after the same work."""
    try:
        return _HASHER.verify(password_hash or _nobodys(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False
