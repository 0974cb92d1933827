"""The report's section on utility: classifiers trained on synthetic and on real faces, compared."""

from collections import defaultdict

from anonderm.core.results.classifier import Explanation, UtilityResult
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Gallery, Matrix, Row, Section, gallery, percent, score_table
from anonderm.publish.pipeline import Pipeline

TRAINED_ON = {"trtr": "trained on real faces", "tstr": "trained on synthetic faces"}


def utility(pipeline: Pipeline) -> Section | None:
    found = pipeline.last(UtilityResult)
    if found is None:
        return None
    record, result = found
    trtr, tstr = result.trtr.scores, result.tstr.scores
    rows = charts.estimates(
        [
            ("accuracy, real", trtr.accuracy, "real"),
            ("accuracy, synthetic", tstr.accuracy, "synthetic"),
            ("macro F1, real", trtr.macro_f1, "real"),
            ("macro F1, synthetic", tstr.macro_f1, "synthetic"),
        ]
    )
    chart = charts.intervals(
        "On real test photos, by training set",
        rows,
        "with 95% interval",
        within=(0.0, 1.0),
        mark=("majority class", result.majority_share),
    )
    beside = Row(
        (
            *([chart] if chart else []),
            Matrix(f"Classifier {TRAINED_ON['trtr']}", result.trtr.confusion, "real"),
            Matrix(f"Classifier {TRAINED_ON['tstr']}", result.tstr.confusion, "synthetic"),
        )
    )
    lead = (
        "Two classifiers of the same architecture, one trained on real photos (TRTR), the other on synthetic "
        "faces only (TSTR). Both are tested on real photos of people who are in neither training set."
    )
    explanations = _explanations(record, result) if pipeline.config.show_real else None
    table = score_table("All utility scores", result.scores(), folded=True)
    return Section("utility", "Utility", lead, (beside, explanations, table))


def _explanations(record: RunRecord, result: UtilityResult) -> Gallery | None:
    """Some real test photos, each with the Grad-CAM overlay of both classifiers."""
    by_photo: dict[str, list[Explanation]] = defaultdict(list)
    for each in result.explanations:
        by_photo[each.image].append(each)
    cards = []
    for photo, explanations in by_photo.items():
        alt = f"real test photo, {explanations[0].label}"
        overlay_alt = f"{alt}, with the Grad-CAM map of the classifier"
        files = [(each.overlay, f"{overlay_alt} {TRAINED_ON[each.arm]}") for each in explanations]
        predictions = "; ".join(
            f"{TRAINED_ON[each.arm]}: {each.predicted} ({percent(each.probability)})" for each in explanations
        )
        cards.append(([(photo, alt), *files], f"True class {explanations[0].label}; {predictions}"))
    caption = (
        "Each photo, and Grad-CAM maps of the predicted class; warm colours mark the strongest evidence."
    )
    return gallery("Grad-CAM of both classifiers", record.folder, cards, 160, caption=caption)
