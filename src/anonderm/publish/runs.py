"""The run folders that a report is about, read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from anonderm.core.faceset import MANIFEST, FaceSet
from anonderm.core.records import Scores, order_labels
from anonderm.core.results.base import FILE, Result, load_result
from anonderm.core.rundir import RunRecord
from anonderm.publish.config import ReportConfig

SOURCES = ("phantom", "ingest")
PREPARERS = ("align", "restore", "skin", "mask-and-crop")
MAKERS = ("generate", "screen", "grade")


AnyResult = TypeVar("AnyResult", bound=Result)


@dataclass(frozen=True)
class Material:
    """`runs` in the order in which the steps ran."""

    config: ReportConfig
    runs: tuple[RunRecord, ...]
    refused: tuple[RunRecord, ...] = ()
    """Exports that the audit did not allow."""

    def of(self, *stages: str) -> tuple[RunRecord, ...]:
        return tuple(record for record in self.runs if record.stage in stages)

    def rng(self) -> np.random.Generator:
        """Always in the same state, so that leaving out one gallery does not change the others."""
        return np.random.default_rng(self.config.seed)

    @cached_property
    def results(self) -> tuple[tuple[RunRecord, Result], ...]:
        """The runs that have a result. Raises BrokenArtefact."""
        with_result = (record for record in self.runs if (record.folder / FILE).exists())
        return tuple((record, load_result(record.folder / FILE)) for record in with_result)

    def all(self, kind: type[AnyResult]) -> list[tuple[RunRecord, AnyResult]]:
        """The runs that have a result of this kind."""
        return [(record, result) for record, result in self.results if isinstance(result, kind)]

    def last(self, kind: type[AnyResult]) -> tuple[RunRecord, AnyResult] | None:
        """The last run that has a result of this kind."""
        found = self.all(kind)
        return found[-1] if found else None

    def result(self, kind: type[AnyResult]) -> AnyResult | None:
        """The last result of this kind."""
        found = self.last(kind)
        return found[1] if found else None

    def scored(self, stage: str) -> tuple[RunRecord, Scores] | None:
        """The last run of a stage that has scores, and its scores."""
        found = [(record, scores) for record in self.of(stage) if (scores := scores_of(record))]
        return found[-1] if found else None

    def scores(self, stage: str) -> Scores | None:
        """The scores of the last run of a stage."""
        found = self.scored(stage)
        return found[1] if found else None

    @cached_property
    def photos(self) -> FaceSet | None:
        """The real faces that were judged by, else the last ones prepared, else the first read or drawn."""
        read, prepared = (
            [faces for record in self.of(*stages) if (faces := faces_of(record))]
            for stages in (SOURCES, PREPARERS)
        )
        judges = self.of("evaluate utility", "evaluate data-mix", "evaluate fidelity", "audit")
        judged = [record.content["inputs"].get("real") for record in judges]
        meant = [faces for faces in (*read, *prepared) if faces.digest in judged]
        found = meant or prepared[-1:] or read
        return found[0] if found else None

    @property
    def private(self) -> bool:
        """Whether the photos show people, and are not drawn."""
        return bool(self.of("ingest"))

    @cached_property
    def synthetic(self) -> FaceSet | None:
        """The synthetic faces that were exported or scored, else the last ones made."""
        made = [faces for record in self.of(*MAKERS) if (faces := faces_of(record))]
        judged = [
            record.content["inputs"].get("faces" if record.stage == "export" else "synthetic")
            for record in self.of("export", "evaluate data-mix", "audit", "evaluate fidelity")
        ]
        meant = [faces for faces in made if faces.digest in judged]
        found = meant or made
        return found[-1] if found else None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        sets = [faces for faces in (self.photos, self.synthetic) if faces is not None]
        return order_labels(label for faces in sets for label in faces.labels)


def scores_of(record: RunRecord) -> Scores | None:
    """The scores of a run; None where it has none."""
    path = record.folder / "scores.json"
    return Scores.load(path) if path.exists() else None


def faces_of(record: RunRecord, folder: str = "faces") -> FaceSet | None:
    """The FaceSet `faces` or `rejected` of a run; None where it has none or an empty one."""
    path = record.folder / folder
    faces = FaceSet.load(path) if (path / MANIFEST).exists() else None
    return faces or None
