"""The report's sections on scores: usefulness, fidelity, and whatever else has no section of its own."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from anonderm.core.records import Scores
from anonderm.core.results.base import LeftOut, Score
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Block,
    Charts,
    Gallery,
    Matrix,
    Picture,
    Row,
    Section,
    left_out_table,
    percent,
    picture_file,
    score_table,
)
from anonderm.publish.charts import Chart, Estimate
from anonderm.publish.runs import Material, scores_of

ARMS = {"trtr": ("trained on real", "real"), "tstr": ("trained on synthetic", "synthetic")}
# Patterns of the scores' names, and what they are called.
_DISTANCES = {
    "kid": "Kernel Inception distance (KID)",
    "kernel": "Kernel distance",
    "fid_infinity": "FID, extrapolated to endless sets",
    "fid": "Fréchet Inception distance (FID)",
    "fd": "Fréchet distance (FD-DINOv2)",
    "frechet": "Fréchet distance",
}
_SHOWN_APART = (
    "evaluate utility",
    "evaluate data-mix",
    "evaluate classifier",
    "evaluate saliency",
    "evaluate fidelity",
    "evaluate realism",
    "evaluate lesions",
    "evaluate detector",
    "audit",
)


def usefulness(material: Material) -> Section | None:
    found = material.scored("evaluate utility")
    if found is None:
        return None
    record, scores = found
    rows = [
        estimate(f"{words}, {tone}", score, tone)
        for measure, words in (("accuracy", "accuracy"), ("macro_f1", "macro F1"))
        for arm, (_, tone) in ARMS.items()
        if (score := scores.scores.get(f"{arm}/{measure}")) is not None
    ]
    chance = scores.details.get("chance")
    chart = charts.intervals(
        "Real test photos, by what the classifier was trained on",
        rows,
        "with 95% interval",
        within=(0.0, 1.0),
        mark=("chance", chance) if isinstance(chance, int | float) else None,
    )
    confusion = scores.details.get("confusion", {})
    labels = tuple(scores.details.get("classes", ()))
    matrices = tuple(
        Matrix(f"Classifier {label}", labels, tuple(map(tuple, confusion[arm])), tone)
        for arm, (label, tone) in ARMS.items()
        if arm in confusion
    )
    blocks: list[Block] = [Row((*([chart] if chart else []), *matrices))]
    blocks += _saliency(record, scores, material)
    blocks.append(score_table("All scores of usefulness", scores.scores, folded=True))
    lead = (
        "Two classifiers of the same build, one taught by the real training photos, one by synthetic faces "
        "alone, both tested on real photos of people neither has met."
    )
    return Section("usefulness", "Usefulness", lead, tuple(blocks))


def estimate(name: str, score: Score, tone: str) -> Estimate:
    return Estimate(name, score.value, score.low, score.high, tone)


def _saliency(record: RunRecord, scores: Scores, material: Material) -> list[Block]:
    """Some test photos, each with the Grad-CAM overlay of both classifiers; they show real people."""
    by_photo: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in scores.details.get("saliency", ()) if material.config.show_real else ():
        by_photo[entry["image"]].append(entry)
    cards: list[tuple[Picture, ...]] = []
    captions: list[str] = []
    for photo, entries in by_photo.items():
        alt = f"real test photo, {entries[0]['label']}"
        pictures = [picture_file(record.folder / photo, alt, 160)]
        said = []
        for entry in entries:
            arm, _ = ARMS[entry["arm"]]
            seen = f"{alt}, as seen by the classifier {arm}"
            pictures.append(picture_file(record.folder / entry["overlay"], seen, 160))
            said.append(f"{arm}: {entry['predicted']} ({percent(entry['probability'])})")
        cards.append(tuple(picture for picture in pictures if picture))
        captions.append(f"Is {entries[0]['label']}; {'; '.join(said)}")
    caption = "The photo, and what spoke for the class that each classifier names (Grad-CAM; warm is strong)."
    gallery = Gallery("Where the classifiers look", tuple(cards), "", tuple(captions), caption)
    return [gallery] if cards else []


def fidelity(material: Material) -> Section | None:
    scores = material.scores("evaluate fidelity")
    if scores is None:
        return None
    distances = [chart for measure in _DISTANCES for chart in _against_floor(measure, scores)]
    drawn = [*distances, *_projections(scores)]
    blocks: list[Block] = [Charts("", tuple(drawn))] if drawn else []
    blocks.append(score_table("All scores of fidelity", scores.scores, folded=bool(drawn)))
    blocks += left_out_table(
        [LeftOut(each["score"], each["reason"]) for each in scores.details.get("left_out", ())]
    )
    lead = (
        "How close the synthetic faces are to real test photos in the eyes of a network. The floor is what "
        "other real photos score, those of the training split: no synthetic set can be expected to beat it."
    )
    return Section("fidelity", "Fidelity", lead, tuple(blocks))


def _against_floor(measure: str, scores: Scores) -> list[Chart]:
    """For each extractor, the distance of all faces and of each class, beside its floor."""
    rows: dict[str, list[Estimate]] = defaultdict(list)
    for name, score in scores.scores.items():
        if match := re.fullmatch(rf"{measure}\[([^]]*)\]/(.+?)(/floor)?", name):
            extractor, part, floor = match.groups()
            shown = f"{part}, floor" if floor else part
            rows[extractor].append(estimate(shown, score, "real" if floor else "synthetic"))
    label = "lower is better, {} features"
    biased = measure in ("fid", "fd", "frechet")
    caption = "Few faces push it up: only its floor, of as many faces, says what is low." if biased else ""
    drawn = (
        charts.intervals(_DISTANCES[measure], each, label.format(name), caption=caption)
        for name, each in rows.items()
    )
    return [chart for chart in drawn if chart]


def _projections(scores: Scores) -> list[Chart]:
    drawn = []
    for extractor, projection in scores.details.get("projection", {}).items():
        groups: dict[str, list[tuple[float, float]]] = {"real": [], "synthetic": []}
        for point in projection["points"]:
            groups[point["set"]].append((point["x"], point["y"]))
        explained = " and ".join(percent(share) for share in projection["explained"])
        caption = f"A dot a face. The two axes hold {explained} of the variance of real faces."
        drawn.append(charts.scatter(f"Faces in {extractor} features", groups, "first axis", caption))
    return [chart for chart in drawn if chart]


def other_scores(material: Material) -> Section | None:
    """Scores of stages that have no section of their own."""
    tables = tuple(
        score_table(f"{record.name} ({record.stage})", scores.scores)
        for record in material.runs
        if record.stage not in _SHOWN_APART and (scores := scores_of(record)) is not None
    )
    return Section("other-scores", "Other scores", "", tables) if tables else None
