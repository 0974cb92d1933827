"""The person to draw: shape, colours and marks of one face."""

import math
from dataclasses import dataclass

import numpy as np

from anonderm.phantom.paint import Colour, lab_to_linear, mix, times

# Individual typology angle of six bands, degrees, close to the Fitzpatrick types. Source: Chardon et al.
# 1991.
ITA_BANDS = {
    "very light": (55.0, 72.0),
    "light": (41.0, 55.0),
    "intermediate": (28.0, 41.0),
    "tan": (10.0, 28.0),
    "brown": (-30.0, 10.0),
    "dark": (-55.0, -30.0),
}

HAIR_STYLES = ("bald", "buzz", "short", "swept", "tied", "bob", "long", "curls", "afro")
_HAIR_SHARES = (0.05, 0.08, 0.23, 0.14, 0.10, 0.13, 0.14, 0.08, 0.05)


@dataclass(frozen=True, slots=True)
class Person:
    """One person. Lengths are shares of the photo's width, y points down, the origin is between the eyes.

    Colours are linear RGB in 0..1; `ita` is the individual typology angle of the skin in degrees.
    """

    ita: float
    skin: Colour
    flush: float
    head_width: float
    head_top: float
    chin: float
    jaw: float
    taper: float
    eye_gap: float
    eye_width: float
    eye_open: float
    eye_tilt: float
    crease: float
    iris: Colour
    brow_y: float
    brow_thick: float
    brow_arch: float
    brow_tilt: float
    brow_dark: float
    nose_y: float
    nose_width: float
    nose_relief: float
    mouth_y: float
    mouth_width: float
    lip_upper: float
    lip_lower: float
    mouth_curve: float
    lips: Colour
    ear: float
    cheek: float
    age: float
    hair_style: str
    hair: Colour
    hair_volume: float
    hairline: float
    peak: float
    recede: float
    fringe: float
    parting: float
    beard: float
    stubble: float
    freckles: int
    moles: int
    backdrop_top: Colour
    backdrop_bottom: Colour
    clothes: Colour
    seed: int


def skin_lab(ita: float, warmth: float = 0.0) -> tuple[float, float, float]:
    """CIELab of skin with this ITA = atan2(L* - 50, b*), Chardon et al. 1991; warmth is added to b*."""
    b = float(np.interp(ita, (-55, -30, 10, 28, 41, 55, 72), (10.5, 14.5, 19.5, 19.0, 17.0, 13.5, 8.5)))
    b += warmth
    a = float(np.interp(ita, (-55, -30, 10, 41, 72), (8.5, 11.0, 12.5, 10.5, 7.5)))
    return 50 + b * math.tan(math.radians(ita)), a, b


def sample_person(rng: np.random.Generator) -> Person:
    """A random person; the six ITA bands are equally likely."""
    low, high = list(ITA_BANDS.values())[int(rng.integers(len(ITA_BANDS)))]
    ita = float(rng.uniform(low, high))
    lightness, a, b = skin_lab(ita, float(np.clip(rng.normal(0, 1.0), -2, 2)))
    a += float(np.clip(rng.normal(0, 1.0), -2, 2))
    skin = lab_to_linear(lightness, a, b)

    def normal(mean: float, deviation: float) -> float:
        return float(mean + deviation * np.clip(rng.normal(), -2.2, 2.2))

    style = str(rng.choice(HAIR_STYLES, p=_HAIR_SHARES))
    if style == "afro" and ita > 28:
        style = "curls"
    age = float(rng.beta(1.3, 2.0))
    masculine = bool(style in ("bald", "buzz", "short", "swept") and rng.random() < 0.75)
    hair = _hair_colour(rng, ita, age)
    nose_y = normal(0.132, 0.010)
    beard = masculine and rng.random() < 0.22
    top, bottom = _backdrop(rng)
    return Person(
        ita=ita,
        skin=skin,
        flush=float(rng.uniform(0, 1)),
        head_width=normal(0.262, 0.014),
        head_top=normal(0.335, 0.014),
        chin=normal(0.408 if masculine else 0.395, 0.016),
        jaw=normal(0.46 if masculine else 0.22, 0.14),
        taper=normal(0.10 if masculine else 0.16, 0.06),
        eye_gap=normal(0.123, 0.0065),
        eye_width=normal(0.054, 0.0045),
        eye_open=normal(0.0205, 0.0036),
        eye_tilt=normal(0.05, 0.06),
        crease=normal(0.6, 0.3),
        iris=_iris(rng, ita),
        brow_y=normal(-0.068, 0.008),
        brow_thick=normal(0.0165 if masculine else 0.0125, 0.0032),
        brow_arch=normal(0.012, 0.008),
        brow_tilt=normal(0.0, 0.07),
        brow_dark=float(rng.uniform(0.45, 0.95)),
        nose_y=nose_y,
        nose_width=normal(0.049 - 0.00012 * ita, 0.005),
        nose_relief=normal(1.0, 0.18),
        mouth_y=nose_y + normal(0.098, 0.009),
        mouth_width=normal(0.093, 0.009),
        lip_upper=normal(0.0205 - 0.00006 * ita, 0.0042),
        lip_lower=normal(0.0285 - 0.00007 * ita, 0.0048),
        mouth_curve=normal(0.004, 0.005),
        lips=_lips(rng, skin, ita, masculine),
        ear=normal(1.0, 0.12),
        cheek=normal(1.0, 0.3),
        age=age,
        hair_style=style,
        hair=hair,
        hair_volume=float(rng.uniform(0.6, 1.4)),
        hairline=normal(-0.205, 0.014),
        peak=float(rng.choice((0.0, 0.0, rng.uniform(0.01, 0.03)))),
        recede=float(rng.uniform(0.03, 0.1)) if masculine and rng.random() < 0.15 + 0.4 * age else 0.0,
        fringe=float(rng.uniform(0.04, 0.115))
        if style in ("short", "bob", "long", "curls") and rng.random() < 0.35
        else 0.0,
        parting=float(rng.uniform(-1, 1)),
        beard=float(rng.uniform(0.4, 1.0)) if beard else 0.0,
        stubble=float(rng.uniform(0.1, 0.6)) if masculine and not beard and rng.random() < 0.5 else 0.0,
        freckles=int(rng.integers(15, 70)) if ita > 35 and rng.random() < 0.08 else 0,
        moles=int(rng.poisson(0.35)),
        backdrop_top=top,
        backdrop_bottom=bottom,
        clothes=lab_to_linear(float(rng.uniform(8, 90)), float(rng.normal(0, 16)), float(rng.normal(0, 18))),
        seed=int(rng.integers(2**31)),
    )


def _hair_colour(rng: np.random.Generator, ita: float, age: float) -> Colour:
    if rng.random() < max(0.0, age - 0.45):
        grey = float(rng.uniform(30, 78))
        return lab_to_linear(grey, 0.5, 3.0)
    if rng.random() < 0.02:
        return lab_to_linear(45, float(rng.uniform(-20, 35)), float(rng.uniform(-28, 28)))
    lightest = 0.12 if ita < 10 else 0.35 if ita < 28 else 0.62 if ita < 41 else 1.0
    shade = float(rng.beta(1.1, 1.7)) * lightest
    red = 1.0 if ita > 45 and rng.random() < 0.12 else 0.0
    return lab_to_linear(
        9 + 58 * shade, 3 + 9 * math.sin(math.pi * shade) + 14 * red, 3 + 26 * shade + 8 * red
    )


def _iris(rng: np.random.Generator, ita: float) -> Colour:
    brown = lab_to_linear(float(rng.uniform(14, 34)), 11, 18)
    if ita < 28 or rng.random() < 0.45:
        return brown
    other = (lab_to_linear(50, -4, -18), lab_to_linear(48, -10, 14), lab_to_linear(52, -2, -5))
    return other[int(rng.integers(3))]


def _lips(rng: np.random.Generator, skin: Colour, ita: float, masculine: bool) -> Colour:
    natural = (skin[0] * 0.78, skin[1] * 0.47, skin[2] * 0.55)
    if not masculine and rng.random() < 0.3:
        lipstick = lab_to_linear(
            float(rng.uniform(30, 48)), float(rng.uniform(30, 52)), float(rng.uniform(2, 24))
        )
        return mix(natural, times(lipstick, 0.55 if ita < -10 else 1.0), float(rng.uniform(0.35, 0.85)))
    return mix(natural, skin, float(rng.uniform(0.0, 0.35)))


def _backdrop(rng: np.random.Generator) -> tuple[Colour, Colour]:
    chroma = float(rng.uniform(0, 18))
    angle = float(rng.uniform(0, 2 * math.pi))
    a, b = chroma * math.cos(angle), chroma * math.sin(angle)
    lightness = float(rng.uniform(25, 92))
    top = lab_to_linear(lightness, a, b)
    return top, lab_to_linear(max(8.0, lightness - float(rng.uniform(-4, 18))), a, b)
