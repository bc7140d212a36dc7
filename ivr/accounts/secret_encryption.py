"""Secrets of the second factor are not in clear in the database: who reads it, or a copy of it, makes no codes. Pure.

A code is checked against its secret, so that it cannot be kept as a digest as passwords are. It is encrypted with a key
that is not in the database, and bound to its account. A secret is shorter than one block of HMAC-SHA256: the block that
the key makes of a random nonce is its one-time pad, and a second key authenticates account, nonce and cipher text
(encrypt-then-MAC). That needs no library of ciphers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from ivr.errors import OmnivigilError

_SECRET_BYTES = 20
_NONCE_BYTES = 12
_TAG_BYTES = 16
#: Base32 of a secret, as earlier versions kept it.
_PLAIN_LENGTH = 32


class KeyLost(OmnivigilError):
    """A second factor cannot be read: it was encrypted with another key than the one in secrets.json."""


class Seal:
    """Encrypts secrets with a key of any length; it should have 256 random bits."""

    def __init__(self, key: str) -> None:
        self._pads = hmac.digest(key.encode(), b"omnivigil second factor: pad", hashlib.sha256)
        self._tags = hmac.digest(key.encode(), b"omnivigil second factor: tag", hashlib.sha256)

    @classmethod
    def passing(cls) -> Seal:
        """One whose key is kept nowhere: for tests."""
        return cls(secrets.token_urlsafe(32))

    def seal(self, account_id: int, secret: str) -> str:
        """A base32 secret of 160 bits, encrypted: 64 letters that differ each time."""
        plain = base64.b32decode(secret)
        if len(plain) != _SECRET_BYTES:
            raise ValueError(f"a secret has {_SECRET_BYTES} bytes, not {len(plain)}")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = self._pad(nonce, plain)
        return base64.urlsafe_b64encode(nonce + text + self._tag(account_id, nonce + text)).decode()

    def open(self, account_id: int, kept: str) -> str:
        """The base32 secret. Raises KeyLost: another key, another account's, or changed."""
        if is_plain(kept):
            return kept
        try:
            sealed = base64.b64decode(kept, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            sealed = b""
        body, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        if len(body) != _NONCE_BYTES + _SECRET_BYTES or not hmac.compare_digest(tag, self._tag(account_id, body)):
            mend = "sign in with a recovery code, or ./omnivigil account reset-second-factor NAME; then enrol again"
            raise KeyLost(account=account_id, mend=mend)
        return base64.b32encode(self._pad(body[:_NONCE_BYTES], body[_NONCE_BYTES:])).decode()

    def _pad(self, nonce: bytes, text: bytes) -> bytes:
        block = hmac.digest(self._pads, nonce, hashlib.sha256)
        return bytes(one ^ other for one, other in zip(text, block, strict=False))

    def _tag(self, account_id: int, body: bytes) -> bytes:
        return hmac.digest(self._tags, account_id.to_bytes(8, "big") + body, hashlib.sha256)[:_TAG_BYTES]


def is_plain(kept: str) -> bool:
    """Return whether a secret is as earlier versions kept it."""
    return len(kept) == _PLAIN_LENGTH
