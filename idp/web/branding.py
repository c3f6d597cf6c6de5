"""The school whose application sent the parent: its name, logo, colour and contact on our pages.

Colours reach the page as custom properties of a stylesheet of the school's own
(``/branding/<id>.css``), because our policy allows no inline style.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256

from flask import Blueprint, Flask, Response, g, url_for
from flask_babel import refresh
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.local import LocalProxy

from idp import settings
from idp.clients import logos, registration
from idp.clients.models import ClientRow
from idp.database import db
from idp.people import contrast, guardianships, staff
from idp.people import schools as kept
from idp.people.models import School
from idp.people.schools import find_school
from idp.web.errors import PageError

blueprint = Blueprint("branding", __name__, url_prefix="/branding")

A_YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class Branding:
    """Whose page this is. ``school`` is its id, None where no single school is known."""

    name: str
    school: str | None = None
    logo_url: str | None = None
    css_url: str | None = None
    contact_name: str = ""
    contact_email: str = ""
    contact_phone: str = ""
    languages: tuple[str, ...] = settings.LOCALES
    """What its pages offer. A school's own language stands first."""
    hidden_providers: frozenset[str] = frozenset()
    """The keys of the providers that its sign-in pages do not offer."""
    lets_stay: bool = False
    """Whether a family's own device may stay signed in, where all else is well."""
    to_staff: bool = False
    """Whether the page is for somebody who works for a school, and is nobody's parent there."""

    @property
    def has_contact(self) -> bool:
        return bool(self.contact_name or self.contact_email or self.contact_phone)

    @property
    def monogram(self) -> str:
        """What stands where a school has no logo: the first letters of its name."""
        words = [word for word in re.split(r"[\s'’.-]+", self.name) if word[:1].isalnum()]
        capitals = [word[0] for word in words if word[0].isupper()] or [w[0] for w in words]
        return "".join(capitals[:2]).upper()


def init_app(app: Flask) -> None:
    """Make ``branding`` known to every template, and how its long addresses break."""
    app.jinja_env.filters["breakable"] = breakable

    @app.context_processor
    def _context() -> dict[str, Branding]:
        return {"branding": current()}


def breakable(address: str) -> Markup:
    """An address or a name for programs: it may break before @ and dots, after « _ » and « / ».

    A ``<wbr>`` is not copied with the text, as a space of no width would be.
    """
    parts = re.split(r"(?=[@.])|(?<=[_/])", address)
    return Markup("<wbr>").join(parts)


def current() -> Branding:
    """The branding of this request: the waiting application's, or the platform's own."""
    branding = g.get("branding")
    if type(branding) is LocalProxy:
        branding = branding._get_current_object()
    return branding or Branding(settings.current().platform_name)


def use(branding: Branding) -> Branding:
    """Give this request's pages, its error pages too, this branding."""
    g.branding = branding
    refresh()  # its languages count in what the page speaks
    return branding


def use_when_asked(make: Callable[[], Branding]) -> None:
    """``use`` what ``make`` returns, once something is shown or said: who only goes on asks for
    nothing. An error page without a database has the platform's face.
    """

    @cache
    def made() -> Branding:
        try:
            return make()
        except SQLAlchemyError:
            db.session.rollback()  # whoever goes on may ask again, on another connection
            return Branding(settings.current().platform_name)

    g.branding = LocalProxy(made)
    refresh()


def use_school(school: School) -> Branding:
    """Brand this request's pages for one school."""
    return use(branding_for(school))


def use_school_of(account_id: str) -> None:
    """Brand this request's pages for the school of a guardian's children, where it is one; for a
    colleague who has none there, for the school of their work.
    """
    schools = guardianships.schools_of(account_id)
    if schools:
        if len(schools) == 1:
            use_school(*schools)
        return
    if roles := staff.roles_of(account_id):
        ids = {role.school_id for role in roles}
        school = find_school(ids.pop() or "") if len(ids) == 1 else None
        use(replace(branding_for(school), to_staff=True))


def use_school_named(school_id: str) -> None:
    """Brand this request's pages for the school that an address names, where there is one."""
    school = find_school(school_id) if re.fullmatch(r"[\w-]{1,32}", school_id) else None
    if school is not None:
        use_school(school)


def branding_for(school: School | None) -> Branding:
    """The school's own face, or the platform's."""
    if school is not None:
        return _of_school(school)
    return Branding(settings.current().platform_name, lets_stay=kept.any_lets_stay(()))


def of_application(client: ClientRow | None) -> Branding:
    """The face of the school that an application serves; one of several shows its own name."""
    if client is None:
        return branding_for(None)
    school, lets_stay = registration.only_school_of(client.id)
    return _of_school(school) if school else Branding(client.name, lets_stay=lets_stay)


def _of_school(school: School) -> Branding:
    css = url_for("branding.stylesheet", school_id=school.id, v=_css_version(school))
    logo = school.logo_digest and url_for(
        "branding.logo", school_id=school.id, v=school.logo_digest[:12]
    )
    return Branding(
        name=school.name,
        school=school.id,
        logo_url=logo,
        css_url=css,
        contact_name=school.contact_name,
        contact_email=school.contact_email,
        contact_phone=school.contact_phone,
        languages=kept.offered_languages(school),
        hidden_providers=kept.hidden_providers(school),
        lets_stay=kept.any_lets_stay([school]),
    )


@blueprint.get("/<school_id>.css")
def stylesheet(school_id: str) -> Response:
    """The school's colour, as custom properties that keep text legible in both schemes."""
    school = _school_or_404(school_id)
    return _cached(Response(_css(school.colour), mimetype="text/css"), _css_version(school))


@blueprint.get("/<school_id>/logo.png")
def logo(school_id: str) -> Response:
    """The school's logo, from our own storage (security rule O19)."""
    school = _school_or_404(school_id)
    if not school.logo_png:
        raise PageError("not_found", 404)
    return _cached(Response(school.logo_png, mimetype="image/png"), school.logo_digest or "")


@blueprint.get("/application/<client_id>/logo.png")
def application_logo(client_id: str) -> Response:
    """An application's logo, from our own storage (security rule O19)."""
    stored = logos.find_logo(client_id) if re.fullmatch(r"[\w-]{1,64}", client_id) else None
    if stored is None:
        raise PageError("not_found", 404)
    return _cached(Response(stored.png, mimetype="image/png"), stored.digest)


def logo_url_of(client: ClientRow) -> str | None:
    """Where pages find this application's logo; None where it has none."""
    if "logo_uri" not in client.metadata_:
        return None
    digest = logos.digest_of(client.id)
    where = "branding.application_logo"
    return digest and url_for(where, client_id=client.id, v=digest[:12])


def _school_or_404(school_id: str) -> School:
    school = find_school(school_id) if re.fullmatch(r"[\w-]{1,32}", school_id) else None
    if school is None:
        raise PageError("not_found", 404)
    return school


def _cached(response: Response, version: str) -> Response:
    # The address carries the version, so a changed colour or logo has another address.
    response.cache_control.public = True
    response.cache_control.max_age = A_YEAR
    response.set_etag(version)
    return response


def _css_version(school: School) -> str:
    return sha256(_css(school.colour).encode()).hexdigest()[:12]


def _css(colour: str) -> str:
    light, dark = contrast.light_scheme(colour), contrast.dark_scheme(colour)
    school = contrast.to_hex(contrast.parse(colour))
    return (
        f":root{{--school:{school};--on-school:{contrast.text_on(school)};"
        f"{_properties(light)}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{_properties(dark)}}}}}\n"
    )


def _properties(scheme: contrast.Scheme) -> str:
    return (
        f"--accent:{scheme.accent};--accent-strong:{scheme.strong};"
        f"--on-accent:{scheme.on_accent};--accent-soft:{scheme.soft}"
    )
