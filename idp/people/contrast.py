"""Colours that stay legible, whatever colour a school chose (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass

WHITE = (255, 255, 255)
BLACK = (0, 0, 0)
DARK_SURFACE = (29, 33, 39)
LIGHT_SURFACES = (WHITE, (243, 244, 246))
DARK_SURFACES = (DARK_SURFACE, (20, 23, 28))
"""``--surface`` and ``--paper`` of ``idp.css``, on which coloured text and buttons stand."""
DARK_TEXT = (17, 20, 24)
ENOUGH = 4.7
"""AA asks for 4.5; a little more survives rounding to eight bits."""

DEFAULT_COLOUR = "#1d4f91"

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scheme:
    """The colours of one scheme (light or dark), as ``#rrggbb``."""

    accent: str
    """Buttons and links: stands out from the surface and from ``soft``."""
    strong: str
    """The accent under a pointer."""
    on_accent: str
    """Text on ``accent`` and ``strong``."""
    soft: str
    """A tint of the school's colour, for a pane."""


def light_scheme(colour: str) -> Scheme:
    """The school's colour, darkened as far as white paper needs it."""
    base = parse(colour)
    soft = mix(base, WHITE, 0.9)
    accent = _until_legible(base, BLACK, (*LIGHT_SURFACES, soft))
    return Scheme(to_hex(accent), to_hex(mix(accent, BLACK, 0.18)), to_hex(WHITE), to_hex(soft))


def dark_scheme(colour: str) -> Scheme:
    """The school's colour, lightened as far as a dark surface needs it."""
    base = parse(colour)
    soft = mix(base, DARK_SURFACE, 0.82)
    accent = _until_legible(base, WHITE, (*DARK_SURFACES, soft, DARK_TEXT))
    return Scheme(to_hex(accent), to_hex(mix(accent, WHITE, 0.25)), to_hex(DARK_TEXT), to_hex(soft))


@dataclass(frozen=True)
class Proof:
    """What the pages make of a school's colour in one scheme; ratios of WCAG 2.2."""

    surface: str
    ink: str
    scheme: Scheme
    typed: float
    """The ratio of the colour itself, as text on the surface."""
    link: float
    button: float
    moved: bool
    """Whether the page's accent is visibly another colour than the school's."""

    @property
    def enough(self) -> bool:
        return min(self.link, self.button) >= 4.5


MOVED = 1.35
"""From this ratio between two colours on, people see that they differ."""


def proofs(colour: str) -> tuple[Proof, Proof]:
    """A colour tried in the light and in the dark scheme."""
    light, dark = light_scheme(colour), dark_scheme(colour)
    return _proof(colour, light, WHITE, DARK_TEXT), _proof(colour, dark, DARK_SURFACE, WHITE)


def _proof(colour: str, scheme: Scheme, surface: Colour, ink: Colour) -> Proof:
    base, accent = parse(colour), parse(scheme.accent)
    return Proof(
        surface=to_hex(surface),
        ink=to_hex(ink),
        scheme=scheme,
        typed=contrast(base, surface),
        link=contrast(accent, surface),
        button=contrast(parse(scheme.on_accent), accent),
        moved=contrast(base, accent) >= MOVED,
    )


def text_on(colour: str) -> str:
    """White or near-black: whichever reads better on ``colour``."""
    base = parse(colour)
    better = max(WHITE, DARK_TEXT, key=lambda text: contrast(base, text))
    return to_hex(better)


def parse(colour: str) -> Colour:
    """``#rrggbb`` as three bytes; the default colour where it is anything else."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        colour = DEFAULT_COLOUR
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def to_hex(colour: Colour) -> str:
    """``#rrggbb`` of three bytes."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """``colour`` with ``share`` (0 to 1) of ``other`` in it."""
    red, green, blue = (
        round(one * (1 - share) + two * share) for one, two in zip(colour, other, strict=True)
    )
    return red, green, blue


def contrast(one: Colour, two: Colour) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _until_legible(base: Colour, towards: Colour, surfaces: tuple[Colour, ...]) -> Colour:
    """``base`` with just enough more (or less) light; its hue stays."""
    hue, light, saturation = rgb_to_hls(*(channel / 255 for channel in base))
    goal = 1.0 if towards == WHITE else 0.0
    for step in range(51):
        lit = hls_to_rgb(hue, light + (goal - light) * step / 50, saturation)
        candidate = (round(lit[0] * 255), round(lit[1] * 255), round(lit[2] * 255))
        if all(contrast(candidate, surface) >= ENOUGH for surface in surfaces):
            break
    return candidate


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
