"""Grouping photos by person."""

# N photos, D features of a descriptor, M photos of a component

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anonderm.metrics.pairwise import pairs_within

_NEVER = 1e6  # the distance between photos of two known people


def cluster(
    descriptors_ND: NDArray[np.float32],
    known: Sequence[str | None],
    original: Sequence[str | None],
    threshold: float,
    apart: Sequence[tuple[int, int]] = (),
) -> NDArray[np.int64]:
    """The number of the person on each photo [N], from 0.

    Agglomerative clustering with average linkage, cut at the threshold. Photos of one known person, or of one
    original, stay together; those of two known people, and the pairs `apart`, stay apart. Only photos that a
    chain of distances below the threshold connects can be joined, so each connected component is clustered
    separately and no matrix of all distances is needed.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(descriptors_ND)
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for one, two, distances_AB in pairs_within(descriptors_ND):
        row, column = np.nonzero(distances_AB <= threshold)
        rows.append(row + one.start)
        columns.append(column + two.start)
    person_codes_N, original_codes_N = _codes(known), _codes(original)
    for codes_N in (person_codes_N, original_codes_N):
        _, first, inverse_N = np.unique(codes_N, return_index=True, return_inverse=True)
        named = np.flatnonzero(codes_N >= 0)
        rows.append(named)
        columns.append(first[inverse_N[named]])
    ends = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(count, count))
    _, component_N = connected_components(graph, directed=False)
    person_N, people = np.zeros(count, np.int64), 0
    order = np.argsort(component_N, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(component_N[order])) + 1):
        place = {row: index for index, row in enumerate(members.tolist())}
        inside = [(place[one], place[two]) for one, two in apart if one in place and two in place]
        within = _within(
            descriptors_ND[members], person_codes_N[members], original_codes_N[members], threshold, inside
        )
        person_N[members] = within + people
        people += int(within.max(initial=-1)) + 1
    return person_N


def _codes(names: Sequence[str | None]) -> NDArray[np.int64]:
    """A number from 0 for each name, -1 where there is none."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) if name else -1 for name in names], np.int64)


def _within(
    descriptors_MD: NDArray[np.float32],
    person_M: NDArray[np.int64],
    original_M: NDArray[np.int64],
    threshold: float,
    apart: Sequence[tuple[int, int]],
) -> NDArray[np.int64]:
    """The cluster, from 0, of each photo of one component."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist, squareform

    if len(descriptors_MD) == 1:
        return np.zeros(1, np.int64)
    distances_MM = squareform(pdist(descriptors_MD.astype(np.float64)))
    distances_MM[_equal(original_M)] = 0
    distances_MM[_equal(person_M)] = 0
    known_M = person_M >= 0
    distances_MM[known_M[:, None] & known_M[None] & (person_M[:, None] != person_M[None])] = _NEVER
    for one, two in apart:
        distances_MM[one, two] = distances_MM[two, one] = _NEVER
    tree = linkage(squareform(distances_MM, checks=False), "average")
    return np.asarray(fcluster(tree, threshold, "distance"), np.int64) - 1


def _equal(codes_M: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((codes_M[:, None] == codes_M[None]) & (codes_M[:, None] >= 0))
