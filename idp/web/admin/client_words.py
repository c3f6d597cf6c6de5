"""What the desk says about applications: remarks, findings and explanations, as whole sentences."""

from flask_babel import gettext as _

from idp.clients.recipes import Note, Recipe
from idp.desk.applications.registration_tokens import Registrar
from idp.oidc.diagnosis import Difference
from idp.web.admin import client_choices
from idp.web.dates import day


def registered(by: Registrar) -> str:
    """Who registered an application, and when."""
    when = day(by.at)
    words = {
        "person": _("on %(when)s by %(name)s", when=when, name=by.name),
        "command": _("on %(when)s, by command", when=when),
        "token": _("on %(when)s by itself, with the token for %(label)s", when=when, label=by.name),
        "open": _("on %(when)s by itself, without a token", when=when),
    }
    return words.get(by.kind) or str(_("on %(when)s", when=when))


def note(remark: Note) -> str:
    """What has to change in the registration for this software."""
    named = remark.value.split()
    called = ", ".join(name for key, name, _hint in client_choices.methods() if key in named)
    claims_called = ", ".join(
        name for key, name, _hint in client_choices.id_token_claims() if key in named
    )
    words: dict[str, str] = {
        "callback": _(
            "Register its redirect URI: the address of your site, followed by %(end)s.",
            end=remark.value,
        ),
        "method": _(
            "This software proves itself in another way. Change it to: %(method)s.", method=called
        ),
        "key": _("This application signs with a key; these settings are for a secret."),
        "pkce": _("This software may know no PKCE. If sign-ins fail, take the demand away."),
        "iss": _("This software stumbles over “iss” in an answer. Tick that it is left out."),
        "flat": _("Choose “Flat texts” as the form of the child's details."),
        "scopes": _("This software also needs: %(scopes)s.", scopes=remark.value),
        "claims": _(
            "This software reads the ID token only. Tick there: %(claims)s.", claims=claims_called
        ),
        "keyed": _(
            "This software takes guardians of one e-mail address for one person, and refuses who"
            " has none. Let it get an address made up for it, or see to it that each guardian has"
            " their own."
        ),
        "needed": _(
            "This software refuses guardians without an e-mail address. Let it get an address made"
            " up for it if there are any."
        ),
        "logout": _("Register as address after signing out: %(address)s", address=remark.value),
    }
    return words[remark.code]


def remarks(recipe: Recipe) -> list[str]:
    """What whoever pastes the settings should know: how far they were tried, and what stays."""
    software = recipe.run or recipe.read
    sentences = {
        "run": _(
            "Our tests run these settings with the software itself: %(software)s.",
            software=software,
        ),
        "read": _(
            "Compared with the source of %(software)s. Our tests send what it would send; the"
            " software itself was not run.",
            software=software,
        ),
        "ours": _(
            "By itself this software tells people apart by their e-mail address. These settings"
            " have it go by “sub” instead."
        ),
        "stays": _(
            "Signing out there does not sign out here. On a computer that others use, guardians"
            " sign out on their own page here, too."
        ),
    }
    there = {
        "run": bool(recipe.run),
        "read": bool(recipe.read),
        "ours": recipe.keyed == "ours",
        "stays": recipe.stays_signed_in,
    }
    return [sentences[code] for code, holds in there.items() if holds]


def difference(differs: Difference) -> str:
    """In what the address that failed differs from the registered one."""
    words: dict[str, str] = {
        "scheme": _("One begins with http://, the other with https://."),
        "host": _("The host differs."),
        "port": _("The port differs."),
        "slash": _("One ends with a slash, the other does not."),
        "case": _("Capitals and small letters differ."),
        "encoding": _("A character is written out in one and as a percent code in the other."),
        "path": _("The path differs."),
        "query": _("The part behind “?” differs."),
        "fragment": _("A part behind “#” was added; it is never sent."),
        "other": _("They are spelt differently."),
    }
    return words[differs.kind]


def parameters() -> dict[str, str]:
    """What each parameter of an authorization request is for."""
    return {
        "response_type": _("The application wants a code, which it redeems on its own."),
        "client_id": _("Which application asks."),
        "redirect_uri": _("Where the answer goes; registered to the letter."),
        "scope": _("What it asks for. What is not registered is left out."),
        "state": _("Ties the answer to the browser. New each time."),
        "nonce": _("Comes back in the ID token. New each time."),
        "code_challenge": _("PKCE: only who began can redeem the code. New each time."),
        "code_challenge_method": _("How PKCE is computed. Only S256 is accepted."),
    }


def claims() -> dict[str, str]:
    """What each claim of the two answers says."""
    return {
        "iss": _("Who says it: this provider."),
        "sub": _("The guardian, as this application knows them. The key for its database."),
        "aud": _("For whom it is meant. Here nobody; in a real token the client id."),
        "iat": _("When it was made, in seconds since 1970."),
        "exp": _("Until when it counts. This one has expired already."),
        "auth_time": _("When the guardian signed in."),
        "amr": _("By what the guardian signed in."),
        "acr": _("How surely the guardian signed in."),
        "sid": _("The session, for signing out."),
        "nonce": _("The nonce of the request."),
        "at_hash": _("Ties the access token to this token."),
        "child": _("The child that the guardian chose."),
        "name": _("The guardian's name."),
        "email": _("The guardian's e-mail address."),
        "email_verified": _("Whether the address was proved."),
        "preferred_username": _("The guardian's user name."),
        "locale": _("The guardian's language."),
    }
