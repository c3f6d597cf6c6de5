"""What there is to try: a table for people, ``instance/demo.json`` for programs."""

import json
from collections.abc import Mapping
from typing import Any

from examples.demo import places
from examples.demo.applications import CURL_REDIRECT_URI, Application
from examples.demo.enrolment import PASSWORD
from examples.demo.foreign_people import PROVIDERS, ForeignProvider
from examples.demo.ports import HOST, Ports
from examples.demo.school_year import SCHOOLS, families
from idp.credentials import one_time_tokens
from idp.lifecycle.mails.requests import issue_letter_token
from idp.people import guardianships
from idp.people.accounts import find_by_username
from idp.people.models import Account


def describe(
    applications: Mapping[str, Application], staff: list[dict[str, Any]], ports: Ports
) -> dict[str, Any]:
    """Everything to try, and write it to ``instance/demo.json``."""
    portal, portal2 = f"http://{HOST}:{ports.portal}", f"http://{HOST}:{ports.portal2}"
    curl = applications["demo-curl"]
    document = {
        "issuer": ports.issuer,
        "portals": [
            _portal("tilleuls", portal, applications),
            _portal("moulin", portal2, applications),
        ],
        "mailbox": f"{portal}/mailbox",
        "providers": [_provider(each, ports) for each in PROVIDERS],
        "accounts": _accounts(_known_tokens()),
        "desk": f"{ports.issuer}/admin/",
        "authenticator": f"{portal}/authenticator",
        "staff": staff,
        "curl_client": {
            "client_id": curl.client_id,
            "client_secret": curl.client_secret,
            "redirect_uri": CURL_REDIRECT_URI,
        },
    }
    places.write_private(places.SUMMARY, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return document


def table(document: Mapping[str, Any]) -> str:
    """The same for people."""
    portals = document["portals"]
    addresses: list[tuple[str, ...]] = [
        ("identity provider", document["issuer"]),
        *((portal["school"], portal["url"]) for portal in portals),
        ("third-party application", f"{portals[-1]['url']}/coup-de-pouce"),
        *((f"{each['label']} stand-in", each["url"]) for each in document["providers"]),
        ("school desk", document["desk"]),
        ("codes of its staff", document["authenticator"]),
        ("mailbox", f"{document['mailbox']}   (as JSON: {document['mailbox']}.json)"),
    ]
    accounts: list[tuple[str, ...]] = [
        ("case", "user name", "password or token", "e-mail", "portal", "children")
    ]
    accounts += [_row(account, portals) for account in document["accounts"]]
    staff = [("at the desk", "user name", "password", "school"), *map(_clerk, document["staff"])]
    people = [("at", "who", "opens the account"), *_people(document)]
    curl = document["curl_client"]
    summary, logs, settings = map(places.shown, (places.SUMMARY, places.LOGS, places.SETTINGS))
    return "\n".join(
        [
            "",
            *_columns(addresses),
            "",
            *_columns(accounts),
            "",
            *_columns(people),
            "",
            *_columns(staff),
            "",
            f"  By hand: client {curl['client_id']}, secret {curl['client_secret']},",
            f"  redirect URI {curl['redirect_uri']}",
            "",
            f"  This is also in {summary}; the logs are in {logs}/.",
            f"  Commands in another terminal: .venv/bin/idp --env-file {settings} …",
            "  Ctrl-C ends the demo and keeps its data; `make demo-reset` forgets them.",
            "",
        ]
    )


def _portal(key: str, url: str, applications: Mapping[str, Application]) -> dict[str, str]:
    client_id = applications[f"portal-{key}"].client_id
    return {"url": url, "school": SCHOOLS[key].name, "client_id": client_id}


def _provider(provider: ForeignProvider, ports: Ports) -> dict[str, Any]:
    people = [
        {"name": each.name, "subject": each.subject, "account": each.opens}
        for each in provider.people
    ]
    url = provider.url(ports)
    return {"key": provider.key, "label": provider.label, "url": url, "people": people}


def _people(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (provider["label"], person["name"], person["account"] or "none yet")
        for provider in document["providers"]
        for person in provider["people"]
    ]


def _linked(username: str) -> dict[str, str]:
    """Which foreign person opens this account, by the provider's key."""
    return {
        provider.key: person.name
        for provider in PROVIDERS
        for person in provider.people
        if person.opens == username
    }


def _accounts(tokens: Mapping[str, str]) -> list[dict[str, Any]]:
    guardians = [guardian for family in families() for guardian in family.guardians]
    rows = []
    for guardian in guardians:
        account = find_by_username(guardian.username) if guardian.case else None
        if account is None:
            continue
        proof = _proof(account, guardian.status, tokens.get(guardian.username, ""))
        rows.append(
            {
                "case": guardian.case,
                "username": account.username,
                **proof,
                "email": account.email,
                "linked": _linked(account.username),
                "children": _children(account),
            }
        )
    return rows


def _proof(account: Account, at_first: str, token: str) -> dict[str, str | None]:
    """The demo's password, or the token of an account that waits for its first sign-in."""
    if at_first == "active":
        return {"password": PASSWORD}
    if account.status != "invited":
        return {"token": None}  # somebody has chosen a password since: only they know it
    if not isinstance(one_time_tokens.find(token), one_time_tokens.Live):
        token = issue_letter_token(account.id)
    return {"token": token}


def _children(account: Account) -> list[dict[str, str]]:
    return [
        {"name": child.full_name, "class": child.class_name, "school": child.school.name}
        for child, _ in guardianships.live_children(account.id)
    ]


def _known_tokens() -> dict[str, str]:
    """The tokens that an earlier start made: the provider itself keeps only their hashes."""
    try:
        accounts = json.loads(places.SUMMARY.read_text(encoding="utf-8"))["accounts"]
        return {each["username"]: each.get("token") or "" for each in accounts}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _row(account: Mapping[str, Any], portals: list[dict[str, str]]) -> tuple[str, ...]:
    proof = account.get("password") or account.get("token") or "(chosen by you)"
    children = ", ".join(f"{child['name']} ({child['class']})" for child in account["children"])
    schools = {child["school"] for child in account["children"]}
    where = ", ".join(each["url"] for each in portals if each["school"] in schools)
    return (
        account["case"],
        account["username"],
        proof,
        account["email"],
        where or "either",
        children or "none",
    )


def _clerk(clerk: Mapping[str, Any]) -> tuple[str, ...]:
    return (clerk["role"], clerk["username"], clerk["password"], clerk["school"] or "all schools")


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [
        "  " + "  ".join([*(text.ljust(w) for text, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
