"""All attacks as one matcher sees the faces."""

# N real photos (and others of the same people), M synthetic faces, K nearest

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.audit.arms import Floats
from anonderm.audit.attacks.inference import inference
from anonderm.audit.attacks.linkability import linkability
from anonderm.audit.attacks.membership import area_under_curve, domias, gan_leaks, membership
from anonderm.audit.attacks.memorisation import Sets, equal_sides, memorisation
from anonderm.audit.attacks.reach import Reach
from anonderm.audit.attacks.reproduction import FEWEST, reproduction
from anonderm.audit.attacks.singling_out import singling_out
from anonderm.audit.people import Bools, People
from anonderm.core.results.audit import Attack
from anonderm.core.rundir import RunDir
from anonderm.core.splits import shuffled
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.metrics import pairwise

NEAREST = 5  # K: synthetic faces looked at for each photo; the K-th tells the density
_MOST_PEOPLE = 300  # of either side, for memorisation
_MOST_SYNTHETIC = 10_000
_FEWEST_OF_TONE = 20  # people of either arm
_WORST = 8

Attacks = list[Attack]


@dataclass(frozen=True)
class Seen:
    """The faces as one matcher sees them: real photos in all views, synthetic ones as they are.

    thresholds: the distance at or below which two faces are one, by false match rate.
    """

    matcher: str
    real: Templates
    synthetic: Templates
    thresholds: Mapping[float, float]


def attack_all(
    seen: Seen, people: People, labels: Sequence[str | None], run: RunDir, rng: np.random.Generator
) -> tuple[Attacks, dict[str, Attacks], list[tuple[str, str]]]:
    """Every attack that the data allow; some of them by skin tone; and what is left out, with the reason.

    labels: of the synthetic faces.
    """
    everyone = _reach(seen, people, run)
    arms = Arms.of(everyone.where(everyone.rows_N < len(people.real)), people)
    if min(len(arms.main.people), len(arms.control.people)) < 2:
        return [], {}, [(f"every attack by {seen.matcher}", "it sees fewer than two people of one side")]
    faces = int(seen.synthetic.enrolled_N.sum())
    known_rows = len(people.real) if people.others else None
    pairs = Arms.of(everyone, people)
    real_labels = [face.label for face in people.faces]
    optional = (
        (
            "reproduction",
            reproduction(seen.matcher, arms.main, arms.control),
            f"fewer than {FEWEST} people kept out",
        ),
        (
            "linkability",
            linkability(seen.matcher, pairs.main, pairs.control, faces, rng, known_rows),
            "nobody on one side has two photos",
        ),
        (
            "inference",
            inference(seen.matcher, arms.main, arms.control, real_labels, labels, rng),
            "one side has no classes, or one only",
        ),
    )
    found = [*_by_distance(seen, arms, rng), *(attack for _, attack, _ in optional if attack)]
    left_out = [(f"{name}[{seen.matcher}]", why) for name, attack, why in optional if attack is None]
    density = _density(seen, everyone, people, run, rng)
    if not density:
        left_out.append((f"density[{seen.matcher}]", "too few people kept out, or too few synthetic faces"))
    tones, untold = _by_tone(seen, arms, people, rng)
    return [*found, *density, *_memorisation(seen, people, rng)], tones, left_out + untold


@dataclass(frozen=True)
class Arms:
    """The photos of people in training and of people kept out."""

    main: Reach
    control: Reach

    @staticmethod
    def of(reach: Reach, people: People) -> Arms:
        is_main_N = people.in_training()[reach.rows_N]
        return Arms(reach.where(is_main_N), reach.where(~is_main_N))

    def among(self, rows_N: Bools) -> Arms:
        """Those rows of all real photos alone."""
        return Arms(*(arm.where(rows_N[arm.rows_N]) for arm in (self.main, self.control)))


def _reach(seen: Seen, people: People, run: RunDir) -> Reach:
    """Of the photos that the matcher sees, the nearest synthetic faces."""
    rows_N = np.flatnonzero(seen.real.enrolled_N)
    k = min(NEAREST, int(seen.synthetic.enrolled_N.sum()))
    with run.bar(f"searching with {seen.matcher}", len(rows_N)) as bar:
        found = pairwise.nearest(seen.real[rows_N], seen.synthetic, max(k, 1), bar=bar)
    owners = tuple(people.faces[row].person for row in rows_N)
    return Reach(found.distances_MK, found.indices_MK, owners, rows_N)


def _by_distance(seen: Seen, arms: Arms, rng: np.random.Generator) -> Attacks:
    """Singling out at each threshold, and membership by the distance to the nearest synthetic face."""
    scores, note = _by_nearness(arms), "by the distance to the nearest synthetic face"
    found = membership("membership", seen.matcher, *scores, rng, note, arms.main.worst(_WORST))
    return [*_singled_out(seen, arms, rng), *found]


def _by_nearness(arms: Arms) -> tuple[Floats, Floats]:
    return gan_leaks(arms.main), gan_leaks(arms.control)


def _singled_out(seen: Seen, arms: Arms, rng: np.random.Generator) -> Attacks:
    faces = int(seen.synthetic.enrolled_N.sum())
    return [
        singling_out(seen.matcher, _named(rate), limit, rate, arms.main, arms.control, faces, rng)
        for rate, limit in seen.thresholds.items()
    ]


def _named(rate: float) -> str:
    return f"FMR {rate:.1%}".replace(".0%", "%")


def _density(seen: Seen, reach: Reach, people: People, run: RunDir, rng: np.random.Generator) -> Attacks:
    """DOMIAS with the people kept out as the reference, half by half, so that nobody is her own.

    Everybody is compared with one half: those kept out with the other, those in training with one at random.
    """
    is_main_N, k = people.in_training(), reach.faces_NK.shape[1]
    names = np.array([face.person for face in people.faces])
    halves = _halves(names, is_main_N, rng)
    kth_N = np.full(len(names), np.inf)
    for half in (0, 1):
        rows = np.flatnonzero(~is_main_N & (halves == half) & seen.real.enrolled_N)
        asking = np.flatnonzero((halves != half) & seen.real.enrolled_N)
        if len(rows) < k or k < NEAREST or not len(asking):
            return []
        found = pairwise.nearest(seen.real[asking], seen.real[rows].first_view(), k)
        kth_N[asking] = found.distances_MK[:, -1]
    used = reach.where(reach.rows_N < len(people.real))
    arms, width = Arms.of(used, people), seen.real.rows_NVD.shape[2]
    main_P, control_Q = (
        domias(arm.distances_NK[:, -1], kth_N[arm.rows_N], arm.owners, width)
        for arm in (arms.main, arms.control)
    )
    note = f"by the density of synthetic faces over that of people kept out, from {k} neighbours"
    return membership("density", seen.matcher, main_P, control_Q, rng, note)


def _halves(names_N: NDArray[np.str_], is_main_N: Bools, rng: np.random.Generator) -> NDArray[np.intp]:
    """0 or 1 for each photo: its person's half, dealt at random on either side."""
    half_N = np.zeros(len(names_N), np.intp)
    for side_N in (is_main_N, ~is_main_N):
        people = shuffled(names_N[side_N], rng)
        half_N[side_N] = np.isin(names_N[side_N], people[: len(people) // 2])
    return half_N


def _memorisation(seen: Seen, people: People, rng: np.random.Generator) -> Attacks:
    """Over as many people of either side, and at most 10,000 synthetic faces."""
    rows = np.flatnonzero(seen.real.enrolled_N[: len(people.real)])
    owners = [people.faces[row].person for row in rows]
    main_N, control_N = equal_sides(owners, people.in_training()[rows], _MOST_PEOPLE, rng)
    chosen = np.flatnonzero(main_N | control_N)
    real = seen.real[rows[chosen]]
    made = np.flatnonzero(seen.synthetic.enrolled_N)
    synthetic = seen.synthetic[np.sort(rng.permutation(made)[:_MOST_SYNTHETIC])]
    sets = Sets(
        real.rows_ND,
        synthetic.rows_ND,
        pairwise.distances(synthetic, real),
        pairwise.distances(real.first_view(), real),
        main_N[chosen],
        np.unique([owners[row] for row in chosen], return_inverse=True)[1],
    )
    return memorisation(seen.matcher, sets, rng)


def _by_tone(
    seen: Seen, arms: Arms, people: People, rng: np.random.Generator
) -> tuple[dict[str, Attacks], list[tuple[str, str]]]:
    """Singling out and membership within each tone, under the tone's name, and within all under `all`."""
    found, left_out = dict[str, Attacks](), list[tuple[str, str]]()
    for tone, rows_N in people.tones().items():
        group = arms.among(rows_N)
        fewest = min(len(group.main.people), len(group.control.people))
        if fewest < _FEWEST_OF_TONE:
            reason = f"{fewest} people on one side are too few to tell"
            left_out.append((f"{tone} skin [{seen.matcher}]", reason))
        else:
            found[tone] = _within_tone(seen, group, rng)
    return ({"all": _within_tone(seen, arms, rng)} | found if found else {}), left_out


def _within_tone(seen: Seen, arms: Arms, rng: np.random.Generator) -> Attacks:
    area = area_under_curve("membership", seen.matcher, *_by_nearness(arms), rng)
    return [*_singled_out(seen, arms, rng), area]
