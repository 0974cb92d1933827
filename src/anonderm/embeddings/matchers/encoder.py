"""The phantom encoder as a matcher. It was trained on drawn faces and is uninformative on most photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.embeddings.extractors import embed
from anonderm.embeddings.matchers.matcher import Templates


@dataclass(frozen=True)
class EncoderMatcher:
    """Raises MissingWeights where the encoder is not installed."""

    name: str = "encoder"
    recognises_people: bool = True

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment never fails."""
        sides = (False, True) if views else (False,)
        rows = [embed(faces, "phantom-encoder", flip=flip) for flip in sides]
        return Templates.of(np.stack(rows, axis=1))
