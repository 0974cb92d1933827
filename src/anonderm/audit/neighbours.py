"""audit: is any training face to be found again among the synthetic faces?

Every synthetic face is compared with every training face (split train), and so is every real face of people
who were kept out of training (splits test and val): the control. A generator that copies puts synthetic faces
closer to training faces than strangers ever are. Mirrored faces count as the same face.

distance[extractor]/synthetic, /held_out
    median distance to the nearest training face
closer[extractor]/5%, closer[extractor]/1%
    share of synthetic faces as close to a training face as only 5% (1%) of the held-out faces are; the note
    says what share is to be expected when nothing is copied
authentic[extractor]/synthetic, /held_out
    AuthPct (Alaa et al. 2022): share of faces whose nearest training face has another training face closer by
ratio[extractor]/synthetic, /held_out
    median distance to the nearest training face over that to the nearest face of any other person: near 0 for
    copies, near 1 for strangers
plants_found[extractor]/exact, flip, jpeg, crop, recolour
    share of planted copies of training faces that the strictest level finds: the audit audits itself

details:
    faces       {training, held_out, synthetic}: numbers of faces
    distances   {extractor: {synthetic: [...], held_out: [...]}}, ascending, 1000 each at most
    thresholds  {extractor: {level: distance}}
    pairs       [{extractor, synthetic, training, distance, file}], closest first; file is relative to the run
                folder and shows the synthetic face left, the training photo right: not for publication
    left_out    [{score, reason}]

The numbers are evidence for a decision that people take. They can show that something is wrong; they can't
prove that nobody is recognisable.
"""

# M faces searched for, N training faces, D features, K neighbours

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.audit.changes import COPIES, copy
from anonderm.audit.config import AuditConfig
from anonderm.core.errors import InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import grid, resize, write_png
from anonderm.core.records import Score, Scores
from anonderm.core.rundir import RunDir
from anonderm.evaluate.bootstrap import Rows, interval, wilson_interval
from anonderm.evaluate.distances import Floats, nearest
from anonderm.evaluate.features import Embeddings, embed, embed_pixels

LEVELS = {"5%": 0.05, "1%": 0.01}
_BATCH = 2048
_MOST_DISTANCES = 1000
_PAIR_SIDE = 256


def audit(config: AuditConfig, real: FaceSet, synthetic: FaceSet, run: RunDir) -> Scores:
    """Search for training faces among the synthetic ones.

    Raises InputError where the real set has no train split or nobody was held out, TooFewImages.
    """
    training, held_out = real.where(split="train"), real.where(split=("test", "val"))
    _check_inputs(real, training, held_out, synthetic)
    sizes = {"training": len(training), "held_out": len(held_out), "synthetic": len(synthetic)}
    scores: dict[str, Score] = {}
    details: dict[str, Any] = {"faces": sizes, "distances": {}, "thresholds": {}, "pairs": [], "left_out": []}
    for extractor in config.extractors:
        rng = np.random.default_rng(config.seed)
        gallery = Gallery.of(training, extractor)
        found = _search(gallery, synthetic, extractor, run)
        control = _search(gallery, held_out, extractor, run)
        thresholds = {level: _threshold(control.distances, share) for level, share in LEVELS.items()}
        usable = {level: distance for level, distance in thresholds.items() if distance is not None}
        own = _summaries(found, control, rng)
        own |= {f"closer[]/{level}": _closer(found, control, LEVELS[level], rng) for level in usable}
        if usable:
            own |= _plants_found(gallery, training, extractor, min(usable.values()), config.plants, rng)
        scores |= {name.replace("[]", f"[{extractor}]"): score for name, score in own.items()}
        details["thresholds"][extractor] = usable
        spreads = {"synthetic": _spread(found.distances), "held_out": _spread(control.distances)}
        details["distances"][extractor] = spreads
        reason = f"{len(held_out)} held-out faces are too few for this level"
        missing = [f"closer[{extractor}]/{level}" for level in LEVELS if level not in usable]
        details["left_out"] += [{"score": score, "reason": reason} for score in missing]
        details["pairs"] += _save_pairs(found, synthetic, training, extractor, config.pairs, run)
    for left_out in details["left_out"]:
        run.log(f"left out {left_out['score']}: {left_out['reason']}")
    return Scores(scores, details)


def _check_inputs(real: FaceSet, training: FaceSet, held_out: FaceSet, synthetic: FaceSet) -> None:
    if not training.faces or not held_out.faces:
        missing = "in split train" if not training.faces else "held out of training (splits test and val)"
        raise InputError(
            f"{real.folder}: no face is {missing}, and an audit needs both sides.",
            "Ingest the photos with a test share above 0; splits are made by person.",
        )
    if training.people < 2:
        raise TooFewImages(f"{real.folder}: the train split shows one person; an audit needs two.")
    if not synthetic.faces:
        raise TooFewImages(f"{synthetic.folder}: the synthetic set is empty.")


@dataclass(frozen=True)
class Found:
    """For each face searched for: its nearest training face, as it is or mirrored, whichever is closer.

    ratios: that distance over the distance to the nearest face of any other person; authentic: whether the
    nearest training face has another training face closer by; groups: whose face each is.
    """

    distances: Floats
    indices: Rows
    ratios: Floats
    authentic: NDArray[np.bool_]
    groups: tuple[Hashable, ...]

    def __len__(self) -> int:
        return len(self.distances)


@dataclass(frozen=True)
class Gallery:
    """The training faces to search in; own: distance from each to its nearest other training face."""

    rows: Embeddings
    owners: NDArray[np.str_]
    own: Floats

    @staticmethod
    def of(training: FaceSet, extractor: str) -> Gallery:
        rows_ND = embed(training, extractor)
        own_N = np.full(len(rows_ND), np.inf)
        for side_ND in (rows_ND, embed(training, extractor, flip=True)):
            distances_N2, indices_N2 = nearest(side_ND, rows_ND, 2)
            itself_N2 = indices_N2 == np.arange(len(rows_ND))[:, None]
            own_N = np.minimum(own_N, np.where(itself_N2, np.inf, distances_N2).min(axis=1))
        return Gallery(rows_ND, np.array([face.person for face in training]), own_N)

    def search(self, rows_MD: Embeddings, mirrored_MD: Embeddings, groups: Sequence[Hashable]) -> Found:
        photos_of_one = max(Counter(self.owners.tolist()).values())
        depth = min(len(self.rows), photos_of_one + 1)  # deep enough to reach a second person
        plain, mirrored = nearest(rows_MD, self.rows, depth), nearest(mirrored_MD, self.rows, depth)
        turn_M1 = (mirrored[0] < plain[0])[:, :1]
        distances_MK = np.where(turn_M1, mirrored[0], plain[0])
        indices_MK = np.where(turn_M1, mirrored[1], plain[1])
        owners_MK = self.owners[indices_MK]
        second_M1 = (owners_MK != owners_MK[:, :1]).argmax(axis=1)[:, None]
        nearest_M, other_M = distances_MK[:, 0], np.take_along_axis(distances_MK, second_M1, axis=1)[:, 0]
        ratios_M = nearest_M / np.maximum(other_M, 1e-12)
        authentic_M = nearest_M >= self.own[indices_MK[:, 0]]
        return Found(nearest_M, indices_MK[:, 0], ratios_M, authentic_M, tuple(groups))


def _search(gallery: Gallery, faces: FaceSet, extractor: str, run: RunDir) -> Found:
    rows_MD, mirrored_MD = embed(faces, extractor), embed(faces, extractor, flip=True)
    owners = [face.person for face in faces]
    parts = []
    for start in run.progress(range(0, len(faces), _BATCH), f"searching by {extractor}"):
        rows = slice(start, start + _BATCH)
        parts.append(gallery.search(rows_MD[rows], mirrored_MD[rows], owners[rows]))
    return Found(
        np.concatenate([part.distances for part in parts]),
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.ratios for part in parts]),
        np.concatenate([part.authentic for part in parts]),
        tuple(owners),
    )


def _summaries(found: Found, control: Found, rng: np.random.Generator) -> dict[str, Score]:
    scores = {}
    for side, part in (("synthetic", found), ("held_out", control)):
        scores[f"distance[]/{side}"] = _summary(part.distances, np.median, part, None, rng)
        scores[f"ratio[]/{side}"] = _summary(part.ratios, np.median, part, True, rng)
        scores[f"authentic[]/{side}"] = _summary(part.authentic.astype(float), np.mean, part, True, rng)
    return scores


def _summary(
    values_M: Floats,
    reduce: Callable[[Floats], Any],
    part: Found,
    better: bool | None,
    rng: np.random.Generator,
) -> Score:
    low, high = interval(lambda rows: float(reduce(values_M[rows])), part.groups, rng)
    return Score(float(reduce(values_M)), low, high, len(part), better)


def _rank(share: float, held_out: int) -> int:
    """Which of the held-out distances, smallest first, a share stands for; 0 where there are too few.

    Were the synthetic faces strangers like the held-out ones, one of them would lie at or below the k-th
    smallest of n held-out distances with probability k / (n + 1), whatever the distribution.
    """
    return int(share * (held_out + 1) + 1e-9)


def _threshold(control_M: Floats, share: float) -> float | None:
    rank = _rank(share, len(control_M))
    return float(np.sort(control_M)[rank - 1]) if rank else None


def _closer(found: Found, control: Found, share: float, rng: np.random.Generator) -> Score:
    """Share of synthetic faces at or below the threshold.

    The interval resamples both sides, as the threshold is uncertain too, and is widened to Wilson's, which
    does not vanish where no face is below.
    """
    distances = np.concatenate([control.distances, found.distances])
    groups = [("held out", group) for group in control.groups] + [("synthetic", i) for i in range(len(found))]

    def share_closer(rows: Rows) -> float:
        threshold = _threshold(distances[rows[rows < len(control)]], share)
        inside = distances[rows[rows >= len(control)]]
        return float("nan") if threshold is None or len(inside) == 0 else float(np.mean(inside <= threshold))

    hits = int(np.sum(found.distances <= (_threshold(control.distances, share) or 0.0)))
    low, high = interval(share_closer, groups, rng)
    wilson_low, wilson_high = wilson_interval(hits, len(found))
    expected = _rank(share, len(control)) / (len(control) + 1)
    note = f"{expected:.2%} expected when nothing is copied; {len(control)} held-out faces set the threshold"
    return Score(hits / len(found), min(low, wilson_low), max(high, wilson_high), len(found), False, note)


def _plants_found(
    gallery: Gallery,
    training: FaceSet,
    extractor: str,
    threshold: float,
    count: int,
    rng: np.random.Generator,
) -> dict[str, Score]:
    """Share of changed copies that lie at or below the threshold and lead to the person they show."""
    rows = np.sort(rng.permutation(len(training))[:count])
    originals_NHWC = FaceSet(training.folder, tuple(training.faces[row] for row in rows)).pixels()
    scores = {}
    for change in COPIES:
        planted_NHWC = np.stack([copy(image_HWC, change, rng) for image_HWC in originals_NHWC])
        mirrored_NHWC = np.ascontiguousarray(planted_NHWC[:, :, ::-1])
        found = gallery.search(
            embed_pixels(planted_NHWC, extractor), embed_pixels(mirrored_NHWC, extractor), rows.tolist()
        )
        right_M = gallery.owners[found.indices] == gallery.owners[rows]
        hits = int(np.sum(right_M & (found.distances <= threshold)))
        low, high = wilson_interval(hits, len(rows))
        note = f"planted copies at or below distance {threshold:.3g}"
        scores[f"plants_found[]/{change}"] = Score(hits / len(rows), low, high, len(rows), True, note)
    return scores


def _spread(distances_M: Floats) -> list[float]:
    """The distances, ascending; of many, evenly spaced ranks."""
    ordered = np.sort(distances_M)
    ranks = np.linspace(0, len(ordered) - 1, min(len(ordered), _MOST_DISTANCES)).round().astype(int)
    return [round(float(distance), 5) for distance in ordered[ranks]]


def _save_pairs(
    found: Found, synthetic: FaceSet, training: FaceSet, extractor: str, count: int, run: RunDir
) -> list[dict[str, Any]]:
    pairs = []
    for place, row in enumerate(np.argsort(found.distances, kind="stable")[:count]):
        face, original = synthetic.faces[row], training.faces[found.indices[row]]
        file = f"pairs/{extractor}-{place + 1:02d}.png"
        sides = [resize(synthetic.image(face), _PAIR_SIDE), resize(training.image(original), _PAIR_SIDE)]
        write_png(run.folder / file, grid(np.stack(sides), columns=2))
        distance = round(float(found.distances[row]), 5)
        ids = {"synthetic": face.id, "training": original.id}
        pairs.append({"extractor": extractor, **ids, "distance": distance, "file": file})
    return pairs
