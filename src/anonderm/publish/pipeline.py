"""The run folders of a pipeline, as the report reads them."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from anonderm.core.faceset import MANIFEST, FaceSet
from anonderm.core.records import order_labels
from anonderm.core.results.base import FILE, Result, load_result
from anonderm.core.rundir import RunRecord
from anonderm.publish.config import ReportConfig

INTAKE = ("phantom", "ingest")
PREPARATION = ("align", "restore", "skin", "mask-and-crop")
GENERATION = ("generate", "screen", "grade")

AnyResult = TypeVar("AnyResult", bound=Result)


@dataclass(frozen=True)
class Pipeline:
    """The finished `runs`, in the order in which the steps ran."""

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

    @cached_property
    def photos(self) -> FaceSet | None:
        """The real faces used for evaluation, else the last ones prepared, else the first ingested."""
        ingested, prepared = (
            [faces for record in self.of(*stages) if (faces := faces_of(record))]
            for stages in (INTAKE, PREPARATION)
        )
        evaluations = self.of("evaluate utility", "evaluate data-mix", "evaluate fidelity", "audit")
        digests = [record.content["inputs"].get("real") for record in evaluations]
        evaluated = [faces for faces in (*ingested, *prepared) if faces.digest in digests]
        found = evaluated or prepared[-1:] or ingested
        return found[0] if found else None

    @property
    def private(self) -> bool:
        """Whether the photos show real people, rather than phantoms."""
        return bool(self.of("ingest"))

    @cached_property
    def synthetic(self) -> FaceSet | None:
        """The synthetic faces that were exported or evaluated, else the last ones made."""
        made = [faces for record in self.of(*GENERATION) if (faces := faces_of(record))]
        digests = [
            record.content["inputs"].get("faces" if record.stage == "export" else "synthetic")
            for record in self.of("export", "evaluate data-mix", "audit", "evaluate fidelity")
        ]
        found = [faces for faces in made if faces.digest in digests] or made
        return found[-1] if found else None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        sets = [faces for faces in (self.photos, self.synthetic) if faces is not None]
        return order_labels(label for faces in sets for label in faces.labels)


def faces_of(record: RunRecord, folder: str = "faces") -> FaceSet | None:
    """The FaceSet `faces` or `rejected` of a run; None if it has none or an empty one."""
    path = record.folder / folder
    faces = FaceSet.load(path) if (path / MANIFEST).exists() else None
    return faces or None
