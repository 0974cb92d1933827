"""The report's section on realism: can classifiers, or a published detector, tell synthetic from real?"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anonderm.core.results.fidelity import CNN, Example, RealismResult, TwoSampleTest
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Gallery, Section, Table, charts_block, gallery, percent, score_table
from anonderm.publish.charts import Chart
from anonderm.publish.pipeline import Pipeline

Floats = NDArray[np.float64]

_BINS = 10


def realism(pipeline: Pipeline) -> Section | None:
    found = pipeline.last(RealismResult)
    if found is None:
        return None
    record, result = found
    tests = result.tests.items()
    probabilities = (_probabilities(name, test) for name, test in tests)
    drawn = charts_block("", (_aucs(result), *probabilities, _detector_chart(result)))
    examples = [each for name, test in tests for each in _examples(record, name, test)]
    table = score_table("All realism scores", result.scores(), folded=drawn is not None)
    lead = (
        "Classifier two-sample tests: classifiers are trained to separate synthetic from real faces and "
        "scored on held-out people. An AUC of 0.5 means that they cannot. The baseline is the same test "
        "between two halves of the real people."
    )
    return Section("realism", "Realism", lead, (drawn, *_bins(result), *examples, table))


def _label(test: str) -> str:
    return "CNN from scratch" if test == CNN else test


def _aucs(result: RealismResult) -> Chart | None:
    tests = [(_label(name), test.auc, test.auc_baseline) for name, test in result.tests.items()]
    detector = [(result.detector.variant, result.detector.auc, None)] if result.detector else []
    rows = charts.with_baselines([*tests, *detector])
    caption = "Share of pairs of a real and a synthetic face that the classifier ranks correctly."
    label = "AUC: further right is easier to separate"
    mark = ("inseparable", 0.5)
    return charts.intervals("Separating synthetic from real", rows, label, (0.0, 1.0), mark, caption)


def _probabilities(name: str, test: TwoSampleTest) -> Chart | None:
    sides = {"real": test.real, "synthetic": test.synthetic}
    title = f"Predictions for each face: {_label(name)}"
    return charts.histogram(title, sides, "probability of being synthetic", _BINS, (0.0, 1.0))


def _detector_chart(result: RealismResult) -> Chart | None:
    """AcneGAN's Figure 11."""
    if (detector := result.detector) is None:
        return None
    middles = (np.array(detector.edges[:-1]) + np.array(detector.edges[1:])) / 2
    counts = {"real": detector.real_counts, "synthetic": detector.synthetic_counts}
    sides = {side: np.repeat(middles, each).tolist() for side, each in counts.items()}
    title = f"Detector of manipulated faces ({detector.variant})"
    return charts.histogram(title, sides, "probability of being manipulated", _BINS, (0.0, 1.0))


def _bins(result: RealismResult) -> list[Table]:
    """Counts and shares in ten bins, as in AcneGAN's Table 6: of the detector, and of each test."""
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    tables = []
    if (detector := result.detector) is not None:
        title = f"Faces by the score of the detector {detector.variant}"
        tables.append(_binned(title, edges, detector.real_counts, detector.synthetic_counts))
    for name, test in result.tests.items():
        real, synthetic = (np.histogram(each, edges)[0].tolist() for each in (test.real, test.synthetic))
        title = f"Faces by their predicted probability of being synthetic: {_label(name)}"
        tables.append(_binned(title, edges, real, synthetic, folded=detector is not None))
    return tables


def _binned(
    title: str, edges: Floats, real: Sequence[int], synthetic: Sequence[int], folded: bool = False
) -> Table:
    rows = tuple(
        (f"{low:.1f} to {high:.1f}", *_counted(real, bin), *_counted(synthetic, bin))
        for bin, (low, high) in enumerate(pairwise(edges))
    )
    columns = ("Score", "Real", "Share of real", "Synthetic", "Share of synthetic")
    return Table(title, columns, rows, frozenset(columns[1:]), folded=folded)


def _counted(counts: Sequence[int], index: int) -> tuple[str, str]:
    return f"{counts[index]:,}", percent(counts[index] / max(1, sum(counts)))


def _examples(record: RunRecord, name: str, test: TwoSampleTest) -> list[Gallery | None]:
    """Synthetic faces that a test detects with the highest and the lowest probability."""
    groups = (
        ("Synthetic faces detected most clearly", "detected", test.most_detected),
        ("Synthetic faces taken for real", "taken for real", test.least_detected),
    )
    return [
        gallery(
            f"{title}: {_label(name)}",
            record.folder,
            [_card(example, f"synthetic face, {outcome}") for example in examples],
            128,
            "synthetic",
        )
        for title, outcome, examples in groups
    ]


def _card(example: Example, alt: str) -> tuple[list[tuple[str, str]], str]:
    label = f", {example.label}" if example.label else ""
    return [(example.file, alt + label)], f"{percent(example.probability)} synthetic"
