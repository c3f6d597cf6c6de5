"""Headers as the products of the field export them: what each column is taken for."""

import pytest

from idp.roster import guessing
from idp.roster.mapping import Mapping

PUPIL = {"given": "pupil.given", "family": "pupil.family", "class": "pupil.class"}

PRODUCTS: dict[str, dict[str, str]] = {
    "Smartschool": {
        "Naam": "pupil.family",
        "Voornaam": "pupil.given",
        "Gebruikersnaam": "-",
        "Intern nummer": "pupil.number",
        "Klascode": "pupil.class",
        "Klasnummer": "-",
        "Naam coaccount 1": "guardian.1.family",
        "Voornaam coaccount 1": "guardian.1.given",
        "E-mailadres coaccount 1": "guardian.1.email",
        "Type coaccount 1": "-",
        "Naam coaccount 2": "guardian.2.family",
        "Voornaam coaccount 2": "guardian.2.given",
        "E-mailadres coaccount 2": "guardian.2.email",
    },
    "Smartschool, short": {
        "Naam": "pupil.family",
        "Voornaam": "pupil.given",
        "Klas": "pupil.class",
        "Naam ouder 1": "guardian.1.family",
        "Voornaam ouder 1": "guardian.1.given",
        "E-mailadres ouder 1": "guardian.1.email",
    },
    "Magister": {
        "Stamnr": "pupil.number",
        "Voornamen": "-",
        "Roepnaam": "pupil.given",
        "Tussenvoegsel": "pupil.prefix",
        "Achternaam": "pupil.family",
        "Klas": "pupil.class",
        "Geboortedatum": "-",
        "BSN": "-",
        "Ouder/verzorger 1 voorletters": "guardian.1.given",
        "Ouder/verzorger 1 tussenvoegsel": "guardian.1.prefix",
        "Ouder/verzorger 1 achternaam": "guardian.1.family",
        "Ouder/verzorger 1 e-mailadres": "guardian.1.email",
        "Ouder/verzorger 1 mobiel": "-",
    },
    "ParnasSys": {
        "Roepnaam": "pupil.given",
        "Voorvoegsel": "pupil.prefix",
        "Achternaam": "pupil.family",
        "Groep": "pupil.class",
        "Verzorger 1": "guardian.1.name",
        "Verzorger 1 e-mail": "guardian.1.email",
    },
    "Pronote": {
        "ÉLÈVE - NOM": "pupil.family",
        "ÉLÈVE - PRÉNOM": "pupil.given",
        "Né(e) le": "-",
        "Classe": "pupil.class",
        "Responsable 1 - Civilité": "-",
        "Responsable 1 - Nom": "guardian.1.family",
        "Responsable 1 - Prénom": "guardian.1.given",
        "Responsable 1 - Mél": "guardian.1.email",
        "Responsable 1 - Lien de parenté": "guardian.1.relationship",
        "Responsable 1 - Téléphone": "-",
        "Responsable 2 - Nom": "guardian.2.family",
        "Responsable 2 - Prénom": "guardian.2.given",
        "Responsable 2 - Mél": "guardian.2.email",
    },
    "Siècle": {
        "INE": "-",
        "Nom de famille": "pupil.family",
        "Prénom": "pupil.given",
        "Prénom 2": "-",
        "Division": "pupil.class",
        "Nom resp. légal 1": "guardian.1.family",
        "Prénom resp. légal 1": "guardian.1.given",
        "Courriel resp. légal 1": "guardian.1.email",
        "Ligne 1 adresse resp. légal 1": "-",
    },
    "ProEco": {
        "Matric": "pupil.number",
        "Nom Elève": "pupil.family",
        "Prénom Elève": "pupil.given",
        "Classe": "pupil.class",
        "Titulaire": "-",
        "R1 Nom": "guardian.1.family",
        "R1 Prénom": "guardian.1.given",
        "R1 Mail": "guardian.1.email",
        "R1 Lien": "guardian.1.relationship",
        "R1 GSM": "-",
        "R2 Nom": "guardian.2.family",
        "R2 Prénom": "guardian.2.given",
        "R2 Mail": "guardian.2.email",
    },
    "WebUntis": {
        "name": "-",
        "longName": "pupil.family",
        "foreName": "pupil.given",
        "gender": "-",
        "birthDate": "-",
        "klasse.name": "pupil.class",
        "exitDate": "pupil.left_on",
        "externKey": "pupil.number",
        "address.city": "-",
    },
    "German list": {
        "Lfd. Nr.": "-",
        "Nachname": "pupil.family",
        "Vorname": "pupil.given",
        "Klasse": "pupil.class",
        "Erzieher 1 Nachname": "guardian.1.family",
        "Erzieher 1 Vorname": "guardian.1.given",
        "Erzieher 1 E-Mail-Adresse": "guardian.1.email",
        "Erziehungsberechtigter 2": "guardian.2.name",
    },
    "Skolengo": {
        "Identifiant": "pupil.number",
        "Nom": "pupil.family",
        "Prénom": "pupil.given",
        "Classe": "pupil.class",
        "Établissement": "-",
        "Parent 1 Nom": "guardian.1.family",
        "Parent 1 Prénom": "guardian.1.given",
        "Parent 1 Courriel": "guardian.1.email",
    },
    "SDS and the like": {
        "SIS ID": "pupil.number",
        "School SIS ID": "-",
        "First_Name": "pupil.given",
        "Middle_Name": "-",
        "Last_Name": "pupil.family",
        "Username": "-",
        "Homeroom": "pupil.class",
        "Mother_First": "guardian.1.given",
        "Mother": "guardian.1.family",
        "Mother_Email": "guardian.1.email",
        "Father_First": "guardian.2.given",
        "Father_Last": "guardian.2.family",
        "Father_Email": "guardian.2.email",
    },
    "Untis": {
        "Name": "-",
        "Langname": "pupil.family",
        "Vorname": "pupil.given",
        "Klasse": "pupil.class",
        "Gesetzlicher Vertreter": "guardian.1.name",
    },
    "written as one word": {
        "studentFirstName": "pupil.given",
        "studentLastName": "pupil.family",
        "class": "pupil.class",
        "parent1FirstName": "guardian.1.given",
        "parent1LastName": "guardian.1.family",
        "parent1Email": "guardian.1.email",
        "parent1Phone": "-",
        "Parent2FirstName": "guardian.2.given",
        "Parent2LastName": "guardian.2.family",
        "Parent2Email": "guardian.2.email",
    },
    "written as one word, in French": {
        "élèveNom": "pupil.family",
        "élèvePrénom": "pupil.given",
        "Classe": "pupil.class",
        "Responsable1Nom": "guardian.1.family",
        "Responsable1Prénom": "guardian.1.given",
        "RESPONSABLE1MAIL": "guardian.1.email",
        "nomdupère": "guardian.2.family",
        "prénomdupère": "guardian.2.given",
        "mailpère": "guardian.2.email",
    },
    "written as one word, in Dutch": {
        "Leerlingnaam": "pupil.family",
        "Leerlingvoornaam": "pupil.given",
        "Leerlingnummer": "pupil.number",
        "Klas": "pupil.class",
        "Naamvader": "guardian.1.family",
        "Voornaamvader": "guardian.1.given",
        "Mailvader": "guardian.1.email",
        "Gsmvader": "-",
        "ouder2naam": "guardian.2.family",
        "ouder2voornaam": "guardian.2.given",
        "ouder2mail": "guardian.2.email",
    },
    "written as one word, in German": {
        "Schülername": "pupil.name",
        "Klassenname": "pupil.class",
        "Mutternachname": "guardian.1.family",
        "Muttervorname": "guardian.1.given",
        "MutterEMail": "guardian.1.email",
        "Vatername": "guardian.2.name",
        "Vatermail": "guardian.2.email",
    },
    "by law": {
        "Nom": "pupil.family",
        "Prénom": "pupil.given",
        "Vertegenwoordiger": "guardian.1.name",
        "Vertegenwoordiger e-mail": "guardian.1.email",
        "Légal 1": "guardian.2.name",
        "Légal 1 mail": "guardian.2.email",
        "Légal 2": "guardian.3.name",
    },
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_products_columns_are_known_by_their_words(product: str) -> None:
    expected = PRODUCTS[product]
    columns = guessing.guess(list(expected)).columns
    assert {name: columns.get(name, "-") for name in expected} == expected


@pytest.mark.parametrize("cell", ["3A", "1N", "McÉvoy", "Vandenvader", "Mailman", "Kindermans"])
def test_cells_of_people_are_no_words_of_a_header(cell: str) -> None:
    assert not guessing.is_person(cell)
    assert not guessing.says_something(cell)


@pytest.mark.parametrize("word", ["INSZnummer", "BSNnummer", "NissÉlève", "parent1BirthDate"])
def test_c5_a_private_column_written_as_one_word_is_left_alone(word: str) -> None:
    assert guessing.is_private(word)


@pytest.mark.parametrize("word", ["N°", "No", "Nr", "Nr.", "Numéro", "Num", "Nummer"])
def test_n2_a_column_that_counts_the_rows_is_nobodys_number(word: str) -> None:
    header = [word, "Nom", "Prénom", "Classe"]
    counted = [{word: str(place)} for place in (1, 2, 2, 3)]
    assert word not in guessing.guess(header, counted).columns
    assert word not in guessing.guess(header).columns
    numbers = [{word: number} for number in ("2026117", "2026031", "2025340")]
    assert guessing.guess(header, numbers).columns[word] == "pupil.number"


@pytest.mark.parametrize("word", ["Volgnr", "Klasnummer", "N° d'ordre", "Lfd. Nr.", "Rang"])
def test_n2_a_column_that_says_that_it_counts_is_nobodys_number(word: str) -> None:
    numbers = [{word: number} for number in ("17", "4", "9")]
    assert word not in guessing.guess([word, "Nom", "Prénom"], numbers).columns


def test_a_kept_mapping_is_completed_and_its_new_columns_are_told() -> None:
    kept = Mapping(
        {"Nom": "pupil.family", "Prénom": "pupil.given", "Nom mère": "guardian.2.family"},
        {"guardian.2.relationship": "mother"},
        ("Remarques", "Classe"),
    )
    header = [*kept.columns, "Prénom mère", "Classe", "Nom père", "Prénom père", "Matricule"]

    completed = guessing.completed(kept, header)

    assert completed.new == ("Prénom mère", "Nom père", "Prénom père", "Matricule")
    assert completed.mapping.columns == {
        **kept.columns,
        "Prénom mère": "guardian.2.given",
        "Nom père": "guardian.1.family",
        "Prénom père": "guardian.1.given",
        "Matricule": "pupil.number",
    }
    assert completed.mapping.constants == {
        "guardian.1.relationship": "father",
        "guardian.2.relationship": "mother",
    }
    assert completed.mapping.unused == ("Classe",)  # was told to be left alone
