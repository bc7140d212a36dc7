"""What Twilio and we agree on, apart from its client, which takes long to load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twilio.request_validator import RequestValidator

from ivr.notify.config import Twilio

#: Where Twilio tells what became of a message, below our public address.
STATUS_PATH: Final = "/v1/twilio/status"
#: Where Twilio brings the text messages that come in.
MESSAGES_PATH: Final = "/v1/twilio/messages"
#: Twilio's error: the recipient answered STOP.
OPTED_OUT: Final = 21610


def verified(config: Twilio, url: str, form: Mapping[str, str], signature: str) -> bool:
    """Return whether a request to `url`, as the outside knows it, is Twilio's (X-Twilio-Signature)."""
    validator = RequestValidator(config.auth_token.get_secret_value())
    return bool(validator.validate(url, dict(form), signature))
