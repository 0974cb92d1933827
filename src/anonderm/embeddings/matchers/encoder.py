"""The project's own encoder as a matcher: it learned on drawn faces, and is blind on most others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.embeddings.extractors import embed
from anonderm.embeddings.matchers.matcher import Described


@dataclass(frozen=True)
class EncoderMatcher:
    """Raises MissingWeights where the encoder is not installed."""

    name: str = "encoder"
    sees: str = "a drawn face"
    knows_faces: bool = True

    def describe(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Described:
        """See Matcher. Every face is seen."""
        sides = (False, True) if views else (False,)
        rows = [embed(faces, "phantom-encoder", flip=flip) for flip in sides]
        return Described.of(np.stack(rows, axis=1))
