"""The restore stage, on phantoms, whose lesions are known."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from anonderm.core.errors import ConfigChanged, ConfigError, InputError, MissingPath, MissingWeights
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face, Lesion
from anonderm.core.rundir import RunDir
from anonderm.ingest.config import PhantomConfig, RestoreConfig
from anonderm.ingest.phantom import phantom
from anonderm.ingest.restore import restore as stage
from anonderm.ingest.restore.restore import restore
from anonderm.models.restorers.load import read_points


def run_restore(folder: Path, faces: FaceSet, config: RestoreConfig) -> FaceSet:
    with RunDir.open(folder, "restore", config, {"faces": faces.digest}) as run:
        return restore(config, faces, run)


def log_of(folder: Path) -> str:
    return (folder / "log.txt").read_text()


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """Faces of 128 px with boxes and masks."""
    config = PhantomConfig(people=6, photos_max=1, size=128, classes=("moderate", "severe"), seed=3)
    folder = tmp_path_factory.mktemp("phantom")
    with RunDir.open(folder, "phantom", config, {}) as run:
        return phantom(config, run)


def write_faces(folder: Path, *shapes: tuple[int, int], **values: object) -> FaceSet:
    writer, rng = FaceSetWriter(folder), np.random.default_rng(1)
    for number, shape in enumerate(shapes):
        writer.add(rng.integers(0, 256, (*shape, 3), np.uint8), Face(f"f{number}", **values))  # type: ignore[arg-type]
    return writer.finish()


class Smoother:
    """A restorer that beautifies: it smooths skin, and lesions with it."""

    name, side, scale, framed = "smoother", None, 1, False

    def __call__(self, images_NHWC, points_N):
        return np.stack([cv2.GaussianBlur(image, (0, 0), 24) for image in images_NHWC])


def test_every_face_has_the_requested_size_and_names_its_restorer(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", (32, 32), (64, 64), (100, 100))
    restored = run_restore(tmp_path / "run", faces, RestoreConfig(size=64))
    assert restored.pixels().shape == (3, 64, 64, 3)
    assert [face.restorer for face in restored] == ["lanczos", None, None]
    assert restored.faces[1] == faces.faces[1]
    assert (restored.image(restored.faces[2]) == resize(faces.image(faces.faces[2]), 64)).all()
    assert "1 are enlarged, 1 shrunk" in log_of(tmp_path / "run")
    assert "only interpolated" in log_of(tmp_path / "run")
    assert "could not be measured (no face has lesion boxes)" in log_of(tmp_path / "run")


def test_no_weights_are_needed_if_no_face_is_enlarged(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", (64, 64), (100, 100))
    config = RestoreConfig(size=64, restorer="spandrel", weights="nowhere.pth")
    assert run_restore(tmp_path / "run", faces, config).pixels().shape == (2, 64, 64, 3)


def test_boxes_and_masks_follow(patients: FaceSet, tmp_path: Path) -> None:
    restored = run_restore(tmp_path / "run", patients, RestoreConfig(size=192))
    for before, after in zip(patients, restored, strict=True):
        assert [lesion.x0 for lesion in after.lesions] == pytest.approx([b.x0 * 1.5 for b in before.lesions])
        assert restored.mask(after).shape == (192, 192)
        assert restored.mask(after).mean() == pytest.approx(patients.mask(before).mean(), abs=0.005)
        assert (after.label, after.subject, after.split) == (before.label, before.subject, before.split)


def kept_by_lesions(folder: Path) -> list[float]:
    return [float(row["kept"]) for row in table(folder / "lesions.csv") if row["kept"]]


def test_interpolation_keeps_every_lesion(patients: FaceSet, tmp_path: Path) -> None:
    run_restore(tmp_path / "run", patients, RestoreConfig(size=256))
    kept = kept_by_lesions(tmp_path / "run")
    assert len(kept) > 50
    assert kept == pytest.approx([1.0] * len(kept), abs=1e-3)
    assert "lesions keep under" not in log_of(tmp_path / "run")


def test_shrinking_costs_lesions_what_blur_does(patients: FaceSet, tmp_path: Path) -> None:
    medians = []
    for size in (112, 64, 32):
        run_restore(tmp_path / f"{size}", patients, RestoreConfig(size=size))
        medians.append(np.median(kept_by_lesions(tmp_path / f"{size}")))
    assert medians[0] == pytest.approx(1, abs=0.1)
    assert medians[0] > medians[1] > medians[2]
    assert medians[2] < 0.9


def test_the_table_leaves_an_unknown_number_of_lesions_empty(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", (32, 32), (40, 40))
    states = dict(zip((face.id for face in faces), (None, ()), strict=True))
    stated = FaceSet(faces.folder, tuple(replace(face, lesions=states[face.id]) for face in faces))
    run_restore(tmp_path / "run", stated, RestoreConfig(size=64))
    assert [row["lesions"] for row in table(tmp_path / "run" / "restoration.csv")] == ["", "0"]


def test_a_restorer_that_removes_lesions_is_detected(patients: FaceSet, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(stage, "open_restorer", lambda name, weights: (Smoother(), "smoother"))
    run_restore(tmp_path / "run", patients, RestoreConfig(size=256))
    faces = table(tmp_path / "run" / "restoration.csv")
    assert len(faces) == 6
    assert all(row["restorer"] == "smoother" and row["side_before"] == "128" for row in faces)
    assert np.median([float(row["kept_median"]) for row in faces]) < 0.2
    log = log_of(tmp_path / "run")
    assert "6 of 6 faces lost half" in log
    assert f"{min(faces, key=lambda row: float(row['kept_median']))['id']} (" in log
    assert (tmp_path / "run" / "lesions.png").exists()
    assert (tmp_path / "run" / "examples.png").exists()


def test_a_killed_run_resumes_to_the_same_faces(patients: FaceSet, tmp_path: Path, monkeypatch) -> None:
    config = RestoreConfig(size=160, batch=4)
    whole = run_restore(tmp_path / "whole", patients, config)
    added = []

    def dies(self: FaceSetWriter, *given: object) -> Face:
        if len(added) == 2:
            raise KeyboardInterrupt
        added.append(given)
        return plain(self, *given)  # type: ignore[arg-type]

    plain = FaceSetWriter.add
    with monkeypatch.context() as patched:
        patched.setattr(FaceSetWriter, "add", dies)
        with pytest.raises(KeyboardInterrupt):
            run_restore(tmp_path / "killed", patients, config)
    assert run_restore(tmp_path / "killed", patients, config).faces == whole.faces
    for name in ("restoration.csv", "lesions.csv", "lesions.png"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_weights_do_not_go_on_with_an_interrupted_run(tmp_path: Path, monkeypatch) -> None:
    faces = write_faces(tmp_path / "faces", (32, 32), (40, 40))
    monkeypatch.setattr(FaceSetWriter, "finish", raises_interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_restore(tmp_path / "run", faces, RestoreConfig(size=64))
    monkeypatch.setattr(stage, "open_restorer", lambda name, weights: (Smoother(), "smoother 12345678"))
    with pytest.raises(ConfigChanged, match="begun with lanczos, but the restorer is now smoother 12345678"):
        run_restore(tmp_path / "run", faces, RestoreConfig(size=64))


def raises_interrupt(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_whole_photos_are_sent_to_alignment(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", (32, 32), (48, 64))
    with pytest.raises(InputError, match=r"f1 \(64 x 48\)"):
        run_restore(tmp_path / "run", faces, RestoreConfig(size=64))


def test_lesions_too_small_to_measure_are_reported(tmp_path: Path) -> None:
    dot = Lesion("comedone", 10, 10, 11, 11)
    faces = write_faces(tmp_path / "faces", (32, 32), lesions=(dot,))
    run_restore(tmp_path / "run", faces, RestoreConfig(size=24))
    assert "could not be measured (too small or too faint)" in log_of(tmp_path / "run")


def test_boxes_beyond_the_edge_do_no_harm(tmp_path: Path) -> None:
    outside = (
        Lesion("papule", 28, 10, 60, 20),
        Lesion("papule", -4, 10, 4, 20),
        Lesion("nodule", 5, 5, 5, 5),
    )
    faces = write_faces(tmp_path / "faces", (32, 32), lesions=outside)
    (face,) = run_restore(tmp_path / "run", faces, RestoreConfig(size=50))
    assert [(lesion.x0, round(lesion.x1, 2)) for lesion in face.lesions] == [(0, 6.25)]
    assert len(table(tmp_path / "run" / "lesions.csv")) == 1


def test_missing_weights_are_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path))
    faces = write_faces(tmp_path / "faces", (32, 32))
    with pytest.raises(MissingWeights, match="weights fetch gfpgan"):
        run_restore(tmp_path / "a", faces, RestoreConfig(restorer="spandrel", weights="gfpgan"))
    with pytest.raises(MissingWeights, match="weights add dfdnet"):
        run_restore(tmp_path / "b", faces, RestoreConfig(restorer="dfdnet"))
    with pytest.raises(MissingPath, match=r"nowhere\.pth: no such weights"):
        run_restore(tmp_path / "c", faces, RestoreConfig(restorer="spandrel", weights="nowhere.pth"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 4}, "must be at least 8"),
        ({"batch": 0}, "must be at least 1"),
        ({"weights": "gfpgan"}, "lanczos takes none"),
        ({"restorer": "spandrel"}, "no weights given"),
        ({"points": Path("p.csv")}, "only dfdnet"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RestoreConfig(**settings)  # type: ignore[arg-type]


def test_points_are_read_by_face_and_bad_tables_refused(tmp_path: Path) -> None:
    header = ",".join(["id", *(f"{axis}{number}" for number in range(68) for axis in "xy")])
    path = tmp_path / "points.csv"
    path.write_text(f"\ufeff{header}\r\nf1,{','.join(map(str, range(136)))}\r\n", encoding="utf-8")
    assert read_points(path)["f1"][1].tolist() == [2, 3]
    for content in ("", "id,x\n", f"{header}\nf1,1,2\n", f"{header}\nf1{',nan' * 136}\n"):
        path.write_text(content)
        with pytest.raises(InputError, match=r"points\.csv"):
            read_points(path)
