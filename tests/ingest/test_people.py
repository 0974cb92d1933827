"""The person on each photo, with descriptors that depend on the photo's colour in place of dlib's."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from anonderm.core.errors import ConfigError, InputError, MissingExtra, TooFewImages
from anonderm.core.files import read_json_lines
from anonderm.core.images import read_image
from anonderm.core.rundir import RunDir
from anonderm.embeddings import store
from anonderm.embeddings.matchers.matcher import IdentityMatcher
from anonderm.embeddings.matchers.registry import identity_matcher
from anonderm.ingest import people
from anonderm.ingest.checks import Check
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.ingest import ingest
from anonderm.ingest.people import find_people
from anonderm.ingest.sources.photo import File, Photo


def by_colour(photo_HWC):
    """A descriptor that depends on the corner's colour; black shows no face."""
    colour = photo_HWC[0, 0]
    if not colour.any():
        return None
    return np.random.default_rng(colour).normal(0, 0.08, 128).astype(np.float32), "dlib"


@pytest.fixture(autouse=True)
def described(monkeypatch, tmp_path):
    """The photos that were described."""
    looked = []
    monkeypatch.setenv("ANONDERM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_FEW", 100)  # one process: this one, with what is patched here

    def look(photo_HWC):
        looked.append(photo_HWC)
        return by_colour(photo_HWC)

    matcher = IdentityMatcher("colour", "0" * 64, 128, 0.6, lambda: look)
    monkeypatch.setattr(people, "identity_matcher", lambda name: matcher)
    return looked


def picture(path, person, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    pixels[:4, :4] = (0, 0, 0) if person is None else (person + 1, 7, 9)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def source(tmp_path):
    """Two classes of five people, two photos each, and one photo without a face."""
    for index in range(10):
        for view in range(2):
            picture(tmp_path / "in" / "ab"[index % 2] / f"{view}{index}.png", index, 10 * index + view)
    picture(tmp_path / "in" / "a" / "noface.png", None, 1000)
    return tmp_path / "in"


def run_ingest(source, out, **settings):
    config = IngestConfig(source=source, **{"size": 16, "min_side": 8, "people": "faces", **settings})
    with RunDir.open(out, "ingest", config, {}) as run:
        faces = ingest(config, run)
        run.finish([])
    return faces


def checks(photos):
    return [Check(photo, 40, 40, photo.name, np.zeros((32, 32), np.uint8)) for photo in photos]


def subjects(out):
    with (out / "sources.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: row["subject"] for row in csv.DictReader(file)}


def test_photos_of_one_person_get_one_subject_and_one_split(source, tmp_path, capsys):
    faces = run_ingest(source, tmp_path / "run")
    subject = subjects(tmp_path / "run")
    assert all(subject[f"{'ab'[n % 2]}/0{n}.png"] == subject[f"{'ab'[n % 2]}/1{n}.png"] for n in range(10))
    assert len(set(subject.values())) == faces.people == 11
    sides = {face.subject: set() for face in faces}
    for face in faces:
        sides[face.subject].add(face.split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert "no face was found on 1 photos" in capsys.readouterr().err
    assert read_image(tmp_path / "run" / "people.png").std() > 5


def test_a_resumed_run_describes_no_face_again(source, tmp_path, described, monkeypatch):
    def killed(photos, on):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(people, "_bridges", killed)
        with pytest.raises(KeyboardInterrupt):
            run_ingest(source, tmp_path / "run")
    assert len(described) == 21
    run_ingest(source, tmp_path / "run")
    assert len(described) == 21


def test_after_an_error_the_folder_may_be_used_with_other_settings(source, tmp_path):
    for file in (source / "b").iterdir():
        picture(file, 50, int(file.stem))
    with pytest.raises(TooFewImages):  # all of class b is one person
        run_ingest(source, tmp_path / "run")
    assert len(run_ingest(source, tmp_path / "run", test_share=0, val_share=0)) == 21


def test_known_people_are_kept_and_unknown_photos_may_join_them(tmp_path):
    photos = []
    for index, (person, name) in enumerate([(1, "anna"), (1, "anna"), (1, None), (3, "bert"), (3, "cleo")]):
        picture(tmp_path / f"{index}.png", person, index)
        photos.append(Photo(f"{index}.png", File(tmp_path / f"{index}.png"), subject=name))
    config = IngestConfig(source=tmp_path, people="faces")
    with RunDir.open(tmp_path / "run", "ingest", config, {}) as run:
        on = find_people(checks(photos), {photo.name: photo.subject for photo in photos}, config, run).on
    assert list(on.values()) == ["anna", "anna", "anna", "bert", "cleo"]


def test_people_on_both_sides_of_a_given_split_are_listed(tmp_path, capsys):
    photos = []
    for index, (person, split) in enumerate([(1, "train"), (1, "test"), (2, "train"), (2, "train")]):
        picture(tmp_path / f"{index}.png", person, index)
        photos.append(Photo(f"{index}.png", File(tmp_path / f"{index}.png"), split=split))
    config = IngestConfig(source=tmp_path, people="faces", splits="given")
    with RunDir.open(tmp_path / "run", "ingest", config, {}) as run:
        find_people(checks(photos), dict.fromkeys(photo.name for photo in photos), config, run).report(
            config, {photo.name: str(photo.split) for photo in photos}, run
        )
    assert read_json_lines(tmp_path / "run" / "bridges.jsonl") == [
        {"person": "0.png", "photos": {"0.png": "train", "1.png": "test"}}
    ]
    assert "1 people have photos in several splits" in capsys.readouterr().err


def test_missing_models_are_reported_before_any_photo_is_read(source, tmp_path, monkeypatch):
    def missing(name):
        raise MissingExtra(name)

    monkeypatch.setattr(people, "identity_matcher", missing)
    with pytest.raises(MissingExtra):
        run_ingest(source, tmp_path / "run")
    assert not (tmp_path / "run" / ".checked.jsonl").exists()


def test_an_unknown_matcher_is_refused_with_the_known_ones(source):
    with pytest.raises(ConfigError) as caught:
        IngestConfig(source=source, people_matcher="eyes")
    assert "sface" in caught.value.hint
    assert IngestConfig(source=source, people_matcher="a/Face.ONNX").people_matcher == "a/Face.ONNX"


def test_a_threshold_out_of_range_is_refused(source):
    with pytest.raises(ConfigError):
        IngestConfig(source=source, people_threshold=0)


def test_real_photos_of_four_people_are_grouped_in_pairs(shared_data, tmp_path, monkeypatch):
    pytest.importorskip("dlib")
    monkeypatch.setattr(people, "identity_matcher", identity_matcher)
    for name in [file.name for file in sorted((shared_data / "pairs").glob("*.jpg"))][:8]:
        (tmp_path / "in" / "x").mkdir(parents=True, exist_ok=True)
        shutil.copy(shared_data / "pairs" / name, tmp_path / "in" / "x")
    run_ingest(tmp_path / "in", tmp_path / "run", people_threshold=0.55, people_matcher="dlib")
    found = subjects(tmp_path / "run")
    assert len(set(found.values())) == 4
    assert all(found[name] == found[name.replace("neutral", "smiling")] for name in found)


def strangers(folder, count=24):
    """Photos whose descriptors are all about as far from each other as those of one person."""
    for index in range(count):
        picture(folder / "ab"[index % 2] / f"{index}.png", index, index)


@pytest.fixture
def blurred(monkeypatch):
    """A matcher to which all people look alike."""

    def alike(photo_HWC):
        return np.random.default_rng(photo_HWC[0, 0]).normal(0, 0.02, 128).astype(np.float32), "dlib"

    matcher = IdentityMatcher("alike", "1" * 64, 128, 0.6, lambda: alike)
    monkeypatch.setattr(people, "identity_matcher", lambda name: matcher)


def test_a_matcher_that_cannot_tell_people_apart_is_refused_with_what_to_do(tmp_path, blurred):
    strangers(tmp_path / "in")
    with pytest.raises(InputError, match="people unknown") as caught:
        run_ingest(tmp_path / "in", tmp_path / "run")
    assert "--people unverified" in caught.value.hint


def test_unverified_people_are_marked_on_every_face(tmp_path, blurred, capsys):
    strangers(tmp_path / "in")
    faces = run_ingest(tmp_path / "in", tmp_path / "run", people="unverified")
    assert faces.unidentified == len(faces) == 24
    assert "WARNING: people unknown" in capsys.readouterr().err


def test_people_whom_the_faces_tell_apart_are_known(source, tmp_path):
    faces = run_ingest(source, tmp_path / "run")
    assert {face.identified_by for face in faces} == {"faces", None}
    assert faces.unidentified == 1  # the photo without a face


def test_a_reviewer_joins_photos_and_keeps_others_apart(source, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("photo_a,photo_b,same\na/noface.png,00.png,yes\na/02.png,a/12.png,no\n")
    faces = run_ingest(source, tmp_path / "run", people_pairs=pairs)
    subject = subjects(tmp_path / "run")
    assert subject["a/noface.png"] == subject["a/00.png"]
    assert subject["a/02.png"] != subject["a/12.png"]
    assert faces.unidentified == 0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("a/00.png,a/10.png,perhaps", "pairs.csv:2"),
        ("a/00.png,a/00.png,yes", "pairs.csv:2"),
        ("a/00.png,a/10.png,yes\na/10.png,a/02.png,yes\na/00.png,a/02.png,no", "pairs.csv:4"),
    ],
)
def test_a_bad_or_contradictory_decision_is_named_by_its_line(source, tmp_path, rows, expected):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"photo_a,photo_b,same\n{rows}\n")
    with pytest.raises(InputError, match=expected):
        run_ingest(source, tmp_path / "run", people_pairs=pairs)
