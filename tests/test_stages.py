from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.config import from_dict
from anonderm.core.cost import FaceCost
from anonderm.core.errors import BrokenArtefact, ConfigChanged, ConfigError, MissingPath
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.results.base import Score
from anonderm.core.results.skin import SkinTones
from anonderm.core.rundir import RunDir
from anonderm.stages import STAGES, Input, Stage, open_artefact, run_stage
from anonderm.stages.stage import load

calls: list[str] = []


@dataclass(frozen=True)
class CopyConfig:
    seed: int = 0
    """Changes nothing."""


def copy(config: CopyConfig, faces: FaceSet, run: RunDir) -> FaceSet:
    calls.append("copy")
    writer = FaceSetWriter(run.folder / "faces")
    for face in faces:
        writer.add_from(faces, face)
    return writer.finish()


def count(config: CopyConfig, faces: tuple[FaceSet, ...], run: RunDir) -> SkinTones:
    count = Score(sum(len(each) for each in faces))
    return SkinTones({"faces": count}, None, None, {}, {}, 0, {})


class HereStage(Stage):
    """A stage whose function and configuration are in this file."""

    def load_function(self):
        return globals()[self.function]

    def load_config(self) -> type[CopyConfig]:
        return CopyConfig


COST = FaceCost(1.0)
COPY = HereStage("copy", "Copy.", "copy", "", {"faces": Input("faces", "Faces.")}, cost=COST)
COUNT = HereStage("count", "Count.", "count", "", {"faces": Input("faces", "Faces.", many=True)}, cost=COST)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    writer = FaceSetWriter(tmp_path / "faces")
    for index in range(3):
        writer.add(np.full((8, 8, 3), index * 40, np.uint8), Face(id=f"f{index}", label="mild"))
    writer.finish()
    calls.clear()
    return tmp_path / "faces"


def test_a_run_folder_stands_for_the_faces_in_it(faces: Path, tmp_path: Path) -> None:
    run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "a")
    record = run_stage(COPY, CopyConfig(), {"faces": tmp_path / "a"}, tmp_path / "b")
    assert record.done
    assert FaceSet.load(tmp_path / "b" / "faces").digest == FaceSet.load(faces).digest


def test_a_finished_run_is_not_repeated(faces: Path, tmp_path: Path) -> None:
    for _ in range(2):
        run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "a")
    assert calls == ["copy"]


def test_changed_settings_are_refused_with_the_difference(faces: Path, tmp_path: Path) -> None:
    run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "a")
    with pytest.raises(ConfigChanged, match="seed: 0 -> 1"):
        run_stage(COPY, CopyConfig(seed=1), {"faces": faces}, tmp_path / "a")


def test_another_input_is_refused(faces: Path, tmp_path: Path) -> None:
    run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "a")
    writer = FaceSetWriter(tmp_path / "other")
    writer.add(np.zeros((8, 8, 3), np.uint8), Face(id="x"))
    writer.finish()
    with pytest.raises(ConfigChanged, match="input faces"):
        run_stage(COPY, CopyConfig(), {"faces": tmp_path / "other"}, tmp_path / "a")


def test_a_finished_run_without_its_output_is_refused(faces: Path, tmp_path: Path) -> None:
    run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "a")
    (tmp_path / "a" / "faces" / "manifest.parquet").unlink()
    with pytest.raises(BrokenArtefact, match="is missing"):
        run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "a")


def test_an_output_that_was_changed_since_is_refused_as_an_input(faces: Path, tmp_path: Path) -> None:
    run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "run")
    manifest = tmp_path / "run" / "faces" / "manifest.parquet"
    manifest.write_bytes(manifest.read_bytes() + b"x")
    for given in (tmp_path / "run", tmp_path / "run" / "faces"):
        with pytest.raises(
            BrokenArtefact, match=r"manifest\.parquet: this output of a finished run was changed"
        ):
            run_stage(COPY, CopyConfig(), {"faces": given}, tmp_path / "again")


def test_a_run_folder_that_was_moved_is_as_good_as_before(faces: Path, tmp_path: Path) -> None:
    run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")
    assert run_stage(COPY, CopyConfig(), {"faces": tmp_path / "moved"}, tmp_path / "again").done


def test_results_are_saved_and_an_input_may_take_several_artefacts(faces: Path, tmp_path: Path) -> None:
    run_stage(COUNT, CopyConfig(), {"faces": (faces, faces)}, tmp_path / "n")
    result = open_artefact("result", tmp_path / "n")
    assert isinstance(result, SkinTones)
    assert result.ita["faces"].value == 6


def test_missing_and_surplus_inputs_are_named(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'faces' is missing"):
        run_stage(COPY, CopyConfig(), {}, tmp_path / "a")
    with pytest.raises(ConfigError, match="takes one, not 2"):
        run_stage(COPY, CopyConfig(), {"faces": (faces, faces)}, tmp_path / "a")
    with pytest.raises(MissingPath, match="nowhere"):
        run_stage(COPY, CopyConfig(), {"faces": tmp_path / "nowhere"}, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_stage_for_one_process_refuses_torchrun_and_writes_nothing(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 processes"):
        run_stage(COPY, CopyConfig(), {"faces": faces}, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_shipped_weights_are_opened_by_name() -> None:
    checkpoint = open_artefact("checkpoint", "phantom-64")
    assert checkpoint.card.kind == "gan"
    assert checkpoint.card.resolution == 64
    assert checkpoint.path.stat().st_size <= 5_000_000


def test_every_stage_of_the_table_can_be_loaded() -> None:
    for stage in STAGES.values():
        assert callable(stage.load_function())
        assert isinstance(stage.load_config(), type)


OUTPUTS = {FaceSet: "faces", Checkpoint: "checkpoint", Path: None, list[Path]: None}


def test_every_stage_declares_what_it_returns() -> None:
    for stage in STAGES.values():
        returned = get_type_hints(stage.load_function())["return"]
        declared = OUTPUTS.get(returned, "result")
        assert stage.output == declared or stage.name == "train-skin", stage.name


def test_the_common_settings_of_a_stage_are_settings_of_it() -> None:
    for stage in STAGES.values():
        names = [field.name for field in dataclasses.fields(stage.load_config())]
        assert 1 <= len(stage.common) <= 5, stage.name
        assert set(stage.common) <= set(names), stage.name


def _number_types(hint: object) -> Iterator[tuple[object, ...]]:
    """The type and bounds of each number in an annotation, also in a tuple or a union."""
    if get_origin(hint) is Annotated:
        kind, *bounds = get_args(hint)
        yield from ((each, *more, *bounds) for each, *more in _number_types(kind))
    elif hint in (int, float):
        yield (hint,)
    else:
        for each in get_args(hint):
            yield from _number_types(each)


_SETTINGS = [
    pytest.param(stage.load_config(), field.name, id=f"{stage.name} {field.name}")
    for stage in STAGES.values()
    for field in dataclasses.fields(stage.load_config())
]


@pytest.mark.parametrize(("config", "name"), _SETTINGS)
def test_every_number_among_the_settings_has_limits_which_a_refusal_states(config: type, name: str) -> None:
    hint = get_type_hints(config, include_extras=True)[name]
    for _, *bounds in _number_types(hint):
        assert any(hasattr(bound, limit) for bound in bounds for limit in ("ge", "gt"))
        assert any(hasattr(bound, limit) for bound in bounds for limit in ("le", "lt"))
        with pytest.raises(ConfigError) as error:
            from_dict(config, {name: 1e300}, "recipe.toml [steps.a]")
        assert error.value.message.startswith("recipe.toml [steps.a]")


def test_the_functions_that_plan_a_stage_can_be_loaded() -> None:
    for stage in STAGES.values():
        assert callable(stage.load_cost())
        assert not stage.needs or callable(load(stage.needs))
