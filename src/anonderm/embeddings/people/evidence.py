"""What besides the faces speaks for one person on two photos, and how all kinds of evidence combine."""

# N photos, D features of a descriptor, B photos of a block

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anonderm.embeddings.people.chance import BINS, Chance, count
from anonderm.embeddings.people.sessions import Session, calibrated, near_in_time, next_by_name
from anonderm.metrics.pairwise import pairs_within

ALIKE = 0.5
"""Scenes of a smaller probability are not noted."""

_CONTRADICTED = 1.0  # standard deviations below the middle of impostor distances: two faces, clearly


@dataclass(frozen=True)
class Evidence:
    """Why two photos, by their rows, may show one person; the probability by each kind of evidence.

    two_faces: the faces are clearly those of two people, which outweighs everything else.
    """

    one: int
    two: int
    face: float | None = None
    scene: float | None = None
    time: float | None = None
    name: float | None = None
    two_faces: bool = False

    @property
    def probability(self) -> float:
        """That not every kind of evidence is chance, as if the kinds were independent."""
        if self.two_faces:
            return 0.0
        kinds = (self.face, self.scene, self.time, self.name)
        return 1 - float(np.prod([1 - each for each in kinds if each is not None]))

    @property
    def without_face(self) -> float:
        """The probability by the other kinds."""
        return replace(self, face=None, two_faces=False).probability


def gather(
    rows_ND: NDArray[np.float32],
    chance: Chance | None,
    scenes_ND: NDArray[np.float32],
    sessions: Sequence[Session],
    known: Sequence[str | None],
) -> list[Evidence]:
    """Every pair for which anything but the face speaks, with what the faces say about it."""
    facts: dict[tuple[int, int], dict[str, float]] = {}
    for one, two, probability in _alike(scenes_ND):
        facts.setdefault((one, two), {})["scene"] = probability
    near = [*near_in_time(sessions), *next_by_name(sessions)]
    rates = calibrated(near, known)
    for one, two, kind in near:
        what = "name" if kind == "name" else "time"
        facts.setdefault((min(one, two), max(one, two)), {})[what] = rates[kind]
    found = []
    for (one, two), kinds in facts.items():
        face, two_faces = _by_faces(rows_ND, chance, one, two)
        scene, time, name = (kinds.get(kind) for kind in ("scene", "time", "name"))
        found.append(Evidence(one, two, face, scene, time, name, two_faces))
    return found


def _alike(scenes_ND: NDArray[np.float32]) -> Iterator[tuple[int, int, float]]:
    """Pairs of photos of scenes that are more alike than chance explains."""
    counts = np.zeros(len(BINS) - 1, np.int64)
    for _, _, distances_BB in pairs_within(scenes_ND):
        counts += count(distances_BB)
    if not counts.any():
        return
    chance = Chance.of(counts)
    for one, two, distances_BB in pairs_within(scenes_ND):
        alike_BB = chance.genuine_probability(distances_BB)
        for row, column in zip(*np.nonzero(alike_BB >= ALIKE), strict=True):
            pair = sorted((int(row) + one.start, int(column) + two.start))
            yield pair[0], pair[1], float(alike_BB[row, column])


def _by_faces(
    rows_ND: NDArray[np.float32], chance: Chance | None, one: int, two: int
) -> tuple[float | None, bool]:
    """The probability by the faces, None without both; and whether they are clearly those of two people."""
    distance = np.linalg.norm(rows_ND[one] - rows_ND[two])
    if chance is None or not np.isfinite(distance):
        return None, False
    two_faces = bool(distance >= chance.middle - _CONTRADICTED * chance.spread)
    genuine = chance.genuine_probability(np.array([distance], np.float32))[0]
    return 0.0 if two_faces else float(genuine), two_faces
