"""The report's section on results that have no section of their own."""

from __future__ import annotations

from anonderm.core.results.audit import AuditResult
from anonderm.core.results.classifier import ClassifierResult, SaliencyResult, UtilityResult
from anonderm.core.results.data_mix import DataMixResult
from anonderm.core.results.fidelity import FidelityResult, RealismResult
from anonderm.core.results.lesions import DetectorResult, LesionFidelityResult
from anonderm.publish.blocks import Section, score_table
from anonderm.publish.pipeline import Pipeline

_SHOWN_ELSEWHERE = (
    AuditResult,
    ClassifierResult,
    DataMixResult,
    DetectorResult,
    FidelityResult,
    LesionFidelityResult,
    RealismResult,
    SaliencyResult,
    UtilityResult,
)


def other_scores(pipeline: Pipeline) -> Section | None:
    tables = [
        score_table(f"{record.name} ({record.stage})", scores)
        for record, result in pipeline.results
        if not isinstance(result, _SHOWN_ELSEWHERE) and (scores := result.scores())
    ]
    return Section("other-scores", "Other scores", "", tuple(tables)) if tables else None
