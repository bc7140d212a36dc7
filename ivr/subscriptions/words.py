"""What subscribers read, in French and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_CONFIRM: Final[Mapping[str, tuple[str, str]]] = {
    "fr": (
        "{desk} : confirmez votre abonnement à l’état des services",
        "Bonjour,\n\nQuelqu’un, sans doute vous, a demandé que l’état des services de {desk} soit envoyé ici."
        "\n\nPour confirmer, ouvrez cette page d’ici 24 heures :\n{url}\n\n"
        "Si ce n’était pas vous, ne faites rien : aucun autre courriel ne vous sera envoyé.",
    ),
    "en": (
        "{desk}: confirm your subscription to the service status",
        "Hello,\n\nSomebody, probably you, asked for the service status of {desk} to be sent to this address."
        "\n\nTo confirm, open this page within 24 hours:\n{url}\n\n"
        "If it was not you, do nothing: you will receive no other e-mail.",
    ),
}
_CODE: Final = {
    "fr": "{desk} : votre code pour recevoir l’état des services par texto est le {code}. Il est valable 24 heures.",
    "en": "{desk}: your code to get the service status by text message is {code}. It is valid for 24 hours.",
}
_TOLD: Final = {
    "fr": "{text}\n\nL’état des services :\n{page}\n\nPour ne plus recevoir ces courriels :\n{leave}",
    "en": "{text}\n\nService status:\n{page}\n\nTo stop receiving these e-mails:\n{leave}",
}


def _known(language: str) -> str:
    return language if language in _TOLD else "fr"


def to_confirm(desk: str, language: str, url: str) -> tuple[str, str]:
    """Subject and body of the e-mail that asks."""
    subject, body = _CONFIRM[_known(language)]
    return subject.format(desk=desk), body.format(desk=desk, url=url)


def code(desk: str, language: str, digits: str) -> str:
    """The text message with the code."""
    return _CODE[_known(language)].format(desk=desk, code=digits)


def told(language: str, text: str, *, page: str, leave: str) -> str:
    """The body of an e-mail about an update."""
    return _TOLD[_known(language)].format(text=text, page=page, leave=leave)
