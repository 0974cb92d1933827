"""The phantom stage: a FaceSet of made-up people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.ingest import phantom as stage
from anonderm.ingest.config import PhantomConfig
from anonderm.ingest.phantom import phantom
from anonderm.phantom.condition import CLASSES


def run_phantom(folder: Path, config: PhantomConfig) -> FaceSet:
    with RunDir.open(folder, "phantom", config, {}) as run:
        return phantom(config, run)


SMALL = PhantomConfig(people=24, photos_min=1, photos_max=2, size=32, seed=4)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    return run_phantom(tmp_path_factory.mktemp("phantom") / "run", SMALL)


def test_faces_carry_their_whole_truth(small: FaceSet) -> None:
    faces, run = small, small.folder.parent
    assert faces.labels == ("healthy", "mild", "moderate", "severe")
    for face in faces:
        assert face.subject is not None
        assert face.split in ("train", "val", "test")
        assert face.ita is not None
        assert -60 < face.ita < 75
        assert (face.source, face.licence) == ("anonderm phantom", "Apache-2.0")
        assert faces.image(face).shape == (32, 32, 3)
        assert faces.mask(face).any()
        assert bool(face.lesions) == (face.label != "healthy")
    assert FaceSet.load(run / "faces").faces == faces.faces
    assert (run / "examples.png").exists()


def test_a_person_has_one_class_and_one_split_and_few_photos(small: FaceSet) -> None:
    by_person: dict[str, set[tuple[str | None, str | None, float | None]]] = {}
    for face in small:
        by_person.setdefault(str(face.subject), set()).add((face.label, face.split, face.ita))
    assert len(by_person) == 24
    assert all(len(facts) == 1 for facts in by_person.values())
    assert set(Counter(face.subject for face in small).values()) == {1, 2}
    splits = Counter(face.split for face in small)
    assert splits["train"] > splits["test"] > 0
    assert splits["val"] > 0


def test_the_same_settings_give_the_same_faces_and_another_seed_gives_others(
    small: FaceSet, tmp_path: Path
) -> None:
    again = run_phantom(tmp_path / "again", SMALL)
    other = run_phantom(tmp_path / "other", PhantomConfig(people=24, photos_max=2, size=32, seed=5))
    assert small.digest == again.digest
    assert {face.sha256 for face in small}.isdisjoint(face.sha256 for face in other)


def test_a_killed_run_resumes_to_the_same_faces(
    small: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[stage.Sitting] = []
    take = stage.take

    def take_few(config: PhantomConfig, sitting: stage.Sitting) -> object:
        if len(taken) == 7:
            raise KeyboardInterrupt
        taken.append(sitting)
        return take(config, sitting)

    monkeypatch.setattr(stage, "take", take_few)
    with pytest.raises(KeyboardInterrupt):
        run_phantom(tmp_path / "cut", SMALL)
    monkeypatch.undo()
    assert run_phantom(tmp_path / "cut", SMALL).digest == small.digest


def test_a_person_does_not_depend_on_how_many_others_are_drawn() -> None:
    few, many = (PhantomConfig(people=people, size=32) for people in (4, 400))
    sitting = stage.Sitting(3, 0, "severe")
    assert np.array_equal(stage.take(few, sitting).image, stage.take(many, sitting).image)


def test_no_two_people_or_photos_share_their_randomness() -> None:
    config = PhantomConfig(size=32)
    sittings = [stage.Sitting(person, photo, "mild") for person in range(6) for photo in range(3)]
    assert len({stage.take(config, sitting).image.tobytes() for sitting in sittings}) == 18


@pytest.mark.parametrize(("size", "scale"), [(64, 2.83), (128, 2.0), (512, 1.0), (1024, 1.0)])
def test_lesions_are_enlarged_in_small_pictures_and_the_log_states_it(
    size: int, scale: float, tmp_path: Path
) -> None:
    config = PhantomConfig(people=1, photos_max=1, classes=("mild",), size=size)
    assert stage.lesion_scale(config) == pytest.approx(scale, abs=0.01)
    run_phantom(tmp_path / "run", config)
    log = (tmp_path / "run" / "log.txt").read_text()
    assert (f"lesions are drawn {scale:.1f} times their true size" in log) == (scale != 1)


def test_lesion_scale_can_be_set() -> None:
    assert stage.lesion_scale(PhantomConfig(size=64, lesion_scale=1.0)) == 1.0


def test_the_settings_know_the_classes_of_the_phantom() -> None:
    assert PhantomConfig(classes=CLASSES).classes == CLASSES
    for name in CLASSES:
        assert PhantomConfig(classes=(name,), people=1).classes == (name,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ("awful",)}, "unknown"),
        ({"classes": ()}, "empty"),
        ({"classes": ("mild", "mild")}, "twice"),
        ({"people": 2}, "at least one for each class"),
        ({"photos_min": 3, "photos_max": 2}, "photos_min"),
        ({"size": 16}, "must be at least 32"),
        ({"lesion_scale": 0.0}, "lesion_scale"),
        ({"val_share": 0.5, "test_share": 0.5}, "train is empty"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PhantomConfig(**changes)  # type: ignore[arg-type]
