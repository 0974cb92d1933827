"""What the tests of adapters share: small photos, and a run of ingest through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anonderm.cli import main
from anonderm.core.faceset import FaceSet


@pytest.fixture
def draw() -> Callable[..., Path]:
    """Write a photo of noise; the same seed and size give the same pixels."""

    def write(path: Path, seed: int, width: int = 40, height: int = 40) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        return path

    return write


@dataclass(frozen=True)
class Ingested:
    faces: FaceSet
    files: dict[str, str]
    """File -> id of its face."""
    skipped: dict[str, str]
    """File -> reason, of the last fault of each file."""
    folder: Path

    def face(self, file: str):
        return next(face for face in self.faces if face.id == self.files[file])


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[..., Ingested]:
    """`anonderm ingest` with small sizes; each call makes a run of its own."""
    runs: list[Path] = []

    def run(source: Path, *flags: str) -> Ingested:
        import csv

        out = tmp_path / f"run-{len(runs)}"
        runs.append(out)
        given = ("--source", str(source), "--out", str(out), "--size", "16", "--min-side", "16", *flags)
        assert main(["ingest", *given]) == 0
        rows = list(csv.DictReader((out / "sources.csv").open(encoding="utf-8")))
        lines = map(json.loads, (out / "skipped.jsonl").read_text(encoding="utf-8").splitlines())
        return Ingested(
            FaceSet.load(out / "faces"),
            {row["file"]: row["id"] for row in rows},
            {row["file"]: row["reason"] for row in lines},
            out,
        )

    return run
