"""The person on each photo, by the faces, by what else the photos show, and by a reviewer."""

# N photos, D features of a descriptor, E pairs with evidence

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.images import Pixels
from anonderm.core.records import IdentifiedBy
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.matcher import IdentityMatcher
from anonderm.embeddings.people.chance import Chance
from anonderm.embeddings.people.evidence import gather
from anonderm.embeddings.people.review import log, pair_rows, sheet_rows
from anonderm.embeddings.people.reviewed import Reviewed
from anonderm.embeddings.people.scenes import scene_rows
from anonderm.embeddings.people.sessions import session_of
from anonderm.embeddings.people.sheet import sheet
from anonderm.embeddings.people.threshold import Threshold, choose, count_distances
from anonderm.metrics.clustering import cluster

_LINKED = 0.95  # the probability from which a pair is joined by evidence other than faces


class NamedPicture(Protocol):
    """As Picture; name: its path in the source."""

    @property
    def name(self) -> str: ...
    def read(self) -> bytes: ...
    def pixels(self) -> Pixels: ...


@dataclass(frozen=True)
class Grouping:
    """person: the number of the person on each photo; None where nothing tells. by: what tells so.

    detectors: what found the face, None where none was found. missed: how many pairs of one person are
    expected not to have been joined; None where that cannot be estimated.
    """

    person: tuple[int | None, ...]
    by: tuple[IdentifiedBy | None, ...]
    detectors: tuple[str | None, ...]
    threshold: Threshold | None
    joined: int
    missed: float | None
    rows: tuple[dict[str, Any], ...]
    sheet: Pixels | None

    @property
    def tells_apart(self) -> bool:
        return self.threshold is not None and self.threshold.tells_apart


def group_people(
    photos: Sequence[NamedPicture],
    thumbnails_NTT: NDArray[np.uint8],
    matcher: IdentityMatcher,
    known: Sequence[str | None],
    originals: Sequence[str | None],
    reviewed: Reviewed,
    threshold: float | None,
    run: RunDir,
) -> Grouping:
    """known: the person, where the source states it; known people are neither divided nor joined, and other
    photos may join them. originals: the photo that each one is an augmented copy of; its copies stay
    together. thumbnails_NTT: grey. threshold: the user's; None to choose one. Raises MissingExtra,
    MissingPath, UnreadableImage or ProcessLost.
    """
    with run.bar(f"describing faces with {matcher.name}", len(photos)) as bar:
        described = matcher.describe(photos, bar)
    rows_ND = described.rows_ND
    sessions = [
        session_of(photo.name, photo.read()) for photo in run.progress(photos, "reading capture times")
    ]
    found_N = np.asarray(np.isfinite(rows_ND).all(axis=1))
    distances = count_distances(rows_ND, known, reviewed.same, reviewed.different)
    chosen = choose(distances, matcher.published, threshold) if found_N.sum() > 1 else None
    chance = Chance.of(distances.all) if chosen else None
    evidence = gather(rows_ND, chance, scene_rows(thumbnails_NTT), sessions, known)
    linked = [
        each
        for each in evidence
        if not each.two_faces
        and each.without_face >= _LINKED
        and (each.one, each.two) not in reviewed.different
    ]
    code_N = _components(len(photos), originals, [*reviewed.same, *((each.one, each.two) for each in linked)])
    person_N = _persons(rows_ND, found_N, known, code_N, chosen, reviewed.different)
    rows = pair_rows([photo.name for photo in photos], evidence, person_N, linked)
    by = _by(person_N, found_N, code_N, chosen, reviewed)
    joined = _pairs_of_one(person_N[found_N & (person_N >= 0)])
    picture = None
    if chosen:
        shown = list(sheet_rows(evidence, linked, person_N, rows_ND, chosen))
        picture = sheet(photos, distances, chosen, shown)
    log(matcher.name, described.detectors, chosen, person_N, linked, run)
    return Grouping(
        tuple(number if number >= 0 else None for number in person_N.tolist()),
        by,
        described.detectors,
        chosen,
        joined,
        _missed(chance, chosen, matcher.published, joined),
        tuple(rows),
        picture,
    )


def _components(
    photos: int, originals: Sequence[str | None], links: Sequence[tuple[int, int]]
) -> NDArray[np.int64]:
    """The number of the group of photos that stay together, for each photo."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first: dict[str, int] = {}
    ends = [*links, *((first.setdefault(name, row), row) for row, name in enumerate(originals) if name)]
    one, two = (np.array([pair[side] for pair in ends], np.int64) for side in (0, 1))
    graph = coo_array((np.ones(len(ends)), (one, two)), shape=(photos, photos))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _persons(
    rows_ND: NDArray[np.float32],
    found_N: NDArray[np.bool_],
    known: Sequence[str | None],
    code_N: NDArray[np.int64],
    chosen: Threshold | None,
    different: Sequence[tuple[int, int]],
) -> NDArray[np.int64]:
    """The number of the person on each photo; -1 for a photo without a face that nothing joins to another."""
    person_N = np.full(len(code_N), -1, np.int64)
    rows = np.flatnonzero(found_N).tolist()
    if chosen:
        place = {row: index for index, row in enumerate(rows)}
        apart = [(place[one], place[two]) for one, two in different if one in place and two in place]
        names, codes = [known[row] for row in rows], [str(code_N[row]) for row in rows]
        person_N[rows] = cluster(rows_ND[rows], names, codes, chosen.value, apart)
    sizes = Counter(code_N.tolist())
    of_code = {int(code_N[row]): int(person_N[row]) for row in rows if person_N[row] >= 0}
    for row in np.flatnonzero(person_N < 0).tolist():
        code = int(code_N[row])
        if sizes[code] > 1:
            person_N[row] = of_code.setdefault(code, int(person_N.max()) + 1)
    return person_N


def _by(
    person_N: NDArray[np.int64],
    found_N: NDArray[np.bool_],
    code_N: NDArray[np.int64],
    chosen: Threshold | None,
    reviewed: Reviewed,
) -> tuple[IdentifiedBy | None, ...]:
    """What tells the person on each photo: faces only where they tell these people apart."""
    judged = {row for pair in (*reviewed.same, *reviewed.different) for row in pair}
    together = Counter(code_N.tolist())

    def of(row: int) -> IdentifiedBy | None:
        if row in judged:
            return "reviewer"
        if found_N[row] and chosen and chosen.tells_apart:
            return "faces"
        return "session" if person_N[row] >= 0 and together[int(code_N[row])] > 1 else None

    return tuple(map(of, range(len(person_N))))


def _pairs_of_one(person_N: NDArray[np.int64]) -> int:
    _, sizes = np.unique(person_N, return_counts=True)
    return int((sizes * (sizes - 1) // 2).sum())


def _missed(chance: Chance | None, chosen: Threshold | None, published: float, joined: int) -> float | None:
    """Genuine pairs that were not joined: by the recall of the threshold, or by the excess of near pairs."""
    if chance is None or chosen is None:
        return None
    if chosen.tells_apart:
        genuine = max(0.0, joined - (chosen.expected_false or 0.0))
        return genuine * (1 - chosen.recall) / chosen.recall
    excess = chance.excess_below(published)
    return None if excess is None else max(0.0, excess - joined)
