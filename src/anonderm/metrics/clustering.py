"""Photos of one person put together."""

# N photos, D features of a descriptor, B photos of a block

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512
_NEVER = 1e3  # distance between photos of two known people


def blocks(descriptors_ND: NDArray[np.float32]) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Distances block by block: rows from, columns from, [B, B]; pairs count where row < column."""
    squares_N = (descriptors_ND.astype(np.float64) ** 2).sum(axis=1)
    for top in range(0, len(descriptors_ND), _BLOCK):
        for left in range(top, len(descriptors_ND), _BLOCK):
            one_BD, two_BD = descriptors_ND[top : top + _BLOCK], descriptors_ND[left : left + _BLOCK]
            products_BB = one_BD.astype(np.float64) @ two_BD.T.astype(np.float64)
            sums_BB = squares_N[top : top + _BLOCK, None] + squares_N[None, left : left + _BLOCK]
            distances_BB = np.sqrt(np.maximum(sums_BB - 2 * products_BB, 0))
            if top == left:
                distances_BB[np.tril_indices(len(one_BD))] = np.inf
            yield top, left, distances_BB.astype(np.float32)


def cluster(
    descriptors_ND: NDArray[np.float32],
    known: Sequence[str | None],
    original: Sequence[str | None],
    threshold: float,
) -> NDArray[np.int64]:
    """The number of the person on each photo, [N].

    Agglomerative clustering with average linkage, cut at the threshold. Photos of one known person, or of one
    original, stay together; those of two known people stay apart. Only photos joined by a chain of distances
    below the threshold can come together, so each such group is clustered for itself: no matrix of all
    distances is kept.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(descriptors_ND)
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for top, left, distances_BB in blocks(descriptors_ND):
        row, column = np.nonzero(distances_BB <= threshold)
        rows.append(row + top)
        columns.append(column + left)
    person_codes_N, original_codes_N = _codes(known), _codes(original)
    for codes_N in (person_codes_N, original_codes_N):
        _, first, inverse_N = np.unique(codes_N, return_index=True, return_inverse=True)
        told = np.flatnonzero(codes_N >= 0)
        rows.append(told)
        columns.append(first[inverse_N[told]])
    ends = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(count, count))
    _, component_N = connected_components(graph, directed=False)
    person_N, people = np.zeros(count, np.int64), 0
    order = np.argsort(component_N, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(component_N[order])) + 1):
        within = _within(
            descriptors_ND[members], person_codes_N[members], original_codes_N[members], threshold
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
) -> NDArray[np.int64]:
    """The clusters, from 0, of the photos of one component."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist, squareform

    if len(descriptors_MD) == 1:
        return np.zeros(1, np.int64)
    distances_MM = squareform(pdist(descriptors_MD.astype(np.float64)))
    distances_MM[_equal(original_M)] = 0
    distances_MM[_equal(person_M)] = 0
    known_M = person_M >= 0
    distances_MM[known_M[:, None] & known_M[None] & (person_M[:, None] != person_M[None])] = _NEVER
    tree = linkage(squareform(distances_MM, checks=False), "average")
    return np.asarray(fcluster(tree, threshold, "distance"), np.int64) - 1


def _equal(codes_M: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((codes_M[:, None] == codes_M[None]) & (codes_M[:, None] >= 0))
