"""The whole pipeline at 32 px: an uninterrupted and a repeatedly killed run give the same results."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_file
from anonderm.core.rundir import RunRecord

RECIPE = """
title = "A small pipeline"
classes = ["healthy", "severe"]

[steps.photos]
stage = "phantom"
people = 60
photos_min = 1
photos_max = 2
size = 32
classes = ["healthy", "severe"]

[steps.real-classifier]
stage = "train-classifier"
from = { faces = "photos" }
backbone = "test_resnet"
drop_strides = 1
epochs = 3

[steps.all-gan]
stage = "train-gan"
from = { faces = "photos", base = "phantom-64" }
kimg = 0.16
tick_kimg = 0.04
metric_faces = 32

[steps.all-faces]
stage = "generate"
from = { checkpoints = "all-gan" }
seeds = "0-59"

[steps.all-screened]
stage = "screen"
from = { faces = "all-faces", training = "photos" }
artefact_margin = 20.0
deformed_factor = 20.0

[steps.sorted]
stage = "grade"
from = { faces = "all-screened", classifier = "real-classifier" }
min_confidence = 0.0
min_per_class = 0

[steps.class-gan]
stage = "train-gan"
each = "class"
from = { faces = "photos", base = "phantom-64" }
label = "{class}"
kimg = 0.08
tick_kimg = 0.04
metric_faces = 0

[steps.synthetic]
stage = "generate"
from = { checkpoints = "class-gan" }
seeds = "0-39"

[steps.synthetic-classifier]
stage = "train-classifier"
from = { faces = "synthetic" }
backbone = "test_resnet"
drop_strides = 1
epochs = 2

[steps.utility]
stage = "evaluate utility"
from = { real = "photos", trained_on_real = "real-classifier", trained_on_synthetic = "synthetic-classifier" }

[steps.fidelity]
stage = "evaluate fidelity"
from = { real = "photos", synthetic = "synthetic" }

[steps.audit]
stage = "audit"
from = { real = "photos", synthetic = "synthetic" }
matchers = ["copy", "encoder"]
canaries = 20

[steps.release]
stage = "export"
from = { faces = "synthetic", audit = "audit", source_models = ["all-gan", "class-gan"], scores = [
    "utility", "fidelity",
] }
formats = ["imagefolder", "parquet", "webdataset", "stylegan"]
override_name = "the tests"
override_reason = "so few faces of 32 px pass no audit"
override_date = "2026-11-21"

[steps.report]
stage = "report"
from = { runs = [
    "photos", "real-classifier", "all-gan", "all-faces", "all-screened", "sorted", "class-gan", "synthetic",
    "synthetic-classifier", "utility", "fidelity", "audit", "release",
] }
"""
KILLS = 3


def start(recipe: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "anonderm.cli", "run", str(recipe), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def results(out: Path) -> dict[str, str]:
    """What must not depend on interruptions: weights, faces (kept and rejected), results, the release."""
    found = {
        str(path.relative_to(out)): FaceSet.load(path.parent).digest for path in out.rglob("manifest.parquet")
    }
    for name in ("checkpoint.safetensors", "results.json", "checksums.sha256", "metadata.csv"):
        found |= {str(path.relative_to(out)): sha256_file(path) for path in out.rglob(name)}
    return found


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipeline") / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def uninterrupted(recipe: Path) -> tuple[Path, float]:
    out = recipe.parent / "uninterrupted"
    begin = time.monotonic()
    process = start(recipe, out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return out, time.monotonic() - begin


def test_the_pipeline_ends_with_a_report_and_a_release(uninterrupted: tuple[Path, float]) -> None:
    out, _ = uninterrupted
    records = [RunRecord.load(path.parent) for path in out.glob("*/run.json")]
    assert len(records) == 15
    assert all(record.done for record in records)
    assert (out / "report" / "report.html").stat().st_size > 50_000
    assert (out / "release" / "release" / "README.md").exists()


def test_snapshots_and_temporary_files_are_removed(uninterrupted: tuple[Path, float]) -> None:
    out, _ = uninterrupted
    assert not [path for path in out.rglob("*") if ".part" in path.name or path.name == "state.safetensors"]


def test_a_pipeline_killed_at_random_moments_gives_the_same_results(
    recipe: Path, uninterrupted: tuple[Path, float]
) -> None:
    reference, seconds = uninterrupted
    out = recipe.parent / "killed"
    seed = int(os.environ.get("ANONDERM_KILL_SEED", time.time_ns() % 100_000))
    moments = random.Random(seed)
    for _ in range(KILLS):
        process = start(recipe, out)
        try:
            process.communicate(timeout=moments.uniform(0.1, 0.5) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    process = start(recipe, out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    assert results(out) == results(reference), f"ANONDERM_KILL_SEED={seed} repeats this"


def test_a_finished_pipeline_is_not_run_again(recipe: Path, uninterrupted: tuple[Path, float]) -> None:
    out, _ = uninterrupted
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    process = start(recipe, out)
    process.communicate()
    assert process.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
