"""The accounts' tables."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, false, text

from ivr.store.metadata import Moment, json_type, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False, unique=True),
    #: technician, ops, manager, partner or administrator
    Column("role", String(20), nullable=False),
    #: Whose portal it is, of a partner's account. Not tied to the directory: an account never moves to another partner.
    Column("partner_id", Integer),
    #: The one provider whose line it sees and changes; null for every provider's. A partner's is its partner's.
    Column("limited_to", String(40)),
    #: A technician's phone.
    Column("endpoint", String(40)),
    #: Argon2id (RFC 9106).
    Column("password_hash", String(200), nullable=False),
    #: The secret of RFC 6238, encrypted by `ivr.accounts.secret_encryption`: codes are checked against it.
    Column("totp_secret", String(64)),
    #: The last step of 30 seconds whose code was used: none is good twice.
    Column("totp_step", Integer),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    #: The password was given by somebody else: nothing but another one can be chosen with it.
    Column("must_change", Boolean, nullable=False, server_default=false()),
    Column("last_sign_in_at", Moment),
)

account_recovery_codes = Table(
    "account_recovery_codes",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    #: SHA-256, in hex, of 80 random bits.
    Column("sha256", String(64), primary_key=True),
)

account_sessions = Table(
    "account_sessions",
    metadata,
    #: SHA-256 of the token, in hex; the token itself is with the browser only.
    Column("sha256", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    #: The address that signed in.
    Column("source", String(60)),
)

#: Sign-ins that were tried, whether there is such an account or not.
account_tries = Table(
    "account_tries",
    metadata,
    #: SHA-256, in hex, of what a try counts for, as `ivr.accounts.sign_in_limits.counted` says.
    Column("subject", String(64), primary_key=True),
    Column("since", Moment, nullable=False),
    Column("tries", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    #: Name of the account; a dash for a name that is no account's.
    Column("who", String(40), nullable=False),
    Column("source", String(60), nullable=False),
    #: As in `tickets.change`.
    Column("action", String(60), nullable=False),
    #: What it was done to, as in ticket 100001.
    Column("subject", String(200), nullable=False),
    #: Names of the fields that were sent; never what was in them.
    Column("fields", json_type(), nullable=False),
    #: HTTP status of the answer; null when the service stopped before it answered.
    Column("outcome", Integer),
    #: How many such there were: sign-ins that failed are one line for a quarter of an hour.
    Column("times", Integer, nullable=False, server_default=text("1")),
    Index("ix_audit_at_id", "at", "id"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    #: SHA-256 of the token, in hex; the token itself is kept nowhere.
    Column("sha256", String(64), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("scopes", json_type(), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    #: No good from this moment on; null for one without an end.
    Column("expires_at", Moment),
    #: To the minute.
    Column("last_used_at", Moment),
    #: Whose directory it is good for; null for every provider's.
    Column("provider", String(40)),
)
