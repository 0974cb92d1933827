"""The report's section on utility: classifiers trained on synthetic and on real faces, compared."""

from __future__ import annotations

from collections import defaultdict

from anonderm.core.results.base import Score
from anonderm.core.results.classifier import Explanation, UtilityResult
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Block,
    Gallery,
    Picture,
    Row,
    Section,
    matrix,
    percent,
    picture_file,
    score_table,
)
from anonderm.publish.charts import Estimate
from anonderm.publish.pipeline import Pipeline

TRAINED_ON = {"trtr": "trained on real faces", "tstr": "trained on synthetic faces"}


def utility(pipeline: Pipeline) -> Section | None:
    found = pipeline.last(UtilityResult)
    if found is None:
        return None
    record, result = found
    rows = [
        *_estimates("accuracy", result.trtr.scores.accuracy, result.tstr.scores.accuracy),
        *_estimates("macro F1", result.trtr.scores.macro_f1, result.tstr.scores.macro_f1),
    ]
    chart = charts.intervals(
        "On real test photos, by training set",
        rows,
        "with 95% interval",
        within=(0.0, 1.0),
        mark=("majority class", result.majority_share),
    )
    matrices = (
        matrix(f"Classifier {TRAINED_ON['trtr']}", result.trtr.confusion, "real"),
        matrix(f"Classifier {TRAINED_ON['tstr']}", result.tstr.confusion, "synthetic"),
    )
    blocks: list[Block] = [Row((*([chart] if chart else []), *matrices))]
    blocks += _explanations(record, result) if pipeline.config.show_real else []
    blocks.append(score_table("All utility scores", result.scores(), folded=True))
    lead = (
        "Two classifiers of the same architecture, one trained on real photos (TRTR), the other on synthetic "
        "faces only (TSTR). Both are tested on real photos of people who are in neither training set."
    )
    return Section("utility", "Utility", lead, tuple(blocks))


def _estimates(measure: str, trtr: Score | None, tstr: Score | None) -> list[Estimate]:
    arms = (("real", trtr), ("synthetic", tstr))
    return [Estimate.of(f"{measure}, {tone}", score, tone) for tone, score in arms if score is not None]


def _explanations(record: RunRecord, result: UtilityResult) -> list[Block]:
    """Some real test photos, each with the Grad-CAM overlay of both classifiers."""
    by_photo: dict[str, list[Explanation]] = defaultdict(list)
    for each in result.explanations:
        by_photo[each.image].append(each)
    cards: list[tuple[Picture, ...]] = []
    captions: list[str] = []
    for photo, explanations in by_photo.items():
        label = explanations[0].label
        alt = f"real test photo, {label}"
        pictures = [picture_file(record.folder / photo, alt, 160)]
        predictions = []
        for each in explanations:
            trained_on = TRAINED_ON[each.arm]
            overlay_alt = f"{alt}, with the Grad-CAM map of the classifier {trained_on}"
            pictures.append(picture_file(record.folder / each.overlay, overlay_alt, 160))
            predictions.append(f"{trained_on}: {each.predicted} ({percent(each.probability)})")
        cards.append(tuple(picture for picture in pictures if picture))
        captions.append(f"True class {label}; {'; '.join(predictions)}")
    caption = (
        "Each photo, and Grad-CAM maps of the predicted class; warm colours mark the strongest evidence."
    )
    gallery = Gallery("Grad-CAM of both classifiers", tuple(cards), "", tuple(captions), caption)
    return [gallery] if cards else []
