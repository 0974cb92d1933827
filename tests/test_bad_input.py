"""Bad input to the command line: every error names the place and what to do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anonderm.cli import main
from anonderm.core import files
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.documents import read_json
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import sha256_file
from anonderm.core.records import Face
from anonderm.models.classifier.network import Classifier

Refused = Callable[..., str]


def picture(seed: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def photo(path: Path, seed: int, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed)).save(path, **options)  # type: ignore[arg-type]
    return path


def face_set(folder: Path, faces: list[tuple[Face, np.ndarray]]) -> Path:
    writer = FaceSetWriter(folder)
    for face, image_HWC in faces:
        writer.add(image_HWC, face)
    writer.finish()
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index in range(5):
        photo(tmp_path / "photos" / "healthy" / f"{index}.png", index)
        photo(tmp_path / "photos" / "にきび" / f"写真 {index}.png", 100 + index)
    return tmp_path / "photos"


@pytest.fixture
def real(tmp_path: Path) -> Path:
    splits = ["train"] * 8 + ["val", "test"]
    return face_set(
        tmp_path / "real",
        [
            (
                Face(f"{label}-{n}", label=label, subject=f"{label}{n}", split=split),
                picture(50 * n + len(label)),
            )
            for label in ("healthy", "mild")
            for n, split in enumerate(splits)
        ],
    )


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = CheckpointCard(
        "classifier",
        {"backbone": "test_resnet", "drop_strides": 1, "head": {"name": "softmax"}},
        32,
        (0.0, 1.0),
        ("healthy", "mild"),
    )
    network = Classifier("test_resnet", card.classes, 32, 1)
    path = tmp_path_factory.mktemp("classifier") / "checkpoint.safetensors"
    return Checkpoint.save(path, network.state_dict(), card).path


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that must fail as a user's error; returns the message."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        status = main([str(each) for each in arguments])
        shown = capsys.readouterr().err
        assert status == 2, shown
        message, _, _ = shown.rpartition("\nanonderm: ")[2].partition("\n  ")
        assert message.strip()
        return shown

    return run


def ingest(photos: Path, out: Path, *more: str) -> list[str]:
    return ["ingest", "--source", str(photos), "--out", str(out), "--size", "32", "--min-side", "16", *more]


# Photos


def test_every_kind_of_photo_is_read(photos: Path, tmp_path: Path) -> None:
    image = Image.fromarray(picture(7))
    turned = Image.Exif()
    turned[0x0112] = 6  # turned by 90 degrees
    folder = photos / "healthy"
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.convert("P").save(folder / "palette.png")
    Image.fromarray(picture(8)).convert("L").save(folder / "grey.png")
    image.convert("RGBA").rotate(30).save(folder / "alpha.png")
    image.resize((48, 32)).save(folder / "exif.jpg", exif=turned)
    Image.fromarray(picture(9)[:, :, 0].astype(np.uint16) * 257).save(folder / "sixteen.png")
    assert main(ingest(photos, tmp_path / "run")) == 0
    assert FaceSet.load(tmp_path / "run" / "faces").pixels().shape == (16, 32, 32, 3)


def test_photos_that_cannot_be_used_are_named_and_left_out_where_asked(
    photos: Path, tmp_path: Path, refused: Refused
) -> None:
    whole = photo(photos / "healthy" / "whole.jpg", 30).read_bytes()
    (photos / "healthy" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "healthy" / "empty.jpg").touch()
    Image.new("RGB", (1, 1)).save(photos / "healthy" / "one.png")
    shutil.copy(photos / "healthy" / "0.png", photos / "healthy" / "twin.png")
    message = refused(*ingest(photos, tmp_path / "run"))
    bad = ("healthy/cut.jpg", "healthy/empty.jpg", "healthy/one.png")
    assert all(name in message for name in bad)
    assert "--skip-unreadable" in message
    assert main(ingest(photos, tmp_path / "run", "--skip-unreadable")) == 0
    listed = (tmp_path / "run" / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["file"] for line in listed) == sorted((*bad, "healthy/twin.png"))


@pytest.mark.parametrize("name", ["-mild", "a:b", "what?", "x" * 100, "tab\tbed", "back\\slash"])
def test_a_folder_that_cannot_name_a_class_is_refused_at_once(
    photos: Path, tmp_path: Path, refused: Refused, name: str
) -> None:
    photo(photos / name / "a.png", 1)
    assert "Rename it" in refused(*ingest(photos, tmp_path / "run"))


def test_a_run_folder_among_the_photos_is_refused(photos: Path, refused: Refused) -> None:
    assert "Delete it" in refused(*ingest(photos, photos / "run"))


def test_a_recipe_that_cannot_run_is_refused_before_any_work(
    photos: Path, tmp_path: Path, refused: Refused
) -> None:
    recipe = Path(__file__).parents[1] / "recipes" / "folder.toml"
    line = ("run", recipe, "--out", tmp_path / "line", "--data")
    assert "no such folder" in refused(*line, tmp_path / "nowhere")
    assert "needs photos" in refused(*line[:-1])
    assert "nonsense" in refused(*line, photos, "--until", "nonsense")
    assert "must be greater than 0" in refused(*line, photos, "--budget-minutes", "0")
    assert "cannot be read" in refused("run", tmp_path)
    (photos / "mild").mkdir()
    assert "no image in this class" in refused(*line, photos)
    shutil.rmtree(photos / "mild")
    shutil.rmtree(photos / "healthy")
    assert "only one class" in refused(*line, photos)
    assert not (tmp_path / "line").exists()


def test_the_folder_recipe_shows_how_to_name_subjects(photos: Path, tmp_path: Path, refused: Refused) -> None:
    shipped = Path(__file__).parents[1] / "recipes" / "folder.toml"
    recipe = tmp_path / "mine.toml"
    text = shipped.read_text(encoding="utf-8").replace("# subjects =", "min_side = 16\nsubjects =")
    recipe.write_text(text, encoding="utf-8")
    for label in ("healthy", "にきび"):
        for index, path in enumerate(sorted((photos / label).iterdir())):
            path.rename(path.with_name(f"P{index // 2}_{index}.png"))
    line = ["run", str(recipe), "--data", str(photos), "--out", str(tmp_path / "line"), "--until", "photos"]
    assert main(line) == 0
    assert FaceSet.load(tmp_path / "line" / "photos" / "faces").people == 3
    (photos / "healthy" / "P0_0.png").rename(photos / "healthy" / "anna.png")
    assert "healthy/anna.png" in refused(*line[:5], str(tmp_path / "other"), *line[6:])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(photos: Path, tmp_path: Path, refused: Refused) -> None:
    (photos / "healthy").chmod(0)
    message = refused(*ingest(photos, tmp_path / "run"))
    (photos / "healthy").chmod(0o755)
    assert "healthy: Permission denied" in message


@pytest.mark.parametrize("name", ["n" * 300, "\udcff"], ids=["too long", "not UTF-8"])
def test_an_impossible_path_is_named(photos: Path, tmp_path: Path, refused: Refused, name: str) -> None:
    refused(*ingest(photos, tmp_path / name))
    refused(*ingest(photos / name, tmp_path / "run"))


# Artefacts


def test_a_checkpoint_of_another_kind_is_refused(
    real: Path, classifier: Path, tmp_path: Path, refused: Refused
) -> None:
    out = ("--out", tmp_path / "run")
    assert "train-gan" in refused("generate", "--checkpoints", classifier, *out)
    assert "train-gan" in refused("train-gan", "--faces", real, "--base", classifier, *out)
    message = refused("grade", "--faces", real, "--classifier", "phantom-64", *out)
    assert "train-classifier" in message
    given = ("--trained-on-real", "phantom-64", "--trained-on-synthetic", classifier)
    assert "train-classifier" in refused("evaluate", "utility", "--real", real, *given, *out)
    assert "train-classifier" in refused("grade", "--faces", real, "--classifier", "phantom-encoder", *out)


def test_the_error_about_missing_weights_lists_the_known_ones(real: Path, refused: Refused) -> None:
    message = refused("train-gan", "--faces", real, "--base", "phantom-46", "--out", real.parent / "run")
    assert "phantom-64" in message


def break_card(**changes: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        content = read_json(path)
        path.write_text(json.dumps({**content, **changes}), encoding="utf-8")

    return edit


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text("{", encoding="utf-8"),
        lambda path: path.write_text("[]", encoding="utf-8"),
        lambda path: path.unlink(),
        lambda path: path.with_suffix(".safetensors").write_bytes(b"x" * 99),
        break_card(architecture=7),
        break_card(architecture={"backbone": "zzz", "drop_strides": 0, "head": {"name": "softmax"}}),
        break_card(classes=["a", "b", "c"]),
    ],
    ids=["no JSON", "no card", "card gone", "weights", "no architecture", "unknown network", "classes"],
)
def test_a_broken_classifier_is_named(
    real: Path, classifier: Path, tmp_path: Path, refused: Refused, damage: Callable[[Path], None]
) -> None:
    shutil.copytree(classifier.parent, tmp_path / "broken")
    damage(tmp_path / "broken" / "checkpoint.json")
    refused("grade", "--faces", real, "--classifier", tmp_path / "broken", "--out", tmp_path / "run")


def test_an_invalid_gan_card_is_named(tmp_path: Path, refused: Refused) -> None:
    shipped = Path(sys.modules["anonderm"].__path__[0]) / "weights"
    for suffix in (".safetensors", ".json"):
        shutil.copy(shipped / f"phantom-64{suffix}", tmp_path / f"mine{suffix}")
    architecture = read_json(tmp_path / "mine.json")["architecture"]
    break_card(architecture={**architecture, "resolution": "x"})(tmp_path / "mine.json")
    message = refused("generate", "--checkpoints", tmp_path / "mine.safetensors", "--out", tmp_path / "run")
    assert "resolution = 'x'" in message


def test_a_broken_faceset_is_named(real: Path, classifier: Path, tmp_path: Path, refused: Refused) -> None:
    line = ("grade", "--classifier", classifier, "--out", tmp_path / "run", "--faces")
    assert "nowhere" in refused(*line, tmp_path / "nowhere")
    (real / "images" / "mild-3.png").write_bytes(b"\x89PNG")
    assert "mild-3.png" in refused(*line, real)
    (real / "images" / "mild-3.png").unlink()
    assert "make its FaceSet again" in refused(*line, real)
    (real / "manifest.parquet").write_bytes(b"PAR1")
    assert "manifest.parquet" in refused(*line, real)


@pytest.mark.parametrize(
    "content",
    ["[]", "null", '{"kind": "unknown"}', '{"kind": []}', '{"kind": "fidelity", "extractors": {}}'],
)
def test_broken_results_are_named(real: Path, tmp_path: Path, refused: Refused, content: str) -> None:
    (tmp_path / "results.json").write_text(content, encoding="utf-8")
    line = ("export", "--faces", real, "--scores", tmp_path / "results.json", "--out", tmp_path / "run")
    assert "results.json: " in refused(*line)


def test_a_broken_run_folder_is_named(photos: Path, tmp_path: Path, refused: Refused) -> None:
    run = tmp_path / "run"
    assert main(ingest(photos, run)) == 0
    for content in ("{", "{}", "[]"):
        kept = (run / "run.json").read_bytes()
        (run / "run.json").write_text(content, encoding="utf-8")
        assert "run.json" in refused(*ingest(photos, run))
        (run / "run.json").write_bytes(kept)
    (run / "config.toml").write_text("= 3", encoding="utf-8")
    assert "config.toml" in refused(*ingest(photos, run))
    (run / "config.toml").unlink()
    assert "config.toml" in refused(*ingest(photos, run))


def test_an_unfinished_run_is_refused_as_an_input(
    photos: Path, classifier: Path, tmp_path: Path, refused: Refused
) -> None:
    refused(*ingest(photos, tmp_path / "run", "--min-side", "4000"))
    line = ("grade", "--classifier", classifier, "--out", tmp_path / "graded", "--faces", tmp_path / "run")
    assert "not finished" in refused(*line)
    assert main(ingest(photos, tmp_path / "run")) == 0
    message = refused(
        "export", "--faces", tmp_path / "run", "--scores", tmp_path / "run", "--out", tmp_path / "e"
    )
    assert "no results.json in this run of ingest" in message


# Faces that a stage cannot use


def test_faces_on_which_no_gan_can_train_are_refused(tmp_path: Path, refused: Refused) -> None:
    def message_about(name: str, images: list[np.ndarray], *more: str) -> str:
        rows = [Face(f"f{n}", label=None if n == 3 else "mild") for n in range(len(images))]
        folder = face_set(tmp_path / name, list(zip(rows, images, strict=True)))
        return refused("train-gan", "--faces", folder, "--out", tmp_path / f"run-{name}", *more)

    squares = [picture(n) for n in range(9)]
    assert "not 32 x 32" in message_about("mixed", [*squares, picture(9, 64, 64)])
    assert "not 32 x 32" in message_about("oblong", [picture(n, 32, 48) for n in range(9)])
    assert "power of two" in message_about("odd", [picture(n, 33, 33) for n in range(9)])
    assert "at least 8" in message_about("few", squares[:4])
    assert "no label" in message_about("unlabelled", squares, "--conditional")


def test_faces_without_labels_are_refused_for_training(real: Path, tmp_path: Path, refused: Refused) -> None:
    face_set(tmp_path / "half", [(Face(f"f{n}", label=None if n else "mild"), picture(n)) for n in range(4)])
    line = ("train-classifier", "--backbone", "test_resnet", "--out", tmp_path / "run", "--faces")
    assert "have no label" in refused(*line, tmp_path / "half")
    face_set(tmp_path / "one", [(Face(f"f{n}", label="mild"), picture(n)) for n in range(4)])
    assert "two classes" in refused(*line, tmp_path / "one")


def test_only_labelled_synthetic_faces_are_exported(real: Path, tmp_path: Path, refused: Refused) -> None:
    assert "only synthetic faces" in refused("export", "--faces", real, "--out", tmp_path / "run")
    made = face_set(tmp_path / "made", [(Face("f0", checkpoint="c", seed=0), picture(0))])
    assert "Grade the faces first" in refused("export", "--faces", made, "--out", tmp_path / "run")


@pytest.mark.parametrize(
    "flags",
    [
        "--kimg inf",
        "--kimg nan",
        "--tick-kimg inf",
        "--seed -1",
        "--label nobody",
        "--label mild --conditional",
    ],
)
def test_invalid_settings_are_refused(real: Path, tmp_path: Path, refused: Refused, flags: str) -> None:
    refused("train-gan", "--faces", real, "--out", tmp_path / "run", *flags.split())


@pytest.mark.parametrize("line", ["ingest", "run", "grade --out x", "train-gan --preset nope"])
def test_an_incomplete_command_refers_to_its_help(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert stop.value.code == 2
    assert "--help" in capsys.readouterr().err


def test_a_positional_input_that_is_missing_is_named(tmp_path: Path, refused: Refused) -> None:
    assert "'checkpoints' is missing" in refused("generate", "--out", tmp_path / "run")


# Stops


def test_a_full_disk_loses_nothing(
    photos: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(ingest(photos, tmp_path / "whole")) == 0
    written: list[Path] = []

    def full(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) > 12:
            raise OSError(28, "No space left on device", str(path))
        plain_write(path, data)

    plain_write = Path.write_bytes
    with monkeypatch.context() as patch:
        patch.setattr(files.Path, "write_bytes", full)
        assert "the disk is full" in refused(*ingest(photos, tmp_path / "run"))
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "faces" / "images").iterdir()}
    assert kept
    assert main(ingest(photos, tmp_path / "run")) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    digests = [FaceSet.load(tmp_path / name / "faces").digest for name in ("whole", "run")]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_running_command_locks_its_folder_and_says_how_to_resume_when_stopped(
    tmp_path: Path, refused: Refused, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    line = ["phantom", "--out", str(run), "--people", "400", "--size", "32", "--photos-max", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "anonderm.cli", *line]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not list(run.glob("faces/images/*.png")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "another process" in refused(*line)
        process.send_signal(number)
        _, message = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "To resume, run the same command again" in message.decode()
    assert read_json(run / "run.json")["status"] == "interrupted"
    first = sorted(run.glob("faces/images/*.png"))[0]
    before = (first.stat().st_mtime_ns, sha256_file(first))
    assert main(line) == 0
    assert (first.stat().st_mtime_ns, sha256_file(first)) == before
    assert len(FaceSet.load(run / "faces")) == 400
