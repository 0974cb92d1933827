"""A matcher that finds copies of a picture and recognises no faces: near_duplicates.edge_histograms."""

# N faces, V views, D features

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from anonderm.core.faceset import FaceSet
from anonderm.core.parallel import in_threads
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.matcher import Rows, Templates
from anonderm.embeddings.near_duplicates.edge_histograms import (
    DIGEST,
    VIEWS,
    WIDTH,
    describe,
    describe_views,
)
from anonderm.embeddings.store import Store


@dataclass(frozen=True)
class CopyMatcher:
    name: str = "copy"
    recognises_people: bool = False

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment never fails."""
        described = describe_views if views else describe
        store = Store("copy-views" if views else "copy", DIGEST, (VIEWS if views else 1, WIDTH))

        def compute(missing: list[int]) -> Iterable[Rows]:
            todo = [faces.faces[position] for position in missing]
            with run.bar(f"describing pictures of {len(todo)} faces", len(todo)) as bar:
                for rows_VD in in_threads(lambda face: described(faces.image(face)), todo):
                    yield rows_VD[None]
                    bar.advance()

        return Templates(store.rows([face.sha256 for face in faces], compute))
