"""Words of the administrators' pages in French: accounts, tokens and the directory."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    # Accounts
    "last_sign_in": "Dernière connexion",
    "account_open": "ouvert",
    "must_change": "mot de passe à changer",
    "must_change_now": "Ce mot de passe vous a été donné. Choisissez le vôtre pour continuer.",
    "password_given": "Mot de passe de",
    "password_given_hint": (
        "Il n’est montré qu’une fois. Remettez-le en personne ou par téléphone ; il devra être changé à la prochaine "
        "connexion."
    ),
    "password_made_hint": "Laissez vide : un mot de passe est fait et montré une fois.",
    "give_password": "Donner un mot de passe",
    "reset_second_factor": "Retirer la double vérification",
    "reopen": "Rouvrir",
    "locked_hint": "Après trop d’essais, un compte se débloque de lui-même en un quart d’heure.",
    "your_own": "C’est votre compte :",
    "sessions": "Sessions ouvertes",
    "signed_in": "Connexion",
    "last_used": "Dernier usage",
    "this_session": "celle-ci",
    "end_session": "Fermer la session",
    "end_all": "Fermer toutes les sessions",
    "end_others": "Fermer toutes les autres",
    "no_sessions": "Aucune session ouverte.",
    # Tokens
    "tokens": "Jetons",
    "tokens_hint": "Un jeton ouvre l’API à un autre logiciel. Il n’est montré qu’une fois, à sa création.",
    "token_given": "Jeton de",
    "token_given_hint": "Copiez-le maintenant : il ne sera plus montré.",
    "token_name": "Pour qui",
    "scopes": "Droits",
    "scope_read": "lire",
    "scope_write": "lire et modifier les appels, billets, incidents",
    "scope_persons": "exporter et effacer les données d’une personne",
    "scope_directory_read": "lire l’annuaire",
    "scope_directory_write": "modifier l’annuaire",
    "good_until": "Valide jusqu’au",
    "until_revoked": "révocation",
    "over": "échu",
    "revoke": "Révoquer",
    "make_token": "Créer un jeton",
    "make": "Créer",
    "days_good": "Valide (jours)",
    "days_hint": "Laissez vide pour un jeton sans échéance.",
}

#: What forms are told.
SAID: Mapping[str, str] = {
    "is the one you have": "est celui que vous avez",
    "the account is open": "le compte est ouvert",
    "give it another password instead": "donnez-lui plutôt un autre mot de passe",
    "a partner's account stays a partner's": "le compte d’un partenaire reste à un partenaire",
    "close it, and add another account": "fermez-le et ajoutez un autre compte",
    "this is the last administrator": "c’est la dernière personne de l’administration",
    "make somebody else an administrator first": "donnez d’abord ce rôle à quelqu’un d’autre",
    "this is not a technician's phone": "ce n’est pas le téléphone d’un technicien",
    "give the phone of a technician of the directory": "donnez le téléphone d’un technicien de l’annuaire",
    "there is no such partner": "ce partenaire n’existe pas",
    "is not a role": "n’est pas un rôle",
    "is not a name of a token": "n’est pas le nom d’un jeton",
    "say who will use it, in one line of at most 100 characters": (
        "dites qui s’en servira, en une ligne d’au plus 100 caractères"
    ),
    "say what the token may do": "choisissez au moins un droit",
    "is not a number of days": "n’est pas un nombre de jours",
    "give digits, or nothing": "donnez des chiffres, ou rien",
}

#: What was done, as the audit has it.
ACTIONS: Mapping[str, str] = {
    "change account": "modifier un compte",
    "reopen account": "rouvrir un compte",
    "give password": "donner un mot de passe",
    "reset second factor": "retirer la double vérification d’un compte",
    "end sessions of": "fermer les sessions d’un compte",
    "end own sessions": "fermer ses autres sessions",
    "make token": "créer un jeton",
    "revoke token": "révoquer un jeton",
}

#: Beginnings of what is followed by a text of the case at hand.
BEGINS: Mapping[str, str] = {}
