"""The people of an audit: those in training, those kept out, and the photos of either."""

# N photos: of the real set, then others of the same people

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels
from anonderm.core.records import Face
from anonderm.core.tones import TONES, tone_of

TRAINING, KEPT_OUT = "train", ("val", "test")

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class People:
    """`real` holds the faces with splits alone; `others` photos of the same people that no training saw."""

    real: FaceSet
    others: FaceSet | None

    @staticmethod
    def of(real: FaceSet, others: FaceSet | None) -> People:
        """Raises InputError where a side has nobody or both have one person, TooFewImages for one alone."""
        known = real.where(split=(TRAINING, *KEPT_OUT))
        found = People(known, None)
        arms = {"in training (split train)": found.training, "kept out (splits test and val)": found.kept_out}
        for arm, faces in arms.items():
            if not faces:
                raise InputError(
                    f"{real.folder}: nobody is {arm}, and an audit needs both sides.",
                    "Ingest the photos with a test share above 0; splits are made by person.",
                )
            if faces.people < 2:
                raise TooFewImages(f"{real.folder}: one person is {arm}; an audit needs two.")
        both = {face.person for face in found.training} & {face.person for face in found.kept_out}
        if both:
            raise InputError(
                f"{real.folder}: {len(both)} people ({min(both)!r} for one) are in training and kept out.",
                "Split by person: `anonderm ingest` does.",
            )
        subjects = {face.subject for face in known if face.subject}
        shown = others and tuple(face for face in others if face.subject in subjects)
        return People(known, FaceSet(others.folder, shown) if others and shown else None)

    @cached_property
    def training(self) -> FaceSet:
        return self.real.where(split=TRAINING)

    @cached_property
    def kept_out(self) -> FaceSet:
        return self.real.where(split=KEPT_OUT)

    @property
    def training_rows(self) -> list[int]:
        return [row for row, face in enumerate(self.real) if face.split == TRAINING]

    @property
    def kept_out_rows(self) -> list[int]:
        return [row for row, face in enumerate(self.real) if face.split in KEPT_OUT]

    @cached_property
    def faces(self) -> tuple[Face, ...]:
        """Of the real set, then the others."""
        return (*self.real.faces, *(self.others.faces if self.others else ()))

    def image(self, row: int) -> Pixels:
        in_real = row < len(self.real)
        faces = self.real if in_real or self.others is None else self.others
        return faces.image(self.faces[row])

    def in_training(self) -> Bools:
        """Which rows [N] show people in training; the others' rows as well."""
        trained = {face.person for face in self.real if face.split == TRAINING}
        return np.array([face.person in trained for face in self.faces], bool)

    def tones(self) -> dict[str, Bools]:
        """Which rows [N] show people of each skin tone; a person's is the median of her photos'."""
        angles: dict[str, list[float]] = defaultdict(list)
        for face in self.faces:
            if face.ita is not None:
                angles[face.person].append(face.ita)
        median = {person: float(np.median(each)) for person, each in angles.items()}
        tones = [tone_of(median.get(face.person)) for face in self.faces]
        found = {tone: np.array([each == tone for each in tones], bool) for tone in TONES}
        return {tone: rows_N for tone, rows_N in found.items() if rows_N.any()}
