"""The people of an audit: members (in training), non-members (held out), and their photos."""

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
from anonderm.core.records import TONES, Face, tone_of

MEMBER_SPLIT, NON_MEMBER_SPLITS = "train", ("val", "test")

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class People:
    """`real`: the faces that have a split; `others`: photos of the same people not used for training."""

    real: FaceSet
    others: FaceSet | None

    @staticmethod
    def of(real: FaceSet, others: FaceSet | None) -> People:
        """Raises InputError if a side is empty or the sides share a person, TooFewImages for one person."""
        known = real.where(split=(MEMBER_SPLIT, *NON_MEMBER_SPLITS))
        found = People(known, None)
        sides = {"train (members)": found.members, "test or val (non-members)": found.non_members}
        for side, faces in sides.items():
            if not faces:
                raise InputError(
                    f"{real.folder}: no face of split {side}; an audit needs both members and non-members.",
                    "Ingest the photos with a test share above 0; splits are made by person.",
                )
            if faces.people < 2:
                raise TooFewImages(
                    f"{real.folder}: one person in split {side}; an audit needs two.",
                    "Ingest again with more people, or with another --val-share and --test-share.",
                )
        both = {face.person for face in found.members} & {face.person for face in found.non_members}
        if both:
            raise InputError(
                f"{real.folder}: {len(both)} people are both members and non-members ({min(both)!r}, ...).",
                "Split by person: `anonderm ingest` does.",
            )
        subjects = {face.subject for face in known if face.subject}
        shown = others and tuple(face for face in others if face.subject in subjects)
        return People(known, FaceSet(others.folder, shown) if others and shown else None)

    @cached_property
    def members(self) -> FaceSet:
        return self.real.where(split=MEMBER_SPLIT)

    @cached_property
    def non_members(self) -> FaceSet:
        return self.real.where(split=NON_MEMBER_SPLITS)

    @cached_property
    def faces(self) -> tuple[Face, ...]:
        """Of the real set, then the others."""
        return (*self.real.faces, *(self.others.faces if self.others else ()))

    def image(self, row: int) -> Pixels:
        in_real = row < len(self.real)
        faces = self.real if in_real or self.others is None else self.others
        return faces.image(self.faces[row])

    def is_member(self) -> Bools:
        """Which rows [N] show members, including their other photos."""
        members = {face.person for face in self.real if face.split == MEMBER_SPLIT}
        return np.array([face.person in members for face in self.faces], bool)

    def tones(self) -> dict[str, Bools]:
        """Which rows [N] show people of each skin tone, by the median over a person's photos."""
        angles: dict[str, list[float]] = defaultdict(list)
        for face in self.faces:
            if face.ita is not None:
                angles[face.person].append(face.ita)
        median = {person: float(np.median(each)) for person, each in angles.items()}
        tones = [tone_of(median.get(face.person)) for face in self.faces]
        found = {tone: np.array([each == tone for each in tones], bool) for tone in TONES}
        return {tone: rows_N for tone, rows_N in found.items() if rows_N.any()}
