"""The phantom encoder as a matcher. It was trained on drawn faces and is uninformative on most photos."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.embeddings.extractors import embed, embed_both_sides
from anonderm.embeddings.matchers.matcher import Templates


@dataclass(frozen=True)
class EncoderMatcher:
    """Raises MissingWeights where the encoder is not installed."""

    name: str = "encoder"
    recognises_people: bool = True

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment never fails."""
        if views:
            return Templates.of(embed_both_sides(faces, "phantom-encoder"))
        return Templates.of(embed(faces, "phantom-encoder")[:, None])
