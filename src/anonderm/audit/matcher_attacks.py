"""Every attack with one matcher."""

# N real photos (and others of the same people), M synthetic faces, K nearest

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.audit.attacks.attribute_inference import attribute_inference
from anonderm.audit.attacks.linkability import linkability
from anonderm.audit.attacks.membership import area_under_curve, domias, gan_leaks, membership
from anonderm.audit.attacks.memorisation import Sets, equal_sides, memorisation
from anonderm.audit.attacks.nearest_synthetic import NearestSynthetic
from anonderm.audit.attacks.reproduction import MIN_NON_MEMBERS, reproduction
from anonderm.audit.attacks.singling_out import singling_out
from anonderm.audit.excess import Floats
from anonderm.audit.people import Bools, People
from anonderm.core.results.audit import Attack, ToneAttack
from anonderm.core.results.base import LeftOut
from anonderm.core.rundir import RunDir
from anonderm.core.splits import shuffled
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.metrics import pairwise

NEAREST = 5  # K: synthetic faces found for each photo; the K-th estimates the density
_MAX_PEOPLE = 300  # a side, for memorisation
_MAX_SYNTHETIC = 10_000
_MIN_PEOPLE_OF_TONE = 20  # a side

Attacks = list[Attack]


@dataclass(frozen=True)
class FaceTemplates:
    """The templates of one matcher: real photos with all views, synthetic faces with one.

    thresholds: the largest distance at which two faces match, by false match rate.
    """

    matcher: str
    real: Templates
    synthetic: Templates
    thresholds: Mapping[float, float]


@dataclass(frozen=True)
class Found:
    """tones: attacks within each tone and, for comparison, within `all`."""

    attacks: Attacks
    tones: list[ToneAttack]
    left_out: list[LeftOut]


def attack_all(
    templates: FaceTemplates,
    people: People,
    labels: Sequence[str | None],
    run: RunDir,
    rng: np.random.Generator,
) -> Found:
    """Every attack that the data allow, some of them also by skin tone. labels: of the synthetic faces."""
    matcher = templates.matcher
    everyone = _nearest_synthetic(templates, people, run)
    arms = Arms.of(everyone.where(everyone.rows_N < len(people.real)), people)
    if arms.fewest_people < 2:
        reason = "fewer than two people of one side could be enrolled"
        return Found([], [], [LeftOut(f"every attack by {matcher}", reason)])
    pairs = Arms.of(everyone, people)
    faces = int(templates.synthetic.enrolled_N.sum())
    known_rows = len(people.real) if people.others else None
    real_labels = [face.label for face in people.faces]
    copies = reproduction(matcher, arms.main, arms.control)
    linked = linkability(matcher, pairs.main, pairs.control, faces, rng, known_rows)
    inferred = attribute_inference(matcher, arms.main, arms.control, real_labels, labels, rng)
    attacks = [*_by_distance(templates, arms, rng), *filter(None, (copies, linked, inferred))]
    density = _density(templates, everyone, people, rng)
    tones, too_few = _by_tone(templates, arms, people, rng)
    attacks += [*density, *_memorisation(templates, people, rng)]
    optional = (
        ("reproduction", copies, f"fewer than {MIN_NON_MEMBERS} non-members"),
        ("linkability", linked, "nobody on one side has two photos"),
        ("attribute_inference", inferred, "one side has no classes, or only one"),
        ("density", density, "too few non-members or synthetic faces"),
    )
    left_out = [LeftOut(f"{name}[{matcher}]", reason) for name, found, reason in optional if not found]
    return Found(attacks, tones, left_out + too_few)


@dataclass(frozen=True)
class Arms:
    """The photos of members (main) and of non-members (control)."""

    main: NearestSynthetic
    control: NearestSynthetic

    @staticmethod
    def of(photos: NearestSynthetic, people: People) -> Arms:
        is_member_N = people.is_member()[photos.rows_N]
        return Arms(photos.where(is_member_N), photos.where(~is_member_N))

    @property
    def fewest_people(self) -> int:
        return min(len(set(arm.owners)) for arm in (self.main, self.control))

    def among(self, rows_N: Bools) -> Arms:
        """Only these rows of the real photos."""
        return Arms(*(arm.where(rows_N[arm.rows_N]) for arm in (self.main, self.control)))


def _nearest_synthetic(templates: FaceTemplates, people: People, run: RunDir) -> NearestSynthetic:
    """Of the photos that could be enrolled."""
    rows_N = np.flatnonzero(templates.real.enrolled_N)
    k = min(NEAREST, int(templates.synthetic.enrolled_N.sum()))
    with run.bar(f"searching with {templates.matcher}", len(rows_N)) as bar:
        found = pairwise.nearest(templates.real[rows_N], templates.synthetic, max(k, 1), bar=bar)
    owners = tuple(people.faces[row].person for row in rows_N)
    return NearestSynthetic(found.distances_MK, found.indices_MK, owners, rows_N)


def _by_distance(templates: FaceTemplates, arms: Arms, rng: np.random.Generator) -> Attacks:
    """Singling out at each threshold, and membership by the distance to the nearest synthetic face."""
    scores, note = _nearness(arms), "by the distance to the nearest synthetic face"
    found = membership("membership", templates.matcher, *scores, rng, note, arms.main.worst())
    return [*_singled_out(templates, arms, rng), *found]


def _nearness(arms: Arms) -> tuple[Floats, Floats]:
    return gan_leaks(arms.main), gan_leaks(arms.control)


def _singled_out(templates: FaceTemplates, arms: Arms, rng: np.random.Generator) -> Attacks:
    faces = int(templates.synthetic.enrolled_N.sum())
    return [
        singling_out(templates.matcher, limit, rate, arms.main, arms.control, faces, rng)
        for rate, limit in templates.thresholds.items()
    ]


def _density(
    templates: FaceTemplates, photos: NearestSynthetic, people: People, rng: np.random.Generator
) -> Attacks:
    """DOMIAS with the non-members as the reference, in halves, so that nobody is compared with themselves.

    A non-member is compared with the other half, a member with a half drawn at random.
    """
    is_member_N, k = people.is_member(), photos.faces_NK.shape[1]
    names = np.array([face.person for face in people.faces])
    halves = _halves(names, is_member_N, rng)
    kth_N = np.full(len(names), np.inf)
    for half in (0, 1):
        rows = np.flatnonzero(~is_member_N & (halves == half) & templates.real.enrolled_N)
        queries = np.flatnonzero((halves != half) & templates.real.enrolled_N)
        if len(rows) < k or k < NEAREST or not len(queries):
            return []
        found = pairwise.nearest(templates.real[queries], templates.real[rows].first_view(), k)
        kth_N[queries] = found.distances_MK[:, -1]
    used = photos.where(photos.rows_N < len(people.real))
    arms, width = Arms.of(used, people), templates.real.rows_NVD.shape[2]
    main_P, control_Q = (
        domias(arm.distances_NK[:, -1], kth_N[arm.rows_N], arm.owners, width)
        for arm in (arms.main, arms.control)
    )
    note = f"by the density of synthetic faces over that of non-members, from {k} neighbours"
    return membership("density", templates.matcher, main_P, control_Q, rng, note)


def _halves(names_N: NDArray[np.str_], is_member_N: Bools, rng: np.random.Generator) -> NDArray[np.intp]:
    """0 or 1 for each photo: its person's half, drawn at random on either side."""
    half_N = np.zeros(len(names_N), np.intp)
    for side_N in (is_member_N, ~is_member_N):
        people = shuffled(names_N[side_N], rng)
        half_N[side_N] = np.isin(names_N[side_N], people[: len(people) // 2])
    return half_N


def _memorisation(templates: FaceTemplates, people: People, rng: np.random.Generator) -> Attacks:
    """With equal numbers of people on both sides, and at most 10,000 synthetic faces."""
    rows = np.flatnonzero(templates.real.enrolled_N[: len(people.real)])
    owners = [people.faces[row].person for row in rows]
    main_N, control_N = equal_sides(owners, people.is_member()[rows], _MAX_PEOPLE, rng)
    chosen = np.flatnonzero(main_N | control_N)
    real = templates.real[rows[chosen]]
    enrolled = np.flatnonzero(templates.synthetic.enrolled_N)
    synthetic = templates.synthetic[np.sort(rng.permutation(enrolled)[:_MAX_SYNTHETIC])]
    sets = Sets(
        real.rows_ND,
        synthetic.rows_ND,
        pairwise.distances(synthetic, real),
        pairwise.distances(real.first_view(), real),
        main_N[chosen],
        np.unique([owners[row] for row in chosen], return_inverse=True)[1],
    )
    return memorisation(templates.matcher, sets, rng)


def _by_tone(
    templates: FaceTemplates, arms: Arms, people: People, rng: np.random.Generator
) -> tuple[list[ToneAttack], list[LeftOut]]:
    """Singling out and membership within each tone, preceded by the same within `all`."""
    found, left_out = dict[str, Attacks](), list[LeftOut]()
    for tone, rows_N in people.tones().items():
        group = arms.among(rows_N)
        if group.fewest_people < _MIN_PEOPLE_OF_TONE:
            reason = f"too few people: {group.fewest_people} on one side, {_MIN_PEOPLE_OF_TONE} needed"
            left_out.append(LeftOut(f"{tone} skin [{templates.matcher}]", reason))
        else:
            found[tone] = _within_tone(templates, group, rng)
    groups = {"all": _within_tone(templates, arms, rng)} | found if found else {}
    return [ToneAttack(tone, attack) for tone, attacks in groups.items() for attack in attacks], left_out


def _within_tone(templates: FaceTemplates, arms: Arms, rng: np.random.Generator) -> Attacks:
    area = area_under_curve("membership", templates.matcher, *_nearness(arms), rng)
    return [*_singled_out(templates, arms, rng), area]
