"""Precision, recall, density and coverage, with what each would be without each block of people.

The ball of an image reaches to its K-th neighbour in its own set. Balls are open, as Naeem's are: an image
on the rim lies outside. Sources: Kynkaanniemi et al. 2019, eq. 1 and 2; Naeem et al. 2020, eq. 4 and 5.
"""

# N owners of balls, M guests, H pairs that may touch, T rows of a tile, B blocks of people

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from anonderm.metrics.neighbours import exact_squared, rounding
from anonderm.metrics.pairs import Floats, Sample, Tile

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Replicated:
    """A value, and what it is without each block of one set [B] and of the other [B]."""

    value: float
    without_real_B: Floats
    without_fake_B: Floats

    def swapped(self) -> Replicated:
        return Replicated(self.value, self.without_fake_B, self.without_real_B)


class Balls:
    """The balls of one set (owners), and which images of another (guests) lie in them, tile by tile.

    reach_N1B: squared radii, in the whole set and without each of its blocks (neighbours.Nearest.reach).
    """

    def __init__(self, owners: Sample, reach_N1B: Floats, guests: Sample) -> None:
        self._owners, self._guests, self._reach_N1B = owners, guests, reach_N1B
        self._slack = rounding(owners, guests)
        limit_N = np.where(np.isfinite(reach_N1B), reach_N1B, 0.0).max(1) + self._slack
        self._limit_N = torch.from_numpy(limit_N).to(owners.rows_ND.dtype)
        self._owner_block_N, self._guest_block_M = owners.block_of_N, guests.block_of_N
        # For each guest, the balls around it: of the whole set, and of the set without each block.
        self._balls_M1B = np.zeros((len(guests), 1 + owners.blocks), np.int64)
        # For each ball, with its radius in the whole set and without each block, whether a guest is in it.
        self._filled_N1B = np.zeros((len(owners), 1 + owners.blocks), bool)
        # For each ball, whether a guest of each block of guests is in it.
        self._filled_by_NB = np.zeros((len(owners), guests.blocks), bool)

    def add(self, tile: Tile) -> None:
        """Rows are the owners."""
        near_TM = tile.squared_TM <= self._limit_N[tile.rows, None]
        owner_H, guest_H = torch.nonzero(near_TM, as_tuple=True)
        squared_H = tile.squared_TM[owner_H, guest_H].double().numpy()
        self._note((owner_H + tile.rows.start).numpy(), (guest_H + tile.others.start).numpy(), squared_H)

    def add_turned(self, tile: Tile) -> None:
        """Columns are the owners."""
        near_TM = tile.squared_TM <= self._limit_N[tile.others]
        guest_H, owner_H = torch.nonzero(near_TM, as_tuple=True)
        squared_H = tile.squared_TM[guest_H, owner_H].double().numpy()
        self._note((owner_H + tile.others.start).numpy(), (guest_H + tile.rows.start).numpy(), squared_H)

    def _note(self, owner_H: Indices, guest_H: Indices, squared_H: Floats) -> None:
        reach_H1B = self._reach_N1B[owner_H]
        doubtful_H = (np.abs(squared_H[:, None] - reach_H1B) <= self._slack).any(1)
        squared_H[doubtful_H] = exact_squared(
            self._owners, owner_H[doubtful_H], self._guests, guest_H[doubtful_H]
        )
        inside_H1B = squared_H[:, None] < reach_H1B
        in_H = inside_H1B[:, 0]
        self._filled_by_NB[owner_H[in_H], self._guest_block_M[guest_H[in_H]]] = True
        inside_H1B[np.arange(len(owner_H)), 1 + self._owner_block_N[owner_H]] = False  # gone with its block
        np.logical_or.at(self._filled_N1B, owner_H, inside_H1B)
        np.add.at(self._balls_M1B, guest_H, inside_H1B)

    def guests_inside(self) -> Replicated:
        """Share of guests that lie in some ball; replicates by the owners' blocks, then by the guests'."""
        return self._over_guests((self._balls_M1B > 0).astype(float))

    def balls_a_guest(self) -> Replicated:
        """Mean number of balls a guest lies in."""
        return self._over_guests(self._balls_M1B.astype(float))

    def _over_guests(self, worth_M1B: Floats) -> Replicated:
        sums_B = np.add.reduceat(worth_M1B[:, 0], self._guests.bounds_B1[:-1])
        left_B = np.maximum(len(worth_M1B) - self._guests.sizes_B, 1)
        means_1B = worth_M1B.mean(0)
        return Replicated(float(means_1B[0]), means_1B[1:], (worth_M1B[:, 0].sum() - sums_B) / left_B)

    def filled(self) -> Replicated:
        """Share of balls that hold a guest; replicates by the owners' blocks, then by the guests'."""
        left_B = np.maximum(len(self._owners) - self._owners.sizes_B, 1)
        without_owners_B = self._filled_N1B[:, 1:].sum(0) / left_B
        others_NB = self._filled_by_NB.sum(1, keepdims=True) - self._filled_by_NB
        return Replicated(float(self._filled_N1B[:, 0].mean()), without_owners_B, (others_NB > 0).mean(0))
