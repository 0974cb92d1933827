from __future__ import annotations

import csv
import json
import shutil
import typing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anonderm.core.errors import (
    AnondermError,
    BadLabel,
    ConfigChanged,
    ConfigError,
    EmptyFolder,
    InputError,
    MissingPath,
    TooFewImages,
    UnreadableImage,
)
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import read_json_lines
from anonderm.core.images import read_image
from anonderm.core.rundir import RunDir
from anonderm.ingest import checks
from anonderm.ingest.config import IngestConfig, LayoutName
from anonderm.ingest.ingest import ingest
from anonderm.ingest.sources.layouts import find_photos


def photo(path: Path, seed: int, size: tuple[int, int] = (80, 100), **options) -> Path:
    """A JPEG or PNG of noise; the same seed and size give the same pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path) -> Path:
    source = tmp_path / "photos"
    for index in range(6):
        photo(source / "healthy" / f"anna_{index}.jpg", index)
        photo(source / "severe" / f"P{index // 2}_side{index % 2}.png", 100 + index)
    return source


def run_ingest(source: Path, out: Path, **settings) -> FaceSet:
    config = IngestConfig(source=source, size=16, **settings)
    with RunDir.open(out, "ingest", config, {}) as run:
        faces = ingest(config, run)
        run.finish([])
    return faces


def skipped(out: Path) -> dict[str, str]:
    lines = (out / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["file"]: row["reason"] for row in map(json.loads, lines)}


def test_every_photo_becomes_a_labelled_square_face(photos, tmp_path):
    faces = run_ingest(photos, tmp_path / "run", licence="consented, research only")
    assert faces.labels == ("healthy", "severe")
    assert faces.pixels().shape == (12, 16, 16, 3)
    assert {face.split for face in faces} == {"train", "val", "test"}
    assert {face.licence for face in faces} == {"consented, research only"}
    assert FaceSet.load(tmp_path / "run" / "faces") == faces


def test_a_photo_is_cut_to_the_centred_square(tmp_path):
    source = tmp_path / "photos"
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[:, 32:96] = (200, 100, 50)
    (source / "mild").mkdir(parents=True)
    Image.fromarray(wide).save(source / "mild" / "a.png")
    assert (run_ingest(source, tmp_path / "run", test_share=0).pixels() == (200, 100, 50)).all()


def test_file_names_stay_out_of_the_faceset(photos, tmp_path):
    faces = run_ingest(photos, tmp_path / "run", subjects=r"/(\w+)_", test_share=0)
    assert not any("anna" in str(face) for face in faces)
    rows = list(csv.DictReader((tmp_path / "run" / "sources.csv").open(encoding="utf-8")))
    assert rows[0] == {
        "id": "healthy-00000",
        "subject": "person-00003",
        "person": "anna",
        "width": "100",
        "height": "80",
        "file": "healthy/anna_0.jpg",
    }


def test_photos_of_one_person_share_a_split(photos, tmp_path):
    faces = run_ingest(photos, tmp_path / "run", subjects=r"/(\w+)_", test_share=0, val_share=0.4)
    splits: dict[str, set[str]] = {}
    for face in faces:
        splits.setdefault(face.subject, set()).add(face.split)
    assert len(splits) == 4
    assert all(len(found) == 1 for found in splits.values())


def test_a_path_without_a_person_is_named(photos, tmp_path):
    with pytest.raises(InputError, match=r"healthy/anna_0\.jpg"):
        run_ingest(photos, tmp_path / "run", subjects=r"/(P\d)_")


def test_without_subjects_the_user_is_warned(photos, tmp_path, capsys):
    run_ingest(photos, tmp_path / "run")
    assert "people unknown" in capsys.readouterr().err


def test_all_unusable_photos_are_named_in_one_error(photos, tmp_path):
    (photos / "healthy" / "broken.jpg").write_text("not an image")
    whole = photo(photos / "severe" / "cut.png", 7).read_bytes()
    (photos / "severe" / "cut.png").write_bytes(whole[: len(whole) // 2])
    photo(photos / "severe" / "dot.png", 8, size=(1, 1))
    (photos / "severe" / "gone.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(UnreadableImage) as caught:
        run_ingest(photos, tmp_path / "run")
    for expected in ("4 of 16", "healthy/broken.jpg", "severe/cut.png", "1 x 1 pixels", "severe/gone.jpg"):
        assert expected in caught.value.message
    assert "--skip-unreadable" in caught.value.hint


def test_after_an_error_the_same_run_folder_takes_skip_unreadable(photos, tmp_path):
    (photos / "healthy" / "broken.jpg").write_text("not an image")
    with pytest.raises(UnreadableImage):
        run_ingest(photos, tmp_path / "run")
    assert len(run_ingest(photos, tmp_path / "run", skip_unreadable=True)) == 12


def test_another_min_side_counts_for_photos_read_before(photos, tmp_path):
    (photos / "healthy" / "broken.jpg").write_text("not an image")
    with pytest.raises(UnreadableImage, match="1 of 13"):
        run_ingest(photos, tmp_path / "run", min_side=80)
    with pytest.raises(UnreadableImage, match="13 of 13"):
        run_ingest(photos, tmp_path / "run", min_side=81)


def test_unusable_photos_are_left_out_and_listed_on_request(photos, tmp_path):
    (photos / "healthy" / "broken.jpg").write_text("not an image")
    photo(photos / "severe" / "dot.png", 8, size=(1, 1))
    faces = run_ingest(photos, tmp_path / "run", skip_unreadable=True)
    assert len(faces) == 12
    assert set(skipped(tmp_path / "run")) == {"healthy/broken.jpg", "severe/dot.png"}


def test_skipped_photos_that_can_be_read_have_thumbnails(photos, tmp_path):
    (photos / "healthy" / "broken.jpg").write_text("not an image")
    photo(photos / "severe" / "dot.png", 8, size=(200, 10))
    photo(photos / "severe" / "again.bmp", 100)
    run_ingest(photos, tmp_path / "run", skip_unreadable=True)
    rows = {row["kind"]: row for row in read_json_lines(tmp_path / "run" / "skipped.jsonl")}
    assert rows.keys() == {"unreadable", "too small", "duplicate"}
    assert rows["unreadable"]["picture"] is None
    assert read_image(tmp_path / "run" / rows["too small"]["picture"]).shape == (128, 6, 3)
    assert (tmp_path / "run" / rows["duplicate"]["picture"]).exists()


def test_a_class_of_unusable_photos_only_is_an_error_even_when_skipping(photos, tmp_path):
    photo(photos / "mild" / "dot.png", 8, size=(1, 1))
    with pytest.raises(EmptyFolder, match="no usable photo of class mild"):
        run_ingest(photos, tmp_path / "run", skip_unreadable=True)


def test_the_same_picture_is_kept_once(photos, tmp_path):
    photo(photos / "severe" / "again.bmp", 100)  # the pixels of P0_side0.png in another file format
    faces = run_ingest(photos, tmp_path / "run")
    assert len(faces) == 12
    assert skipped(tmp_path / "run") == {"severe/again.bmp": "the same picture as severe/P0_side0.png"} or (
        skipped(tmp_path / "run") == {"severe/P0_side0.png": "the same picture as severe/again.bmp"}
    )


def test_the_same_picture_in_two_classes_is_an_error_naming_both(photos, tmp_path):
    photo(photos / "healthy" / "same.png", 100)
    with pytest.raises(BadLabel, match=r"severe/P0_side0.png is the same picture as healthy/same.png"):
        run_ingest(photos, tmp_path / "run", skip_unreadable=True)


def smooth(path: Path, seed: int, size: int, **options) -> Path:
    """A picture of soft blobs, which survives resizing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC).save(path, **options)
    return path


def test_of_resized_copies_the_largest_is_kept_and_the_others_are_listed(photos, tmp_path):
    smooth(photos / "severe" / "small.jpg", 7, 90, quality=60)
    smooth(photos / "severe" / "large.png", 7, 160)
    faces = run_ingest(photos, tmp_path / "run")
    assert len(faces) == 13
    assert skipped(tmp_path / "run") == {
        "severe/small.jpg": "a copy (resized, cropped or mirrored) of severe/large.png"
    }
    assert len(run_ingest(photos, tmp_path / "other", near_duplicates="keep")) == 14


def test_copies_in_two_classes_are_an_error_or_are_all_left_out(photos, tmp_path):
    smooth(photos / "healthy" / "small.jpg", 7, 90, quality=60)
    smooth(photos / "severe" / "large.png", 7, 160)
    with pytest.raises(BadLabel, match=r"healthy/small.jpg is a copy .* of severe/large.png"):
        run_ingest(photos, tmp_path / "run")
    assert len(run_ingest(photos, tmp_path / "run", on_conflict="drop")) == 12
    assert set(skipped(tmp_path / "run")) == {"healthy/small.jpg", "severe/large.png"}


def test_after_an_error_only_new_and_changed_files_are_read_again(photos, tmp_path, monkeypatch):
    broken = photos / "healthy" / "broken.jpg"
    broken.write_text("not an image")
    with pytest.raises(UnreadableImage):
        run_ingest(photos, tmp_path / "run")
    decoded = []
    decode = checks._decode
    monkeypatch.setattr(
        checks, "_decode", lambda photo, limit: decoded.append(photo.name) or decode(photo, limit)
    )
    photo(broken, 9)
    assert len(run_ingest(photos, tmp_path / "run")) == 13
    assert decoded == ["healthy/broken.jpg"]


def test_a_killed_run_resumes_to_the_same_faces(photos, tmp_path, monkeypatch):
    whole = run_ingest(photos, tmp_path / "whole")
    add_photo, left = FaceSetWriter.add_photo, iter(range(5))

    def killed_after_five(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return add_photo(*arguments)

    monkeypatch.setattr(FaceSetWriter, "add_photo", killed_after_five)
    with pytest.raises(KeyboardInterrupt):
        run_ingest(photos, tmp_path / "cut")
    written = set((tmp_path / "cut" / "faces" / "images").iterdir())
    assert len(written) == 5
    times = {path: path.stat().st_mtime_ns for path in written}
    monkeypatch.undo()
    assert run_ingest(photos, tmp_path / "cut").faces == whole.faces
    assert {path: path.stat().st_mtime_ns for path in written} == times


def test_photos_that_changed_during_an_interrupted_run_are_refused(photos, tmp_path, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FaceSetWriter, "add_photo", killed)
        with pytest.raises(KeyboardInterrupt):
            run_ingest(photos, tmp_path / "run")
    (photos / "healthy" / "anna_0.jpg").unlink()
    with pytest.raises(ConfigChanged, match="differ from those"):
        run_ingest(photos, tmp_path / "run")


def test_class_names_of_any_script_get_distinct_ascii_ids(tmp_path):
    for index, label in enumerate(("にきび", "酒さ", "Rosacée", "rosacee")):
        photo(tmp_path / "photos" / label / "写真.png", index)
    faces = run_ingest(tmp_path / "photos", tmp_path / "run", test_share=0)
    assert all(face.id.isascii() for face in faces)
    assert len({face.id for face in faces}) == 4
    assert set(faces.labels) == {"にきび", "酒さ", "Rosacée", "rosacee"}


def test_one_class_only_is_taken_with_a_warning(tmp_path, capsys):
    photo(tmp_path / "photos" / "rosacea" / "a.png", 0)
    assert len(run_ingest(tmp_path / "photos", tmp_path / "run", test_share=0)) == 1
    assert "one class only" in capsys.readouterr().err


def test_a_class_without_people_to_test_on_is_refused_at_once(photos, tmp_path):
    photo(photos / "mild" / "P9_side0.png", 200)
    photo(photos / "mild" / "P9_side1.png", 201)
    with pytest.raises(TooFewImages, match="nobody of class mild is left for split test"):
        run_ingest(photos, tmp_path / "run", subjects=r"/(anna_\d|P\d)")
    assert not (tmp_path / "run" / "sources.csv").exists()


def test_a_run_folder_among_the_photos_is_refused(photos):
    with pytest.raises(ConfigError, match="inside the photo folder"):
        run_ingest(photos, photos / "run")


def test_a_missing_source_is_an_error_before_anything_else(tmp_path):
    with pytest.raises(MissingPath, match="nowhere"):
        run_ingest(tmp_path / "nowhere", tmp_path / "run")


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 1},
        {"val_share": 0.5, "test_share": 0.5},
        {"test_share": -0.1},
        {"subjects": "("},
        {"subjects": "x"},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        IngestConfig(source=Path("photos"), **settings)


def test_photos_without_labels_are_taken_and_one_label_can_be_given(tmp_path, capsys):
    for index in range(6):
        photo(tmp_path / "set" / f"{index}.jpg", index)
    (tmp_path / "set" / "t.csv").write_text("file\n" + "\n".join(f"{index}.jpg" for index in range(6)))
    faces = run_ingest(tmp_path / "set" / "t.csv", tmp_path / "none")
    assert {face.label for face in faces} == {None}
    assert {face.split for face in faces} == {"train", "val", "test"}
    assert "6 photos have no label" in capsys.readouterr().err
    labelled = run_ingest(tmp_path / "set" / "t.csv", tmp_path / "run", label="healthy")
    assert labelled.label_counts == {"healthy": 6}


def given_splits(folder: Path) -> Path:
    """Eight photos of four people; the last person is in train and in test."""
    rows = ["file,label,subject,split"]
    for index in range(8):
        photo(folder / f"{index}.jpg", index)
        rows.append(f"{index}.jpg,mild,P{index // 2},{'test' if index in (5, 7) else 'train'}")
    (folder / "t.csv").write_text("\n".join(rows))
    return folder / "t.csv"


def test_given_splits_are_kept_and_people_in_two_of_them_are_reported(tmp_path, capsys):
    faces = run_ingest(given_splits(tmp_path / "set"), tmp_path / "run", splits="given", val_share=0.3)
    assert [face.split == "test" for face in faces] == [index in (5, 7) for index in range(8)]
    assert {face.split for face in faces} == {"train", "val", "test"}
    log = capsys.readouterr().err
    assert "2 people have photos in several splits" in log
    bridges = (tmp_path / "run" / "bridges.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["person"] for line in bridges] == ["P2", "P3"]


def test_splits_by_person_are_disjoint_whatever_the_source_states(tmp_path, capsys):
    faces = run_ingest(given_splits(tmp_path / "set"), tmp_path / "run")
    assert len({(face.subject, face.split) for face in faces}) == faces.people == 4
    assert "more than one split" not in capsys.readouterr().err


def test_a_source_without_splits_cannot_give_them(photos, tmp_path):
    with pytest.raises(InputError, match="12 photos have no split of their own"):
        run_ingest(photos, tmp_path / "run", splits="given")


def test_an_unrecognised_source_is_refused_with_all_known_layouts(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes.txt").write_text("x")
    with pytest.raises(
        InputError, match=r"(?s)layout is not recognised.*acne04:.*folders: one sub-folder per class"
    ):
        run_ingest(tmp_path / "set", tmp_path / "run")


def test_every_layout_survives_loops_of_links(photos, tmp_path):
    (photos / "healthy" / "again").symlink_to(photos)
    for name in typing.get_args(LayoutName):
        if name in ("auto", "folders"):
            assert len(find_photos(IngestConfig(photos, layout=name))[1].photos) == 12
        else:
            with pytest.raises(AnondermError):
                find_photos(IngestConfig(photos, layout=name))
    (photos / "_annotations.txt").write_text("healthy/anna_0.jpg 1,2,3,4,papule\n")
    _, found = find_photos(IngestConfig(photos))
    assert [photo.name for photo in found.photos] == ["healthy/anna_0.jpg"]
    assert len(found.skipped) == 12


def test_a_new_name_that_cannot_name_a_class_is_refused():
    for setting in ("mild", "=mild", "mild=", "a=../b"):
        with pytest.raises(ConfigError, match="must be OLD=NEW"):
            IngestConfig(Path("photos"), relabel=(setting,))


def test_real_photos_of_mixed_sizes_are_read(shared_data, tmp_path):
    source = tmp_path / "photos"
    for label in ("healthy", "rosacea"):
        (source / label).mkdir(parents=True)
        for file in sorted((shared_data / "faces" / label).iterdir())[:10]:
            shutil.copy(file, source / label)
    faces = run_ingest(source, tmp_path / "run")
    assert len(faces) == 20
    assert faces.pixels().std() > 20
