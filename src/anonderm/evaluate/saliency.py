"""evaluate saliency: does a classifier look at the lesions? Grad-CAM in numbers, where the truth is known.

saliency.png  some faces of each class or lesion type, each beside its heat, with boxes and the hottest point
looks.jsonl   the numbers of each face, from which a run that was cut short goes on

H x W pixels of a heat map.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError, InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.files import append_line, read_json_lines
from anonderm.core.launch import device
from anonderm.core.records import Face, Lesion, Scores
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import SaliencyConfig
from anonderm.evaluate.held_out import check_labels, unseen_faces
from anonderm.evaluate.saliency_sheet import write_sheet
from anonderm.metrics import pointing
from anonderm.metrics.bootstrap import Rows, interval
from anonderm.models.classifier.grad_cam import heat
from anonderm.models.classifier.label_encoding import types_on
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import load_classifier

_JOURNAL = "looks.jsonl"
_MEASURES = ("in_lesions", "pointing", "in_skin")
_FLOORS = ("floor", "skin_floor")

Numbers = dict[str, float]


@dataclass(frozen=True)
class Question:
    """One map to make: the face, what is asked of it (a class or lesion type), and the boxes that answer."""

    face: Face
    asked: str
    lesions: tuple[Lesion, ...]

    @property
    def key(self) -> str:
        return f"{self.face.id}/{self.asked}"


def evaluate_saliency(config: SaliencyConfig, faces: FaceSet, classifier: Checkpoint, run: RunDir) -> Scores:
    """Shares of the heat and the pointing game on the test split (on all faces of a set without splits).

    Keys are MEASURE/GROUP, GROUP being all, a class or a lesion type. in_lesions: share of the heat inside
    lesion boxes; pointing: share of the maps whose hottest point lies in a box or near it; in_skin: share of
    the heat on the skin. Each has its /floor, what a heat without any knowledge would get (the share of the
    picture that counts), /skin_floor, what one would get that knows no more than where the skin is, and
    /above_floor and /above_skin_floor, the difference map by map. Intervals are over people.
    Raises InputError where no face has boxes or masks, BadLabel for labels that the classifier does not
    know, ConfigError where severity is asked of lesion types.
    """
    network = load_classifier(classifier, device())
    typed = network.head_type.name == "multi-label"
    if typed and config.explain == "severity":
        raise ConfigError(f"{classifier.path}: lesion types have no severity.", "Give explain = class.")
    questions = list(_questions(_drawn(config, unseen_faces(faces), network), network))
    if not questions:
        raise InputError(
            f"{faces.folder}: no face has lesion boxes or a skin mask to compare the heat with.",
            "Give a set whose source tells them, such as the phantom.",
        )
    looks = _looks(config, faces, questions, network, run)
    groups = {"all": questions}
    for name in network.classes:
        groups[name] = [question for question in questions if question.asked == name]
    scores: dict[str, Score] = {}
    for name, members in run.progress(list(groups.items()), "intervals"):
        scores |= _scores(config, name, members, looks)
    without = sum(looks[question.key]["heat"] == 0 for question in questions)
    if without:
        run.log(f"{without} of {len(questions)} maps have no heat at all; they count as beside the lesions")
    shown = [each for name in network.classes for each in groups[name][: config.sheet_faces]]
    if shown:
        explained = [(q.face, q.asked, q.lesions, _heat(config, faces, q, network)) for q in shown]
        write_sheet(run.folder / "saliency.png", faces, explained, config.sheet_faces)
    details = {
        "weights": classifier.card.notes.get("weights"),
        "backbone": classifier.card.architecture["backbone"],
        "head": network.head_type.name,
        "explain": config.explain,
        "maps": len(questions),
        "maps_without_heat": without,
        "n_people": len({question.face.person for question in questions}),
        "sheet": "saliency.png" if shown else None,
    }
    return Scores(scores, details)


def _drawn(config: SaliencyConfig, faces: FaceSet, network: Classifier) -> FaceSet:
    known = FaceSet(faces.folder, tuple(face for face in faces if face.lesions or face.mask))
    if network.head_type.name != "multi-label":
        check_labels(known, network)
    if len(known) <= config.max_faces:
        return known
    rows = np.random.default_rng(config.seed).choice(len(known), config.max_faces, replace=False)
    return FaceSet(known.folder, tuple(known.faces[row] for row in sorted(rows)))


def _questions(faces: FaceSet, network: Classifier) -> Iterator[Question]:
    for face in faces:
        if network.head_type.name != "multi-label":
            yield Question(face, str(face.label), face.lesions)
            continue
        for kind in network.classes:
            if kind in types_on(face):
                yield Question(face, kind, tuple(box for box in face.lesions if box.kind == kind))


def _looks(
    config: SaliencyConfig, faces: FaceSet, questions: list[Question], network: Classifier, run: RunDir
) -> dict[str, Numbers]:
    """The numbers of each map, by the question's key; noted on disk as they come."""
    journal = run.folder / _JOURNAL
    looks = {row["key"]: row["numbers"] for row in read_json_lines(journal)}
    with run.bar("Grad-CAM", len(questions), done=len(looks)) as bar:
        for question in questions:
            if question.key not in looks:
                heat_HW = _heat(config, faces, question, network)
                looks[question.key] = _numbers(config, faces, question, heat_HW)
                append_line(journal, json.dumps({"key": question.key, "numbers": looks[question.key]}))
                bar.advance()
    return looks


def _heat(
    config: SaliencyConfig, faces: FaceSet, question: Question, network: Classifier
) -> NDArray[np.float32]:
    image_HWC = faces.image(question.face)
    if config.explain == "severity":
        return heat(network, image_HWC, "severity")
    return heat(network, image_HWC, network.classes.index(question.asked))


def _numbers(
    config: SaliencyConfig, faces: FaceSet, question: Question, heat_HW: NDArray[np.float32]
) -> Numbers:
    """The measures of one map and their floors, as far as boxes and mask are known."""
    shape = (heat_HW.shape[0], heat_HW.shape[1])
    numbers = {"heat": float(heat_HW.max())}
    skin_HW = None
    if question.face.mask is not None:
        skin_HW = pointing.skin_cover(faces.mask(question.face), shape)
        numbers["in_skin"] = pointing.share_inside(heat_HW, skin_HW)
        numbers["in_skin/floor"] = float(skin_HW.mean())
    if question.lesions:
        height, width = faces.image(question.face).shape[:2]
        boxes_B4 = pointing.boxes_of(question.lesions, (shape[1] / width, shape[0] / height))
        near_HW = pointing.near(boxes_B4, shape, config.tolerance * max(shape))
        cover_HW = pointing.cover(boxes_B4, shape)
        numbers |= {
            "in_lesions": pointing.share_inside(heat_HW, cover_HW),
            "in_lesions/floor": float(cover_HW.mean()),
            "pointing": float(pointing.hits(heat_HW, near_HW)),
            "pointing/floor": float(near_HW.mean()),
        }
        if skin_HW is not None and skin_HW.any():
            numbers |= {
                "in_lesions/skin_floor": pointing.share_inside(skin_HW, cover_HW),
                "pointing/skin_floor": pointing.share_inside(skin_HW, near_HW.astype(np.float64)),
            }
    return numbers


def _scores(
    config: SaliencyConfig, group: str, questions: list[Question], looks: dict[str, Numbers]
) -> dict[str, Score]:
    values: dict[str, list[float]] = defaultdict(list)
    people: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        numbers = looks[question.key]
        for name in _MEASURES:
            for kind, value in _kinds(name, numbers).items():
                values[f"{name}/{group}{kind}"].append(value)
                people[f"{name}/{group}{kind}"].append(question.face.person)
    scores = {}
    for key, each in values.items():
        values_N = np.array(each)
        rng = np.random.default_rng(config.seed)
        low, high = interval(partial(_mean, values_N), people[key], rng, config.bootstrap_samples)
        better = None if key.endswith("floor") and "above" not in key else True
        scores[key] = Score(float(values_N.mean()), low, high, len(each), better)
    return scores


def _kinds(name: str, numbers: Numbers) -> Numbers:
    """A measure of one map, its floors, and how far it lies above them."""
    if name not in numbers:
        return {}
    found = {"": numbers[name]}
    for floor in _FLOORS:
        if f"{name}/{floor}" in numbers:
            found |= {
                f"/{floor}": numbers[f"{name}/{floor}"],
                f"/above_{floor}": numbers[name] - numbers[f"{name}/{floor}"],
            }
    return found


def _mean(values_N: NDArray[np.float64], rows: Rows) -> float:
    return float(values_N[rows].mean())
