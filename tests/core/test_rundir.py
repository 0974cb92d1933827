from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from anonderm.core.errors import BrokenArtefact, ConfigChanged, ConfigError, RunBusy, StorageError
from anonderm.core.files import atomic_path
from anonderm.core.rundir import RunDir, RunRecord


@dataclass(frozen=True)
class Settings:
    epochs: int = 10
    seed: int = 3


def run_once(folder, settings=Settings(), stage="train", inputs=None, text="made"):
    with RunDir.open(folder, stage, settings, inputs or {"faces": "abc"}) as run:
        if run.finished is None:
            (folder / "out.txt").write_text(text)
            run.finish([folder / "out.txt"])
        return run


def fail(folder, error: BaseException, with_output: bool = True, settings=Settings()):
    with RunDir.open(folder, "train", settings, {"faces": "abc"}):
        if with_output:
            (folder / "half.txt").touch()
        raise error


def test_a_finished_run_describes_itself(tmp_path):
    run_once(tmp_path / "run")
    record = RunRecord.load(tmp_path / "run")
    assert record.done
    assert record.stage == "train"
    assert record.config == {"epochs": 10, "seed": 3}
    assert record.content["inputs"] == {"faces": "abc"}
    assert record.content["seed"] == 3
    assert {"python", "torch", "anonderm"} <= record.content["versions"].keys()
    assert list(record.content["outputs"]) == ["out.txt"]
    record.verify()


def test_nothing_in_a_record_names_the_machine_or_its_owner(tmp_path):
    import getpass
    import socket

    run_once(tmp_path / "run")
    text = json.dumps(RunRecord.load(tmp_path / "run").content["machine"])
    assert socket.gethostname() not in text
    assert getpass.getuser() not in text.split('"')


def test_a_finished_run_is_not_repeated(tmp_path):
    run_once(tmp_path / "run")
    again = run_once(tmp_path / "run", text="made again")
    assert again.finished is not None
    assert (tmp_path / "run" / "out.txt").read_text() == "made"


def test_changed_settings_are_refused_with_the_difference(tmp_path):
    run_once(tmp_path / "run")
    with pytest.raises(ConfigChanged, match="epochs: 10 -> 20"):
        run_once(tmp_path / "run", Settings(epochs=20))
    assert RunRecord.load(tmp_path / "run").done


def test_changed_inputs_and_another_stage_are_refused(tmp_path):
    run_once(tmp_path / "run")
    with pytest.raises(ConfigChanged, match="input faces: abc -> xyz"):
        run_once(tmp_path / "run", inputs={"faces": "xyz"})
    with pytest.raises(ConfigChanged, match="stage: train -> screen"):
        run_once(tmp_path / "run", stage="screen")


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no luck"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_how_a_run_ended_is_recorded(tmp_path, error, status):
    with pytest.raises(type(error)):
        fail(tmp_path / "run", error)
    content = RunRecord.load(tmp_path / "run").content
    assert content["status"] == status
    assert content.get("error", "") == str(error)


def test_an_interrupted_run_resumes_in_its_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "run", KeyboardInterrupt())
    started = RunRecord.load(tmp_path / "run").content["started"]
    run_once(tmp_path / "run")
    record = RunRecord.load(tmp_path / "run")
    assert record.done
    assert "error" not in record.content
    assert record.content["started"] == started
    assert (tmp_path / "run" / "half.txt").exists()


def test_incomplete_files_of_a_killed_run_are_removed_when_it_resumes(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "run", KeyboardInterrupt())
    with atomic_path(tmp_path / "run/images/a.png") as half:
        half.touch()
    half.touch()  # as after a kill
    run_once(tmp_path / "run")
    assert not half.exists()
    assert (tmp_path / "run/images/a.png").exists()


def test_an_interrupted_run_keeps_its_settings(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "run", KeyboardInterrupt())
    with pytest.raises(ConfigChanged):
        run_once(tmp_path / "run", Settings(epochs=20))


def test_a_run_that_failed_without_output_accepts_new_settings(tmp_path):
    with pytest.raises(ValueError, match="typo"):
        fail(tmp_path / "run", ValueError("typo"), with_output=False)
    run_once(tmp_path / "run", Settings(epochs=20))
    assert RunRecord.load(tmp_path / "run").config["epochs"] == 20


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(ConfigError, match=r"thesis\.docx"):
        run_once(tmp_path)
    assert not (tmp_path / "run.json").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(StorageError, match="run is a file"):
        run_once(tmp_path / "run")


HOLD = """
import sys
from pathlib import Path
from anonderm.core.rundir import _locked
with _locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_locked_by_another_process_is_busy_until_that_process_ends(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RunBusy, match="another process"):
            run_once(folder)
        other.kill()
    run_once(folder)
    assert RunRecord.load(folder).done


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(lambda path: path.write_text("other"), "was changed"), (lambda path: path.unlink(), "is missing")],
)
def test_a_changed_or_missing_output_is_detected(tmp_path, spoil, message):
    run_once(tmp_path / "run")
    spoil(tmp_path / "run" / "out.txt")
    with pytest.raises(BrokenArtefact, match=rf"out\.txt: .*{message}"):
        RunRecord.load(tmp_path / "run").verify()


@pytest.mark.parametrize("name", ["../out.txt", "/etc/hostname", "a/../../out.txt"])
def test_a_record_of_files_outside_its_folder_is_refused(tmp_path, name):
    run_once(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "outputs": {name: "0" * 64}}))
    with pytest.raises(BrokenArtefact, match="not the record of a run"):
        RunRecord.load(tmp_path / "run")


def test_metrics_after_a_step_are_dropped_on_resuming(tmp_path):
    with RunDir.open(tmp_path / "run", "train", Settings(), {}) as run:
        for step in (0, 1, 2):
            run.metrics(step, loss=step / 2)
        run.rewind_metrics(1)
        run.metrics(1.5, loss=9.0, fid=None)
    assert RunRecord.load(tmp_path / "run").metrics == [
        {"step": 0, "loss": 0.0},
        {"step": 1, "loss": 0.5},
        {"step": 1.5, "loss": 9.0, "fid": None},
    ]


def test_nan_is_refused_as_a_metric(tmp_path):
    with RunDir.open(tmp_path / "run", "train", Settings(), {}) as run:
        with pytest.raises(ValueError, match="not JSON compliant"):
            run.metrics(0, loss=float("nan"))
        assert not (run.folder / "metrics.jsonl").exists()


def test_log_lines_are_printed_and_stored(tmp_path, capsys):
    with RunDir.open(tmp_path / "run", "train", Settings(), {}) as run:
        run.log("12 Gesichter, にきび")
    assert "12 Gesichter, にきび" in capsys.readouterr().err
    assert "12 Gesichter, にきび" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


def test_progress_yields_every_item(tmp_path):
    with RunDir.open(tmp_path / "run", "train", Settings(), {}) as run:
        assert list(run.progress([1, 2, 3], "counting")) == [1, 2, 3]
        assert list(run.progress(iter("ab"), "counting")) == ["a", "b"]
