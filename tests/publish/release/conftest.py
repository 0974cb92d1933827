"""Two releases: a plain one, and one in every format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_line import draw_face, fidelity, synthetic, utility
from made_up_release import EVERY_FORMAT, SHARD_MB, write_release

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Lesion


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    return synthetic(tmp_path_factory.mktemp("faces"), draw_face)


@pytest.fixture(scope="session")
def faces_with_boxes(faces: FaceSet) -> FaceSet:
    lesions = (Lesion("papule", 3, 4, 8, 10), Lesion("comedone", 20, 20, 24, 23.5))
    tones = (55.0, 20.0, -10.0, None)
    return FaceSet(
        faces.folder,
        tuple(
            replace(face, lesions=lesions[: index % 3], ita=tones[index % 4])
            for index, face in enumerate(faces)
        ),
    )


@pytest.fixture(scope="session")
def release(faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    scores = (utility(folder.parent / "pictures", draw_face), fidelity())
    return write_release(folder, faces, scores=scores, title="Acne: synthetic")


@pytest.fixture(scope="session")
def whole(faces_with_boxes: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release in every format."""
    folder = tmp_path_factory.mktemp("whole")
    return write_release(folder, faces_with_boxes, formats=EVERY_FORMAT, shard_mb=SHARD_MB)
