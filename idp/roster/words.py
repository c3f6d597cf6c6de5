"""The words that headers of school software use, in four languages, in the form of ``plain``."""

import re
from typing import Final

from idp.people.names import sort_key


def plain(name: str) -> str:
    """A header in lower case, without accents and signs: « givenName », « R1_Nom » as words.

    What is written as one word is taken apart: « parent1Email », « Mailvader », « Nomdupère ».
    """
    split = "".join(
        f" {letter}" if letter.isupper() and before.islower() else letter
        for before, letter in zip(f" {name}", name, strict=False)
    )
    words = re.sub(r"[^a-z0-9]+", " ", sort_key(split.replace("°", " ")).replace("ß", "ss"))
    words = _AROUND_DIGITS.sub(" ", words)
    return " ".join(_GLUED.sub(_apart, words).split())


_AROUND_DIGITS: Final = re.compile(
    r"(?<=[a-z])(?=[0-9])|(?<=[a-z][0-9])(?=[a-z])|(?<=[0-9])(?=[a-z]{3})(?!(ere|eme)\b)"
)
"""Before digits, and after them, but in « 3B » and « 1ère »."""
_SOMEBODY: Final = (
    r"(?:vaders?|moeders?|vater|mutter|eltern|ouders?|verzorgers?|voogd|vormund|leerling(?:en)?"
    r"|schuler(?:in)?|kind(?:es)?|peres?|meres?|papa|maman?|parents?|eleves?|enfants?|tuteurs?"
    r"|responsables?|fathers?|mothers?|mum|mom|dad|students?|pupils?|guardians?|child)"
)
_SOMETHING: Final = (
    r"(?:(?:voor|achter|familie|roep|nach|vor|familien|first|last|given|full)?(?:naam|name)"
    r"|voornamen|prenoms?|noms?|(?:e ?)?mail(?:adres|adresse|address)?|courriel|klas|klasse|classe"
    r"|class|nummer|nr|number|id|gsm|tel|telefoon|telefon|mobiel|adres|adresse|address)"
)
_GLUED: Final = re.compile(
    rf"\b(?:({_SOMEBODY})s?({_SOMETHING})"
    rf"|({_SOMETHING})(?:du|dela|de|van|vande|des)?({_SOMEBODY}))\b"
)
"""Two words of a header that are written as one; never words of people's names."""


def _apart(match: re.Match[str]) -> str:
    return " ".join(filter(None, match.groups()))


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(alternatives)})\b")


NEVER: Final = _any(
    r"niss\w*|insz\w*|rrn|national(nummer)?|registre|rijksregister\w*|ssn|bis|ine|bsn\w*|pgn|eckid|nir|ahv",
    r"onderwijsnummer|naissance|ne le|nee le|ne e le|geboorte\w*|geburt\w*|birth\w*|dob",
    r"rue|straat\w*|strasse\w*|street|code postal|post ?codes?|plz|zip|commune|gemeente|ville",
    r"stad|ort|city|gsm|tel\w*|phone|mobile?|handy|sexe|geslacht|geschlecht|gender|nationalit\w*",
    r"pays|land|country|iban|password|mot de passe|wachtwoord|passwort|kennwort",
)
ADDRESS: Final = _any(r"adresse|adres|address|anschrift|domicile")
EMAIL: Final = _any(
    r"e ?mails?|mails?|courriels?|mel|(e ?)?mail ?(adres|adresse|adressen|address|addresses)",
    r"(adresse|courrier) electronique",
)
OTHERS: Final = _any(
    r"user|username|login|gebruiker|gebruikersnaam|utilisateur|benutzer|school|schule|ecole",
    r"etablissement|instelling|teacher|titulaires?|titularis|leraar|leerkracht|lehrer(in)?",
    r"klassenleit\w*|professeur|medecin|huisarts|arzt|freres?|siblings?|short ?name|kurzname",
    r"civilite|aanspreking|anrede|salutation|profession|beroep|beruf|statut|status|type",
)
"""What is about neither a pupil nor a guardian, or about nothing that is read."""
PUPIL: Final = _any(
    r"eleves?|enfants?|leerlingen|leerling|kind(er|eren)?|kindes|schuler(s|in|innen)?|pupils?",
    r"students?|child|apprenants?|lln",
)
GUARDIAN: Final = _any(
    r"responsables?|resp|rep(resentante?s?)?|parents?|tuteurs?|tutrices?|guardians?|ouders?",
    r"verzorgers?|voogd|verantwoordelijken?|opvoeders?|eltern\w*|vormund|erzieher(in)?|erz ber",
    r"\w*sorgeberechtigte\w*|erziehungsberechtigte\w*|bezugspersone?n?|contact(persoon)?",
    r"co ?accounts?|carers?|caregivers?|agents?|r(?= [1-6]\b)|rl(?= [1-6]\b)|chef de famille",
    r"vertegenwoordigers?|vertreter(s|in)?|erziehungsber|sorgeber|erz(?= [1-6]\b)",
    r"legal(e|es|aux)?(?= [1-6]\b)|next of kin|nok",
)
MOTHER: Final = _any(r"mere|maman|moeder|mama|mutter|mother|mum|mom")
FATHER: Final = _any(r"pere|papa|vader|vater|father|dad")
MIDDLE: Final = _any(
    r"middle|deuxieme|second|tweede|zweiter?|autres? prenoms?|andere voornamen|overige"
)
PREFIX: Final = _any(
    r"tussenvoegsels?|voorvoegsels?|tussenv|tv|infix|name prefix|particules?|vorsatz\w*",
    r"namens(vor)?zusatz|namensvorsatz",
)
NAMES: Final = {
    "given": _any(
        r"prenoms?|voornaam|voornamen|vorname\w*|given ?names?|given|first ?names?|first",
        r"fore ?names?|roepnaam|rufname|voorletters?|initialen|initiales",
    ),
    "family": _any(
        r"nom de famille|nom d usage|familienaam|achternaam|nachname|familienname|zuname|surname",
        r"last ?name|last|(long|lang) ?name|family ?name|family|geslachtsnaam|nom|naam|name",
    ),
    "name": _any(
        r"noms? (et |de famille et )?prenoms?|prenoms? (et )?noms?|nom complet|volledige naam",
        r"(familie|achter)?naam (en )?voornaam|voornaam (en )?(familie|achter)?naam",
        r"((nach|familien)?name) (und )?vorname|vorname (und )?((nach|familien)?name)|full ?name",
        r"display ?name|first (and )?last ?name",
    ),
}
FEW_LETTERS: Final = _any(r"voornamen|voorletters?|initialen|initiales")
"""A given name, where there is no better one: « Roepnaam » stands beside « Voornamen »."""
CLASS: Final = _any(
    r"classes?|klas|klasse|class|groupe classe|klasgroep|klascode|klasnaam|klassen ?name|stamklas",
    r"class ?name|home ?room|klassenbezeichnung|basisklas|code classe",
)
CLASS_MAYBE: Final = _any(
    r"(code )?division|groep|groepsnaam|stamgroep|groupe|code structure|mentorgroep|lerngruppe"
)
NUMBER: Final = _any(
    r"matric(ule)?s?|identifiant|stam(boek)?(nummer|nr)|leerling(en)? ?(nummer|nr)|llnr",
    r"intern ?nummer|schuler ?(nummer|nr)|sourced ?id|sis ?id|student ?(id|number)",
    r"extern(e|al)? ?(id|key)|id|code (eleve|leerling)",
)
NUMBER_MAYBE: Final = _any(r"numero|num|nr|no|number|nummer|n")
"""The school's number of a pupil, unless its cells count the rows."""
ROW_NUMBER: Final = _any(
    r"volg ?(nr|nummer)|klas ?(nr|nummer)|n(umer)?o? d ordre|ordre|rang|lfd|laufende|row|line|rij",
    r"ligne|zeile",
)
RELATIONSHIP: Final = _any(
    r"lien|relation\w*|parente|verwantschap|relatie|band|beziehung|verhaltnis|verwandtschaft\w*",
    r"qualite|hoedanigheid",
)
LEFT: Final = _any(
    r"(date de )?sortie|date de depart|depart|uitschrijv\w*|uitstroom|einddatum|abgang\w*",
    r"austritt\w*|left on|leaving date|leave date|end ?date|exit ?date|datum uit",
)
FILLING: Final = _any(
    r"d|de|du|des|la|le|l|van|het|the|of|der|des|vom|legal(e|es|aux)?|wettelijke?|gesetzliche\w*",
    r"principal(e)?|[1-9]|et|en|und|and|s|compte|in|personne|person|teil",
    r"1er|2eme|2e|2nd|1ere|1e",
)
"""Words that say nothing of what a column holds."""
