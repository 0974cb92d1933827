"""evaluate realism: can synthetic faces be told from real ones?

Classifier two-sample tests (metrics/c2st.py) by a small CNN and by logistic regression on embeddings,
each beside its baseline, the same test between two halves of the real people; and, if weights are given, a
published detector of manipulated faces (evaluate/manipulation.py). As many synthetic as real faces of each
class are compared, so that the classes do not separate the sets.
"""

# N faces of both sets, M synthetic ones

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anonderm.core import weights
from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import write_png
from anonderm.core.progress import Bar
from anonderm.core.results.base import Score
from anonderm.core.results.fidelity import CNN, Example, ManipulationDetection, RealismResult, TwoSampleTest
from anonderm.core.rundir import RunDir
from anonderm.core.splits import hold_out_people
from anonderm.embeddings.extractors import embed
from anonderm.evaluate.c2st import SIZE, on_pixels
from anonderm.evaluate.config import RealismConfig
from anonderm.evaluate.manipulation import Detector, load_detector, manipulation_scores
from anonderm.evaluate.statistics import Bootstrap
from anonderm.metrics.c2st import C2ST, FitAndScore, Floats, Remember, c2st, on_embeddings

_BINS = 10
_EXAMPLES = 6


def evaluate_realism(config: RealismConfig, real: FaceSet, synthetic: FaceSet, run: RunDir) -> RealismResult:
    """Train classifiers to separate both sets, and apply a published detector if there is one.

    Run again in the same folder, it continues after the last fold that was scored. Raises TooFewImages if a
    set has fewer people than there are folds, MissingPath, MissingWeights or BrokenArtefact for the detector.
    """
    detector = load_detector(weights.find(config.detector)) if config.detector else None
    rng = np.random.default_rng(config.seed)
    chosen = matched(real, synthetic, config.max_faces, rng)
    halves = hold_out_people(chosen[0], chosen[0].people // 2, rng)[::-1]
    tests: dict[str, TwoSampleTest] = {}
    names = (CNN, *config.extractors)
    with run.bar("training to separate real from synthetic", 2 * len(names) * config.folds) as bar:
        for name in names:
            test = _test(config, name, *chosen, _remember_folds(run, name, bar))
            baseline = None
            try:
                baseline = _test(config, name, *halves, _remember_folds(run, f"{name} baseline", bar))
            except TooFewImages as error:
                run.log(f"the baseline of {name} is left out, as there are few real people: {error.message}")
            tests[name] = _result(config, name, test, baseline, chosen, run)
    return RealismResult(
        compared=chosen[0].label_counts or {"all": len(chosen[0])},
        tests=tests,
        detector=None if detector is None else _detection(config, detector, chosen),
    )


def _remember_folds(run: RunDir, test: str, bar: Bar) -> Remember:
    """Each fold's scores are kept, so that an interrupted run loses one fold at most."""

    def keep(fold: int, work: Callable[[], Floats]) -> Floats:
        scores_N: Floats = run.remember(f"{test}, fold {fold}", work)
        bar.advance(1, test)
        return scores_N

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
        [faces.sample(round(count * share), rng) for faces in pair]
        for pair, count in zip(pairs, counts, strict=True)
    ]
    first, second = (tuple(face for pair in drawn for face in pair[side]) for side in (0, 1))
    return FaceSet(real.folder, first), FaceSet(synthetic.folder, second)


def _test(config: RealismConfig, name: str, first: FaceSet, second: FaceSet, keep: Remember) -> C2ST:
    second_N = np.arange(len(first) + len(second)) >= len(first)
    # Both sets may use the same person ids.
    people = [("first", face.person) for face in first] + [("second", face.person) for face in second]
    rng = np.random.default_rng(config.seed)
    if name == CNN:
        pixels_NHWC = np.concatenate([first.pixels(SIZE), second.pixels(SIZE)])
        fit_and_score: FitAndScore = on_pixels(pixels_NHWC, second_N, config.epochs, config.seed)
    else:
        rows_ND = np.concatenate([embed(first, name), embed(second, name)])
        fit_and_score = on_embeddings(rows_ND, second_N)
    return c2st(second_N, people, config.folds, fit_and_score, rng, keep)


def _result(
    config: RealismConfig,
    name: str,
    test: C2ST,
    baseline: C2ST | None,
    chosen: tuple[FaceSet, FaceSet],
    run: RunDir,
) -> TwoSampleTest:
    real, synthetic = chosen
    non_members = [row for row, face in enumerate(real) if face.split != "train"]
    probabilities_N = 1 / (1 + np.exp(-np.clip(test.scores_N, -50, 50)))
    real_N, synthetic_M = probabilities_N[~test.second_N], probabilities_N[test.second_N]
    order = np.argsort(synthetic_M, kind="stable").tolist()
    count = min(_EXAMPLES, len(order) // 2)

    def examples(kind: str, rows: Sequence[int]) -> tuple[Example, ...]:
        found = []
        for place, row in enumerate(rows):
            face, file = synthetic.faces[row], f"examples/{name}-{kind}-{place}.png"
            write_png(run.folder / file, synthetic.image(face))
            found.append(Example(file, face.label, round(float(synthetic_M[row]), 4)))
        return tuple(found)

    return TwoSampleTest(
        auc=_auc(config, test),
        auc_non_members=_auc(config, test, np.array([*non_members, *np.flatnonzero(test.second_N)], np.intp))
        if 0 < len(non_members) < len(real)
        else None,
        auc_baseline=None if baseline is None else _auc(config, baseline),
        real=_rounded(real_N),
        synthetic=_rounded(synthetic_M),
        most_detected=examples("detected", order[::-1][:count]),
        least_detected=examples("undetected", order[:count]),
    )


def _auc(config: RealismConfig, test: C2ST, rows: NDArray[np.intp] | None = None) -> Score:
    """Over these rows, or all."""
    rows = np.arange(len(test.scores_N)) if rows is None else rows
    low, high = test.interval(rows, config.bootstrap_samples, np.random.default_rng(config.seed))
    second = int(test.second_N[rows].sum())
    note = f"{second} faces against {len(rows) - second}, {config.folds} folds by person"
    return Score(test.auc(rows), low, high, len(rows), higher_is_better=False, note=note)


def _rounded(probabilities_N: Floats) -> tuple[float, ...]:
    return tuple(round(float(each), 4) for each in probabilities_N)


def _detection(
    config: RealismConfig, detector: tuple[Detector, str], chosen: tuple[FaceSet, FaceSet]
) -> ManipulationDetection:
    network, variant = detector
    edges = np.linspace(0, 1, _BINS + 1)
    real, synthetic = chosen
    real_N, synthetic_M = (manipulation_scores(network, faces) for faces in chosen)
    scores_N = np.concatenate([real_N, synthetic_M])
    second_N = np.repeat([False, True], [len(real), len(synthetic)])
    people = [(side, face.person) for side, faces in enumerate(chosen) for face in faces]
    whole = C2ST(scores_N, second_N, np.zeros(len(scores_N), np.int64), people)
    return ManipulationDetection(
        variant=variant,
        auc=_auc(config, whole),
        real=_share(config, real_N > 0.5, real),
        synthetic=_share(config, synthetic_M > 0.5, synthetic),
        edges=tuple(round(float(edge), 2) for edge in edges),
        real_counts=tuple(np.histogram(real_N, edges)[0].tolist()),
        synthetic_counts=tuple(np.histogram(synthetic_M, edges)[0].tolist()),
    )


def _share(config: RealismConfig, called_N: NDArray[np.bool_], faces: FaceSet) -> Score:
    bootstrap = Bootstrap([face.person for face in faces], config.seed, config.bootstrap_samples)
    share = bootstrap.mean(called_N.astype(float), better=None)
    return replace(share, note="scores above 0.5")
