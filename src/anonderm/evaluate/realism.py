"""evaluate realism: can anyone tell the synthetic faces from the real ones?

auc[onlooker]/all     classifier two-sample test (evaluate/two_sample.py) by a small CNN taught from scratch;
                      0.5: the sets cannot be told apart
auc[<extractor>]/all  the same by logistic regression on embeddings
auc[...]/unseen       the same scores, over real faces outside the train split only
auc[...]/floor        the same test between two halves of the real people
manipulated[<variant>]/synthetic, /real  share that a published detector (evaluate/manipulation.py) calls
                      manipulated; auc[<variant>]/all of its scores

As many synthetic as real faces of each class are compared, so that classes tell nothing.

details:
    compared   {label: faces of each set}
    tests      {test: {real: [probability of being synthetic], synthetic: [...]}}, out of fold
    shown      [{test, kind: caught | passed, file, label, probability}]: synthetic faces at both ends
    detector   {variant, edges, real: [count], synthetic: [count]}: ten bins (AcneGAN, Table 6 and Figure 11)
"""

# N faces of both sets, M synthetic ones

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core import weights
from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json, write_json
from anonderm.core.images import write_png
from anonderm.core.progress import Bar
from anonderm.core.records import Face, Scores
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunDir
from anonderm.core.splits import hold_out_people
from anonderm.embeddings.extractors import embed
from anonderm.evaluate.c2st import SIZE, onlooker
from anonderm.evaluate.config import RealismConfig
from anonderm.evaluate.manipulation import Detector, load_detector, manipulation_scores
from anonderm.metrics.bootstrap import interval
from anonderm.metrics.two_sample import Floats, Keep, Teach, TwoSample, on_embeddings, two_sample

ONLOOKER = "onlooker"
_BINS = 10
_SHOWN = 6
_FOLDS = "folds"


def evaluate_realism(config: RealismConfig, real: FaceSet, synthetic: FaceSet, run: RunDir) -> Scores:
    """Teach classifiers to tell both sets apart, and ask a published detector where there is one.

    Run again in the same folder, it goes on after the last fold that was scored. Raises TooFewImages with
    fewer people a set than folds, MissingPath, MissingWeights or BrokenArtefact for the detector.
    """
    detector = load_detector(weights.find(config.detector)) if config.detector else None
    rng = np.random.default_rng(config.seed)
    chosen = matched(real, synthetic, config.max_faces, rng)
    halves = hold_out_people(chosen[0], chosen[0].people // 2, rng)[::-1]
    scores: dict[str, Score] = {}
    details: dict[str, Any] = {
        "compared": chosen[0].label_counts or {"all": len(chosen[0])},
        "tests": {},
        "shown": [],
    }
    tests = (ONLOOKER, *config.extractors)
    with run.bar("learning to tell real from synthetic", 2 * len(tests) * config.folds) as bar:
        for name in tests:
            test = _test(config, name, *chosen, _kept(run, name, bar))
            scores |= _scores(config, name, test, chosen[0])
            details["tests"][name] = _probabilities(test)
            details["shown"] += _show(name, test, chosen[1], run)
            try:
                floor = _test(config, name, *halves, _kept(run, f"{name}-floor", bar))
            except TooFewImages as error:
                run.log(f"auc[{name}]/floor is left out, as real people are few: {error.message}")
            else:
                scores[f"auc[{name}]/floor"] = _score(config, floor, np.arange(len(floor.scores_N)))
    if detector is not None:
        found, details["detector"] = _detected(config, detector, chosen)
        scores |= found
    shutil.rmtree(run.folder / _FOLDS)
    return Scores(scores, details)


def _kept(run: RunDir, test: str, bar: Bar) -> Keep:
    """Each fold's scores in a file of their own, so that a run that was cut short loses at most a fold."""

    def keep(fold: int, work: Callable[[], Floats]) -> Floats:
        path = run.folder / _FOLDS / f"{test}-{fold}.json"
        if not path.exists():
            write_json(path, work().tolist())
        bar.advance(1, test)
        return np.array(read_json(path), np.float64)

    return keep


def matched(
    real: FaceSet, synthetic: FaceSet, most: int, rng: np.random.Generator
) -> tuple[FaceSet, FaceSet]:
    """As many faces of both sets, of each class that both have; of all where they share none."""
    shared: list[str | None] = [label for label in real.labels if label in synthetic.labels]
    pairs = [(real.where(label=label), synthetic.where(label=label)) for label in shared or [None]]
    counts = [min(len(one), len(other)) for one, other in pairs]
    share = min(1.0, most / max(1, sum(counts)))
    drawn = [
        [_drawn(faces, round(count * share), rng) for faces in pair]
        for pair, count in zip(pairs, counts, strict=True)
    ]
    first, second = (tuple(face for pair in drawn for face in pair[side]) for side in (0, 1))
    return FaceSet(real.folder, first), FaceSet(synthetic.folder, second)


def _drawn(faces: FaceSet, count: int, rng: np.random.Generator) -> FaceSet:
    rows = np.sort(rng.permutation(len(faces))[:count])
    return FaceSet(faces.folder, tuple(faces.faces[row] for row in rows))


def _test(config: RealismConfig, name: str, first: FaceSet, second: FaceSet, keep: Keep) -> TwoSample:
    second_N = np.arange(len(first) + len(second)) >= len(first)
    # Sets number their faces alike: who is who must not depend on the set's own ids.
    people = [("first", face.person) for face in first] + [("second", face.person) for face in second]
    rng = np.random.default_rng(config.seed)
    if name == ONLOOKER:
        pixels_NHWC = np.concatenate([first.pixels(SIZE), second.pixels(SIZE)])
        teach: Teach = onlooker(pixels_NHWC, second_N, config.epochs, config.seed)
    else:
        rows_ND = np.concatenate([embed(first, name), embed(second, name)])
        teach = on_embeddings(rows_ND, second_N)
    return two_sample(second_N, people, config.folds, teach, rng, keep)


def _scores(config: RealismConfig, name: str, test: TwoSample, real: FaceSet) -> dict[str, Score]:
    """Over all faces, and with the real ones that no model has learned from only."""
    unseen = [row for row, face in enumerate(real) if face.split != "train"]
    rows = np.array([*unseen, *np.flatnonzero(test.second_N)], np.intp)
    scores = {f"auc[{name}]/all": _score(config, test, np.arange(len(test.scores_N)))}
    if 0 < len(unseen) < len(real):
        scores[f"auc[{name}]/unseen"] = _score(config, test, rows)
    return scores


def _score(config: RealismConfig, test: TwoSample, rows: NDArray[np.intp]) -> Score:
    low, high = test.interval(rows, config.bootstrap_samples, np.random.default_rng(config.seed))
    second = int(test.second_N[rows].sum())
    note = f"{second} faces against {len(rows) - second}, {config.folds} folds by person"
    return Score(test.auc(rows), low, high, len(rows), higher_is_better=False, note=note)


def _probabilities(test: TwoSample) -> dict[str, list[float]]:
    probabilities_N = _sigmoid(test.scores_N)
    sides = {"real": ~test.second_N, "synthetic": test.second_N}
    return {side: [round(float(p), 4) for p in probabilities_N[rows]] for side, rows in sides.items()}


def _sigmoid(logits_N: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(logits_N, -50, 50)))


def _show(name: str, test: TwoSample, synthetic: FaceSet, run: RunDir) -> list[dict[str, Any]]:
    """The synthetic faces found out most surely, and those most taken for real."""
    probabilities_M = _sigmoid(test.scores_N[test.second_N])
    order = np.argsort(probabilities_M, kind="stable")
    count = min(_SHOWN, len(order) // 2)
    shown = []
    for kind, rows in (("caught", order[::-1][:count]), ("passed", order[:count])):
        for place, row in enumerate(rows):
            face: Face = synthetic.faces[row]
            file = f"shown/{name}-{kind}-{place}.png"
            write_png(run.folder / file, synthetic.image(face))
            probability = round(float(probabilities_M[row]), 4)
            shown.append(
                {"test": name, "kind": kind, "file": file, "label": face.label, "probability": probability}
            )
    return shown


def _detected(
    config: RealismConfig, detector: tuple[Detector, str], chosen: tuple[FaceSet, FaceSet]
) -> tuple[dict[str, Score], dict[str, Any]]:
    """Shares called manipulated, the AUC, and the ten bins."""
    network, variant = detector
    edges = np.linspace(0, 1, _BINS + 1)
    judged = {
        side: manipulation_scores(network, faces)
        for side, faces in zip(("real", "synthetic"), chosen, strict=True)
    }
    scores = {}
    details: dict[str, Any] = {"variant": variant, "edges": [round(float(edge), 2) for edge in edges]}
    for (side, scores_N), faces in zip(judged.items(), chosen, strict=True):
        scores[f"manipulated[{variant}]/{side}"] = _share(config, scores_N > 0.5, faces)
        details[side] = np.histogram(scores_N, edges)[0].tolist()
    second_N = np.repeat([False, True], [len(faces) for faces in chosen])
    people = [(side, face.person) for side, faces in enumerate(chosen) for face in faces]
    scores_N = np.concatenate(list(judged.values()))
    whole = TwoSample(scores_N, second_N, np.zeros(len(scores_N), np.int64), people)
    scores[f"auc[{variant}]/all"] = _score(config, whole, np.arange(len(scores_N)))
    return scores, details


def _share(config: RealismConfig, called_N: NDArray[np.bool_], faces: FaceSet) -> Score:
    people = [face.person for face in faces]
    rng = np.random.default_rng(config.seed)
    low, high = interval(lambda rows: float(called_N[rows].mean()), people, rng, config.bootstrap_samples)
    return Score(float(called_N.mean()), low, high, len(faces), note="scores above 0.5")
