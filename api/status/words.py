"""The status page's words, in the languages that desks speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from ivr.statuspage.summary import Indicator, ServiceState
from ivr.typography import time_of_day, window

#: What each language calls itself.
LANGUAGES: Mapping[str, str] = {"fr": "Français", "en": "English"}

WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "title": "État des services",
        "languages": "Langue",
        "colon": "\u00a0:",
        "feed": "Fil Atom",
        "rss": "Fil RSS",
        "services": "Les services, sur 90 jours",
        "history": "Derniers incidents",
        "nothing": "Aucun incident depuis 90 jours.",
        "nothing_else": "Aucun autre incident depuis 90 jours.",
        "as_of": "À jour le",
        "back": "Tous les services",
        "subscribe": "S’abonner",
        "maintenance": "Entretien des services",
        "calendar": "Calendrier des entretiens",
        "impact": "effet prévu :",
        "report": "Recevoir le rapport d’incident",
        "report_about": "Un rapport est publié dans les 10 jours ouvrables. Nous l’envoyons à qui le demande.",
        "report_address": "Adresse courriel",
        "report_ask": "Demander le rapport",
    },
    "en": {
        "title": "Service status",
        "languages": "Language",
        "colon": ":",
        "feed": "Atom feed",
        "rss": "RSS feed",
        "services": "Services, over 90 days",
        "history": "Past incidents",
        "nothing": "No incident in the last 90 days.",
        "nothing_else": "No other incident in the last 90 days.",
        "as_of": "As of",
        "back": "All services",
        "subscribe": "Subscribe",
        "maintenance": "Maintenance",
        "calendar": "Maintenance calendar",
        "impact": "expected impact:",
        "report": "Get the incident report",
        "report_about": "A report is published within 10 working days. We send it to whoever asks.",
        "report_address": "E-mail address",
        "report_ask": "Ask for the report",
    },
}
#: What is said while somebody subscribes.
SUBSCRIBING: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "title": "S’abonner à l’état des services",
        "about": "Recevez les nouvelles de chaque incident dès qu’elles sont publiées, jusqu’à la fin.",
        "none": "L’abonnement par courriel et par texto n’est pas offert en ce moment. Il reste le fil\u00a0:",
        "email": "Par courriel",
        "sms": "Par texto",
        "label_email": "Adresse courriel",
        "label_sms": "Numéro de cellulaire, avec l’indicatif régional",
        "services": "Seulement pour ces services (aucun coché : tous)",
        "subscribe": "S’abonner",
        "wrong_email": "Ce n’est pas une adresse courriel. Écrivez-la comme nom@exemple.ca.",
        "wrong_sms": "Nous ne pouvons pas envoyer de textos à ce numéro. Écrivez-le comme 418 555-0123.",
        "wrong_services": "Ce service n’existe pas. Choisissez dans la liste.",
        "asked": "Si cette adresse n’est pas déjà abonnée, un courriel vient de lui être envoyé. "
        "Ouvrez-le pour confirmer l’abonnement.",
        "sms_later": "Par texto : abonnez-vous d’abord par courriel. Il est offert quand l’adresse est confirmée.",
        "sms_too": "Voulez-vous aussi recevoir des textos ?",
        "wrong_token": "Confirmez d’abord une adresse courriel : le texto est offert ensuite.",
        "code_sent": "Si ce numéro n’est pas déjà abonné, un texto vient de lui être envoyé.",
        "code": "Code à six chiffres reçu par texto",
        "wrong_code": "Ce code n’est pas le bon, ou il n’est plus valable.",
        "confirm": "Confirmer l’abonnement",
        "confirm_asked": "Voulez-vous recevoir l’état des services à cette adresse\u00a0?",
        "confirmed": "C’est fait, vous êtes abonné.",
        "stale": "Ce lien n’est plus valable. Abonnez-vous de nouveau.",
        "leave": "Me désabonner",
        "leave_asked": "Ne plus recevoir l’état des services\u00a0?",
        "left": "C’est fait, vous n’êtes plus abonné.",
        "follow": "Recevoir les textos",
        "follow_asked": "Voulez-vous recevoir un texto à chaque étape de la panne\u00a0?",
        "followed": "C’est fait, vous recevrez un texto à chaque étape.",
        "stale_follow": "Ce lien n’est plus valable. Appelez-nous, ou abonnez-vous à l’état des services.",
        "title_report": "Rapport d’incident",
        "missing": "Cette page n’existe pas, ou n’existe plus.",
        "report_asked": "Si cette adresse n’a pas déjà demandé le rapport, un courriel vient de lui être envoyé. "
        "Ouvrez-le pour confirmer.",
        "report_wrong": "Ce n’est pas une adresse courriel. Revenez et écrivez-la comme nom@exemple.ca.",
        "report_confirm": "Oui, envoyez-le-moi",
        "report_confirm_asked": "Voulez-vous recevoir le rapport sur cet incident dès qu’il sera publié\u00a0?",
        "report_confirmed": "C’est noté. Le rapport vous sera envoyé par courriel.",
        "report_stale": "Ce lien n’est plus valable. Demandez le rapport de nouveau.",
        "busy": "Trop de demandes nous sont parvenues. Réessayez dans quelques minutes.",
        "forged": "La demande ne vient pas de cette page. Revenez à l’état des services et recommencez.",
    },
    "en": {
        "title": "Subscribe to the service status",
        "about": "Get the news of every incident as it is published, to its end.",
        "none": "Subscribing by e-mail or text message is not offered at the moment. There is the feed:",
        "email": "By e-mail",
        "sms": "By text message",
        "label_email": "E-mail address",
        "label_sms": "Cell phone number, with its area code",
        "services": "For these services only (none checked: all)",
        "subscribe": "Subscribe",
        "wrong_email": "This is not an e-mail address. Write it as name@example.com.",
        "wrong_sms": "We cannot send text messages to this number. Write it as 418 555-0123.",
        "wrong_services": "There is no such service. Choose from the list.",
        "asked": "Unless this address is subscribed already, an e-mail has just been sent to it. "
        "Open it to confirm the subscription.",
        "sms_later": "By text message: subscribe by e-mail first. It is offered once that address is confirmed.",
        "sms_too": "Would you like text messages as well?",
        "wrong_token": "Confirm an e-mail address first: text messages are offered then.",
        "code_sent": "Unless this number is subscribed already, a text message has just been sent to it.",
        "code": "Six-digit code from the text message",
        "wrong_code": "This is not the code, or it is not valid any more.",
        "confirm": "Confirm the subscription",
        "confirm_asked": "Do you want to get the service status at this address?",
        "confirmed": "Done, you are subscribed.",
        "stale": "This link is not valid any more. Please subscribe again.",
        "leave": "Unsubscribe",
        "leave_asked": "Stop getting the service status?",
        "left": "Done, you are not subscribed any more.",
        "follow": "Get the text messages",
        "follow_asked": "Do you want a text message at each stage of the outage?",
        "followed": "Done, you will get a text message at each stage.",
        "stale_follow": "This link is not valid any more. Call us, or subscribe to the service status.",
        "title_report": "Incident report",
        "missing": "This page does not exist, or not any more.",
        "report_asked": "Unless this address has asked for the report already, an e-mail has just been sent to it. "
        "Open it to confirm.",
        "report_wrong": "This is not an e-mail address. Go back and write it as name@example.com.",
        "report_confirm": "Yes, send it to me",
        "report_confirm_asked": "Do you want to get the report on this incident as soon as it is published?",
        "report_confirmed": "Noted. The report will be sent to you by e-mail.",
        "report_stale": "This link is not valid any more. Please ask for the report again.",
        "busy": "We received too many requests. Try again in a few minutes.",
        "forged": "The request does not come from this page. Go back to the service status and start again.",
    },
}
LEVELS: Mapping[str, Mapping[Indicator, str]] = {
    "fr": {"none": "opérationnel", "minor": "perturbé", "major": "panne partielle", "critical": "panne majeure"},
    "en": {"none": "operational", "minor": "degraded", "major": "partial outage", "critical": "major outage"},
}
_DAYS: Mapping[str, str] = {
    "fr": "{good} jours sans incident sur {all}",
    "en": "{good} days without an incident out of {all}",
}


def filters(language: str, zone: ZoneInfo) -> dict[str, Callable[..., str]]:
    """How the page says moments, days and bars."""
    locale = f"{language}_CA"

    def spoken(at: datetime) -> str:
        return f"{format_date(at.astimezone(zone), 'long', locale=locale)}, {time_of_day(at, zone, language)}"

    def until(begins: datetime, ends: datetime) -> str:
        return window(begins, ends, zone, day=day_spoken, hour=lambda at: time_of_day(at, zone, language))

    def day_spoken(day: date) -> str:
        return format_date(day, "long", locale=locale)

    def bars_in_words(one: ServiceState) -> str:
        good = sum(day.worst == "none" for day in one.days)
        return _DAYS[language].format(good=good, all=len(one.days))

    return {"spoken": spoken, "until": until, "day_spoken": day_spoken, "bars_in_words": bars_in_words}
