"""Unknown lesions are never taken for none: not in the manifest, training, evaluation or exports."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.classify.lesions.tile_sampler import TileSampler
from anonderm.core.affine import crop_and_scale, map_known_lesions
from anonderm.core.errors import BadLabel, InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import SPLITS, Face, Lesion
from anonderm.core.rundir import RunDir
from anonderm.evaluate.encoder.train import _counts
from anonderm.models.classifier.heads import LabelDistribution, MultiLabel
from anonderm.models.classifier.label_encoding import encode_targets, require_lesions, with_known_lesions
from anonderm.models.lesion_detector.kinds import kinds_of, lesion_counts, with_known_boxes
from anonderm.publish.export_boxes import ExportBoxesConfig, export_boxes

KINDS = ("papule", "pustule")
SIDE = 16

BOXES = st.lists(
    st.builds(
        lambda kind, x, y: Lesion(kind, x, y, x + 4, y + 4),
        st.sampled_from(KINDS),
        st.integers(0, 10),
        st.integers(0, 10),
    ),
    max_size=3,
).map(tuple)
ROWS = st.builds(
    Face,
    st.just("face"),
    label=st.sampled_from(["healthy", "mild", "severe", None]),
    split=st.sampled_from([*SPLITS, None]),
    lesions=st.none() | BOXES,
    lesion_types=st.none() | st.sets(st.sampled_from(KINDS)).map(lambda kinds: tuple(sorted(kinds))),
)
MIXES = st.lists(ROWS, min_size=1, max_size=6).map(
    lambda rows: [replace(row, id=f"face-{index}") for index, row in enumerate(rows)]
)


@contextmanager
def stored(rows: list[Face]) -> Iterator[FaceSet]:
    with TemporaryDirectory() as folder:
        writer = FaceSetWriter(Path(folder) / "faces")
        for row in rows:
            writer.add(np.full((SIDE, SIDE, 3), 90, np.uint8), row)
        yield writer.finish()


def in_memory(rows: list[Face]) -> FaceSet:
    return FaceSet(Path("faces"), tuple(rows))


@settings(max_examples=25, deadline=None)
@given(MIXES)
def test_the_manifest_and_its_journal_keep_unknown_apart_from_none(rows: list[Face]) -> None:
    stated = {row.id: (row.lesions, row.lesion_types) for row in rows}
    with stored(rows) as faces:
        again = FaceSet.load(faces.folder)
        assert {face.id: (face.lesions, face.lesion_types) for face in again} == stated
    with TemporaryDirectory() as folder:
        started = FaceSetWriter(Path(folder))
        for row in rows:
            started.add(np.full((SIDE, SIDE, 3), 90, np.uint8), row)
        resumed = FaceSetWriter(Path(folder)).finish()  # after a kill, from the journal
        assert {face.id: (face.lesions, face.lesion_types) for face in resumed} == stated


@settings(max_examples=25, deadline=None)
@given(MIXES)
def test_exports_label_exactly_the_faces_whose_boxes_are_known(rows: list[Face]) -> None:
    known = {row.id: row.lesions for row in rows if row.lesions is not None}
    config = ExportBoxesConfig()
    with stored(rows) as faces, TemporaryDirectory() as folder:
        with RunDir.open(Path(folder) / "run", "export-boxes", config, {}) as run:
            if not any(known.values()):
                with pytest.raises(InputError, match="no face has lesion boxes"):
                    export_boxes(config, faces, run)
                return
            export_boxes(config, faces, run)
        boxes = Path(folder) / "run" / "boxes"
        texts = {path.stem: path.read_text() for path in (boxes / "yolo" / "labels").rglob("*.txt")}
        assert {name: len(text.splitlines()) for name, text in texts.items()} == {
            name: len(lesions) for name, lesions in known.items()
        }
        assert {path.stem for path in (boxes / "yolo" / "images").rglob("*.png")} == known.keys()
        listed = {}
        for path in (boxes / "coco" / "annotations").iterdir():
            content = json.loads(path.read_text())
            for image in content["images"]:
                of_image = [row for row in content["annotations"] if row["image_id"] == image["id"]]
                listed[Path(image["file_name"]).stem] = len(of_image)
        assert listed == {name: len(lesions) for name, lesions in known.items()}


@settings(max_examples=25, deadline=None)
@given(MIXES)
def test_no_tile_shows_a_face_whose_boxes_are_unknown(rows: list[Face]) -> None:
    """Pictures of such faces are missing, so that drawing one would fail."""
    rows = [*rows, Face("sure", lesions=(Lesion("papule", 2, 2, 6, 6),))]
    with stored(rows) as faces:
        for face in faces:
            if face.lesions is None:
                (faces.folder / face.file).unlink()
        sampler = TileSampler(TrainDetectorConfig(lesion_tile_share=0.3), faces, SIDE, KINDS)
        tiles, targets = sampler.draw(20, torch.Generator().manual_seed(0))
        assert len(tiles) == len(targets) == 20


@given(MIXES, st.booleans())
def test_detectors_see_only_faces_whose_boxes_are_known(rows: list[Face], class_agnostic: bool) -> None:
    usable = with_known_boxes(in_memory(rows), class_agnostic)
    assert [face.id for face in usable] == [row.id for row in rows if row.lesions is not None]
    assert all(face.lesions is not None for face in usable)
    assert sum(lesion_counts(usable).values()) == sum(len(row.lesions or ()) for row in rows)
    assert set(kinds_of(usable)) <= ({"lesion"} if class_agnostic else set(KINDS))


@given(MIXES)
def test_a_target_of_no_lesions_is_learned_only_from_faces_known_to_have_none(rows: list[Face]) -> None:
    faces = in_memory([row for row in rows if row.label is not None])
    known = with_known_lesions(faces, boxes=False)
    for face, target in zip(known, encode_targets(known, KINDS, MultiLabel(2)).labels.tolist(), strict=True):
        if not any(target):
            assert face.label == "healthy" or () in (face.lesions, face.lesion_types)
    counted = with_known_lesions(faces, boxes=True)
    head = LabelDistribution((0, 5), 65)
    counts = encode_targets(counted, ("healthy", "mild", "severe"), head).counts
    assert counts is not None
    for face, count in zip(counted, counts.tolist(), strict=True):
        assert count == len(face.lesions or ())
        assert count or face.label == "healthy" or face.lesions == ()


@given(MIXES)
def test_targets_of_unknown_faces_are_refused(rows: list[Face]) -> None:
    faces = in_memory([row for row in rows if row.label is not None])
    for head, boxes in ((MultiLabel(2), False), (LabelDistribution((0, 5), 65), True)):
        if len(with_known_lesions(faces, boxes=boxes)) == len(faces):
            continue
        with pytest.raises(BadLabel, match="are unknown"):
            encode_targets(faces, KINDS, head)


@given(MIXES)
def test_too_few_known_faces_are_an_error_that_counts_them(rows: list[Face]) -> None:
    unhealthy = [row for row in rows if row.label != "healthy"]
    known = [row for row in unhealthy if row.lesions is not None]
    if known and 2 * len(known) >= len(unhealthy):
        assert set(known) <= set(require_lesions(in_memory(rows), boxes=True))
    else:
        with pytest.raises(BadLabel, match=f"{len(known)} of {len(unhealthy)} unhealthy"):
            require_lesions(in_memory(rows), boxes=True)


@given(ROWS, st.integers(0, 8), st.integers(0, 8), st.integers(1, 16))
def test_a_crop_keeps_unknown_unknown_and_counts_what_it_shows(
    row: Face, left: int, top: int, side: int
) -> None:
    size = (SIDE, SIDE)
    lesions, lost = map_known_lesions(row.lesions, crop_and_scale(left, top, side, side, size), size)
    cut = row.with_lesions(lesions)
    if row.lesions is None:
        assert (cut.lesions, cut.lesion_types, lost) == (None, row.lesion_types, 0)
    else:
        assert cut.lesions is not None
        assert len(cut.lesions) + lost == len(row.lesions)
        assert cut.lesion_types in (None, tuple(sorted({each.kind for each in cut.lesions})))
        assert (cut.lesion_types is None) == (row.lesion_types is None)


@given(ROWS)
def test_the_encoder_learns_no_count_from_an_unknown_face(row: Face) -> None:
    counts = _counts(row)
    assert all(map(math.isnan, counts)) == (row.lesions is None)
    assert row.lesions is None or sum(counts) == len(row.lesions)
