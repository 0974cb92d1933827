"""AUC of the two-sample tests of `evaluate realism` while a generator is trained.

The shipped generator of healthy phantom faces is trained on phantoms with severe acne, at 64 px. The samples
saved at some ticks are compared with the real faces: the AUC should fall as training proceeds.

  python benchmarks/realism_curve.py [--kimg 2] [--out runs/realism-curve]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import results
import torch

from anonderm.core.faceset import FaceSetWriter
from anonderm.core.images import Pixels, read_image
from anonderm.core.records import Face
from anonderm.stages import STAGES, run_stage

_SAMPLES = 256
_SIZE, _GAP = 64, 2
_TICKS = (0.25, 0.5, 1, 2, 4, 8, 16)
_CLASS, _PEOPLE = "severe", 400


def main() -> None:
    parser = results.argument_parser(__doc__)
    parser.add_argument("--kimg", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path("runs/realism-curve"))
    options = parser.parse_args()
    torch.set_num_threads(1)

    real = _stage(options.out / "real", "phantom", people=_PEOPLE, classes=(_CLASS,), size=_SIZE)
    training = {"kimg": options.kimg, "tick_kimg": _TICKS[0], "samples": _SAMPLES}
    gan = _stage(options.out / "gan", "train-gan", {"faces": real, "base": "phantom-64"}, **training)
    start = {"checkpoints": ("phantom-64",)}
    sets = {0.0: _stage(options.out / "start", "generate", start, seeds=f"0-{_SAMPLES - 1}")}
    sheets = {float(path.stem.removeprefix("kimg-")): path for path in (gan / "samples").glob("kimg-*.png")}
    for tick in (tick for tick in _TICKS if tick <= options.kimg):
        kimg = min(sheets, key=lambda each: abs(each - tick))
        sets[kimg] = _split(sheets[kimg], options.out / f"faces-{kimg:g}")
    points = [
        {"kimg": kimg, **_two_sample_tests(options.out / f"realism-{kimg:g}", real, faces)}
        for kimg, faces in sets.items()
    ]
    results.write("realism_curve", {"faces_per_set": _SAMPLES, "points": points})
    _plot(points, results.RESULTS / "realism_curve.png")


def _stage(out: Path, name: str, inputs: dict[str, Any] | None = None, **settings: Any) -> Path:
    stage = STAGES[name]
    run_stage(stage, stage.load_config()(**settings), inputs or {}, out)
    return out


def _split(sheet: Path, folder: Path) -> Path:
    """The images of a sheet of samples, as a FaceSet."""
    image_HWC = read_image(sheet)
    columns = (image_HWC.shape[1] + _GAP) // (_SIZE + _GAP)
    writer = FaceSetWriter(folder)
    for index in range(_SAMPLES):
        top, left = ((_SIZE + _GAP) * place for place in divmod(index, columns))
        face: Pixels = image_HWC[top : top + _SIZE, left : left + _SIZE]
        writer.add(face, Face(id=f"s{index:04d}", label=_CLASS))
    writer.finish()
    return folder


def _two_sample_tests(out: Path, real: Path, synthetic: Path) -> dict[str, list[float | None]]:
    sets = {"real": real, "synthetic": synthetic}
    _stage(out, "evaluate realism", sets, max_faces=_SAMPLES, folds=3, epochs=8)
    return {name: score for name, score in results.scores(out).items() if name.startswith("tests/")}


def _plot(points: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    kimg = [point["kimg"] for point in points]
    for name in (key for key in points[0] if key.endswith("/auc")):
        values, low, high = np.array([point[name] for point in points]).T
        test = name.split("/")[1]
        (line, _, _) = axes.errorbar(
            kimg, values, [values - low, high - values], marker="o", capsize=3, label=test
        )
        baseline = [point[f"{name}_baseline"][0] for point in points]
        axes.plot(kimg, baseline, ":", color=line.get_color(), label=f"{test}, real-vs-real baseline")
    axes.axhline(0.5, color="grey", lw=0.8)
    axes.set(xlabel="kimg", ylabel="AUC, real vs synthetic", ylim=(0.3, 1.02))
    axes.legend(loc="lower left", fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
