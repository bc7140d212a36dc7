"""Words of the administrators' pages in English: accounts, tokens and the directory."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "last_sign_in": "Last sign-in",
    "account_open": "open",
    "must_change": "password to be changed",
    "must_change_now": "This password was given to you. Choose your own to go on.",
    "password_given": "Password of",
    "password_given_hint": (
        "It is shown once. Hand it over in person or by telephone; it must be changed at the next sign-in."
    ),
    "password_made_hint": "Leave it empty: a password is made and shown once.",
    "give_password": "Give a password",
    "reset_second_factor": "Remove two-step verification",
    "reopen": "Reopen",
    "locked_hint": "After too many tries, an account opens again by itself within a quarter of an hour.",
    "your_own": "This is your account:",
    "sessions": "Open sessions",
    "signed_in": "Signed in",
    "last_used": "Last used",
    "this_session": "this one",
    "end_session": "End the session",
    "end_all": "End all sessions",
    "end_others": "End all others",
    "no_sessions": "No open session.",
    "tokens": "Tokens",
    "tokens_hint": "A token opens the API to other software. It is shown once, when it is made.",
    "token_given": "Token of",
    "token_given_hint": "Copy it now: it will not be shown again.",
    "token_name": "For whom",
    "scopes": "Rights",
    "scope_read": "read",
    "scope_write": "read and change calls, tickets, incidents",
    "scope_persons": "export and erase a person’s data",
    "scope_directory_read": "read the directory",
    "scope_directory_write": "change the directory",
    "good_until": "Good until",
    "until_revoked": "revoked",
    "over": "over",
    "revoke": "Revoke",
    "make_token": "Make a token",
    "make": "Make",
    "days_good": "Good for (days)",
    "days_hint": "Leave it empty for a token without an end.",
}
