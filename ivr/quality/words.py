"""The verdict in words, in French and in English."""

from __future__ import annotations

from ivr.quality.verdict import Reason, Verdict
from ivr.typography import typeset_all

CAUSES = {
    "fr": {
        "uplink": "Liaison montante du client : ce que le téléphone envoie se perd avant de nous parvenir.",
        "downlink": "Liaison descendante du client : ce que nous envoyons se perd avant le téléphone.",
        "access": "Accès du client : les deux sens sont touchés entre le téléphone et nous.",
        "trunk": "Fournisseur : le défaut est du côté du réseau téléphonique public.",
        "other-party": "Accès de l’autre téléphone : le défaut est du côté de l’interlocuteur.",
        "ours": "Notre réseau : les deux côtés de l’appel sont touchés à la fois.",
        "inconclusive": "Non concluant : les mesures ne désignent pas de côté.",
    },
    "en": {
        "uplink": "The customer's uplink: what the phone sends is lost before it reaches us.",
        "downlink": "The customer's downlink: what we send is lost before it reaches the phone.",
        "access": "The customer's access: both directions between the phone and us are affected.",
        "trunk": "A supplier: the fault is on the side of the public telephone network.",
        "other-party": "The other phone's access: the fault is on the other party's side.",
        "ours": "Our own network: both sides of the call are affected at once.",
        "inconclusive": "Inconclusive: the figures point to no side.",
    },
}

_REASONS = {
    "fr": {
        "no-packets": "Aucun paquet audio n’a été vu, ni dans un sens ni dans l’autre.",
        "too-short": "Trop peu d’audio pour juger ({packets:.0f} paquets).",
        "near-up-loss": "Le téléphone : {loss:.1f} % des paquets perdus vers nous.",
        "near-up-jitter": "Le téléphone : gigue de {jitter:.0f} ms vers nous.",
        "near-up-silent": "Le téléphone n’a envoyé aucun audio.",
        "near-up-unknown": "Le téléphone : pertes vers nous inconnues.",
        "near-down-loss": "Le téléphone : {loss:.1f} % des paquets perdus à partir de nous.",
        "near-down-jitter": "Le téléphone : gigue de {jitter:.0f} ms à partir de nous.",
        "near-down-unknown": "Le téléphone ne dit pas ce qu’il a reçu.",
        "far-up-loss": "L’autre côté : {loss:.1f} % des paquets perdus vers nous.",
        "far-up-jitter": "L’autre côté : gigue de {jitter:.0f} ms vers nous.",
        "far-up-silent": "L’autre côté n’a envoyé aucun audio.",
        "far-up-unknown": "L’autre côté : pertes vers nous inconnues.",
        "far-down-loss": "L’autre côté : {loss:.1f} % des paquets perdus à partir de nous.",
        "far-down-jitter": "L’autre côté : gigue de {jitter:.0f} ms à partir de nous.",
        "far-down-unknown": "L’autre côté ne dit pas ce qu’il a reçu.",
        "near-slow": "Le téléphone : {rtt:.0f} ms aller-retour.",
        "far-slow": "L’autre côté : {rtt:.0f} ms aller-retour.",
        "many-calls": "{calls:.0f} autres appels avaient le même défaut au même moment.",
        "mixed": "Les deux côtés sont touchés de façons différentes : une personne doit regarder.",
        "unknown-direction": "Ce qui est connu est bon, mais un sens au moins est inconnu.",
        "clean": "Les mesures des quatre sens sont bonnes.",
        "given": "D’après les mesures transmises par l’appareil.",
    },
    "en": {
        "no-packets": "No audio packet was seen in either direction.",
        "too-short": "Too little audio to judge ({packets:.0f} packets).",
        "near-up-loss": "The phone: {loss:.1f}% of packets lost on the way to us.",
        "near-up-jitter": "The phone: {jitter:.0f} ms of jitter on the way to us.",
        "near-up-silent": "The phone sent no audio.",
        "near-up-unknown": "The phone: loss on the way to us is unknown.",
        "near-down-loss": "The phone: {loss:.1f}% of packets lost on the way from us.",
        "near-down-jitter": "The phone: {jitter:.0f} ms of jitter on the way from us.",
        "near-down-unknown": "The phone does not say what it received.",
        "far-up-loss": "The other side: {loss:.1f}% of packets lost on the way to us.",
        "far-up-jitter": "The other side: {jitter:.0f} ms of jitter on the way to us.",
        "far-up-silent": "The other side sent no audio.",
        "far-up-unknown": "The other side: loss on the way to us is unknown.",
        "far-down-loss": "The other side: {loss:.1f}% of packets lost on the way from us.",
        "far-down-jitter": "The other side: {jitter:.0f} ms of jitter on the way from us.",
        "far-down-unknown": "The other side does not say what it received.",
        "near-slow": "The phone: {rtt:.0f} ms there and back.",
        "far-slow": "The other side: {rtt:.0f} ms there and back.",
        "many-calls": "{calls:.0f} other calls had the same fault at the same time.",
        "mixed": "Both sides are affected in different ways: a person must look.",
        "unknown-direction": "What is known is good, but at least one direction is unknown.",
        "clean": "The figures of all four directions are good.",
        "given": "By the figures that the device sent.",
    },
}

_ADVICE = {
    "fr": {
        "uplink": "Vérifiez la charge montante du lien Internet, la priorité de la voix et le câblage du téléphone.",
        "downlink": "Vérifiez la charge descendante du lien Internet et le Wi-Fi ou le commutateur du téléphone.",
        "access": "Vérifiez le lien Internet avec votre fournisseur d’accès, puis le routeur et le réseau local.",
        "other-party": "Le défaut est chez l’interlocuteur : demandez-lui de vérifier son lien Internet et son réseau.",
    },
    "en": {
        "uplink": "Check the upload load of the Internet link, the priority given to voice, and the phone's cabling.",
        "downlink": "Check the download load of the Internet link, and the phone's Wi-Fi or switch.",
        "access": "Check the Internet link with your access provider, then the router and the local network.",
        "other-party": "The fault is at the other party's: ask them to check their Internet link and network.",
    },
}


for _words in (CAUSES, _REASONS, _ADVICE):
    _words["fr"] = typeset_all(_words["fr"])


def language_of(language: str | None) -> str:
    """One that there are words in."""
    return language if language in CAUSES else "fr"


def cause_text(verdict: Verdict, language: str) -> str:
    """The verdict in one sentence."""
    return CAUSES[language_of(language)][verdict.cause]


def reason_texts(verdict: Verdict, language: str) -> list[str]:
    """Why, in one sentence each."""
    return [_reason(reason, language_of(language)) for reason in verdict.reasons]


def _reason(reason: Reason, language: str) -> str:
    text = _REASONS[language][reason.key].format(**reason.values)
    # The decimal comma of French.
    return text.replace(".", ",", text[:-1].count(".")) if language == "fr" and "loss" in reason.key else text


def advice(verdict: Verdict, language: str) -> str | None:
    """What the customer can do where the cause is beyond the demarcation point (OV-18, OV-24)."""
    return _ADVICE[language_of(language)].get(verdict.cause)
