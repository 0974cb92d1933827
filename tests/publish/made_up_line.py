"""Run folders of a whole small pipeline, as the stages leave them, with drawn faces and made-up numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from made_up_audit import audited

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import append_line, write_text
from anonderm.core.images import Pixels, grid, write_png
from anonderm.core.records import Face
from anonderm.core.results.audit import AuditResult, Pair, Repeats, ToneAttack
from anonderm.core.results.base import FILE, Result, Score
from anonderm.core.results.classifier import (
    ClassificationScores,
    ConfusionMatrix,
    Explanation,
    UtilityArm,
    UtilityResult,
)
from anonderm.core.results.data_mix import (
    ArmResult,
    ArmScores,
    DataMixResult,
    Difference,
    Shortage,
    ToneScores,
)
from anonderm.core.results.fidelity import (
    CNN,
    Example,
    ExtractorDistances,
    FidelityResult,
    ManipulationDetection,
    PartDistances,
    Point,
    Projection,
    RealismResult,
    SetDistances,
    TwoSampleTest,
)
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.export import export

CLASSES = ("healthy", "mild", "severe")
GENERATOR = "ab" * 32
SECRETS = ("person-00", "Jane-Doe", "IMG_4711")  # none of them may leave with a release

Draw = Callable[[str, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    source: str = "/home/jane-doe/patients"
    subjects: str = "(person)"
    fallback: str = "center"


def draw_face(label: str, rng: np.random.Generator) -> Pixels:
    """An oval with as many red spots as the class asks for, 32 px."""
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    face = np.where(
        ((x / 0.7) ** 2 + (y / 0.9) ** 2 < 1)[..., None], rng.integers(150, 220, 3), (210, 225, 235)
    )
    for _ in range(3 * CLASSES.index(label)):
        spot_x, spot_y = rng.uniform(-0.4, 0.4, 2)
        face = np.where(((x - spot_x) ** 2 + (y - spot_y) ** 2 < 0.01)[..., None], (190, 60, 50), face)
    return face.astype(np.uint8)


def photos(folder: Path, draw: Draw, per_class: int = 12, **more: str) -> FaceSet:
    rng, writer = np.random.default_rng(0), FaceSetWriter(folder)
    for index in range(per_class * len(CLASSES)):
        label, person = CLASSES[index % len(CLASSES)], index // 2
        face = Face(
            f"Jane-Doe-{index:03d}",
            label=label,
            subject=f"person-{person:05d}",
            split=("train", "train", "val", "test")[person % 4],
            source="folder/IMG_4711.jpg",
            licence="CC-BY-4.0",
            ita=float(rng.normal(30, 15)),
            identified_by="source",
            **more,
        )
        writer.add(draw(label, rng), face)
    return writer.finish()


def ingested(run: RunDir, draw: Draw, per_class: int) -> None:
    faces = photos(run.folder / "faces", draw, per_class)
    rows = [
        f"{face.id},{face.subject},Jane-Doe,{300 + 10 * index},400,IMG_4711"
        for index, face in enumerate(faces)
    ]
    write_text(run.folder / "sources.csv", "\n".join(["id,subject,person,width,height,file", *rows]))
    write_png(run.folder / "skipped" / "0000.png", draw("mild", np.random.default_rng(5)))
    for kind, picture in (("duplicate", "skipped/0000.png"), ("duplicate", None), ("unreadable", None)):
        row = {"file": "IMG_4711", "reason": "as Jane-Doe", "kind": kind, "picture": picture}
        append_line(run.folder / "skipped.jsonl", json.dumps(row))


def aligned(run: RunDir, draw: Draw, per_class: int) -> None:
    faces = photos(run.folder / "faces", draw, per_class, framing="ffhq")
    row = {"photo": faces.faces[0].id, "reason": "no face found", "fallback": "center"}
    append_line(run.folder / "unaligned.jsonl", json.dumps(row))
    write_png(run.folder / "aligned.png", grid(faces.pixels()[:8], 8))


def restored(run: RunDir, draw: Draw, per_class: int) -> None:
    photos(run.folder / "faces", draw, per_class, restorer="lanczos")
    write_png(run.folder / "lesions.png", draw("severe", np.random.default_rng(6)))


def synthetic(folder: Path, draw: Draw, per_class: int = 10, rejected: Path | None = None) -> FaceSet:
    """Faces as a generator leaves them; with `rejected`, every fourth goes there with a reason."""
    rng, writer = np.random.default_rng(1), FaceSetWriter(folder)
    aside = FaceSetWriter(rejected) if rejected else None
    reasons = (
        "training-copy: 0.1 from training face Jane-Doe-001",
        "artefact: sharpness too low (2)",
        "deformed: 9.1",
    )
    for index in range(per_class * len(CLASSES)):
        label = CLASSES[index % len(CLASSES)]
        reason = reasons[index // 4 % 3] if aside and index % 4 == 0 else None
        face = Face(
            f"{label}-{index:05d}",
            label=label,
            licence="CC-BY-4.0",
            checkpoint=GENERATOR,
            seed=index,
            psi=0.7,
            confidence=float(rng.uniform(0.4 if reason else 0.7, 1.0)),
            reason=reason,
        )
        (aside if aside and reason else writer).add(draw(label, rng), face)
    if aside:
        aside.finish()
    return writer.finish()


def share(value: float, n: int = 90) -> Score:
    return Score(value, max(0.0, value - 0.08), min(1.0, value + 0.08), n, higher_is_better=True)


def classification(accuracy: Score, macro_f1: Score) -> ClassificationScores:
    return ClassificationScores(
        accuracy=accuracy,
        macro_precision=None,
        macro_recall=None,
        macro_f1=macro_f1,
        f1=dict.fromkeys(CLASSES, macro_f1),
        macro_mae=None,
        quadratic_kappa=None,
    )


def utility(folder: Path, draw: Draw, tstr: float = 0.81) -> UtilityResult:
    rng = np.random.default_rng(2)
    shown = []
    for index, label in enumerate(CLASSES):
        image = draw(label, rng)
        write_png(folder / "saliency" / f"{index}.png", image)
        for arm, overlay in (("trtr", image[:, :, ::-1]), ("tstr", 255 - image)):
            file = f"saliency/{arm}-{index}.png"
            write_png(folder / file, overlay)
            shown.append(Explanation(arm, label, "mild", 0.91, f"saliency/{index}.png", file))
    matrices = (((28, 2, 0), (2, 26, 2), (0, 3, 27)), ((26, 4, 0), (4, 22, 4), (0, 5, 25)))
    arms = [
        UtilityArm(
            classification(share(value), share(value - 0.02)), ConfusionMatrix(CLASSES, counts), "random", ()
        )
        for value, counts in zip((0.9, tstr), matrices, strict=True)
    ]
    return UtilityResult(
        classes=CLASSES,
        n_people=30,
        majority_share=1 / 3,
        trtr=arms[0],
        tstr=arms[1],
        tstr_over_trtr_accuracy=Score(tstr / 0.9, 0.8, 1.0, 90, True),
        explanations=tuple(shown),
    )


def data_mix(folder: Path) -> DataMixResult:
    """Real faces, synthetic ones, and two mixes, each trained twice; the larger mix helps."""
    counts = ConfusionMatrix(CLASSES, ((50, 5, 5), (4, 52, 4), (6, 2, 52)))

    def scores(name: str, accuracy: float, tones: bool = True) -> ArmScores:
        apart = Score(accuracy - 0.8, accuracy - 0.85, accuracy - 0.75, 90, True)
        return ArmScores(
            name=name,
            scores=classification(share(accuracy), share(accuracy - 0.02)),
            by_tone={"light": ToneScores(share(accuracy, 30), None)} if tones else {},
            confusion=counts,
            difference=None if name in ("trtr", "tsts") else Difference(classification(apart, apart), {}),
        )

    arms = []
    for name, tests, real, synthetic, ratio, accuracy in (
        ("real", ("trtr", "trts"), 60, 0, 0.0, 0.8),
        ("synthetic", ("tstr", "tsts"), 0, 200, None, 0.7),
        ("real+1x", ("real+1x",), 60, 60, 1.0, 0.82),
        ("real+5x", ("real+5x",), 60, 200, 5.0, 0.9),
    ):
        trainings = tuple(f"{name}-seed-{seed}" for seed in (0, 1))
        for training in trainings:
            step(folder / "trainings", training, "train-classifier", train_classifier)
        arms.append(
            ArmResult(
                name=name,
                description=f"what {name} means",
                ratio=ratio,
                faces=real + synthetic,
                real=real,
                synthetic=synthetic,
                by_class={},
                shortages={"severe": Shortage(20, 100)} if name == "real+5x" else {},
                steps=(9, 9),
                seconds=1.0,
                trainings=trainings,
                on_real=scores(tests[0], accuracy),
                on_synthetic=scores(tests[1], accuracy, tones=False) if len(tests) > 1 else None,
            )
        )
    return DataMixResult(
        classes=CLASSES,
        backbone="resnet18",
        weights="random",
        seeds=2,
        lengths="steps",
        n_people=30,
        majority_share=1 / 3,
        arms=tuple(arms),
        warnings=(),
        notes=(),
    )


def fidelity() -> FidelityResult:
    rng = np.random.default_rng(3)

    def distances(kernel: float, frechet: float, precision: float) -> SetDistances:
        def score(value: float, better: bool = False) -> Score:
            return Score(value, value * 0.8, value * 1.2, 300, better, "300 faces")

        return SetDistances(
            kernel=score(kernel),
            rbf=None,
            precision=score(precision, True),
            recall=None,
            density=None,
            coverage=None,
            frechet=score(frechet),
            frechet_infinity=None,
        )

    part = PartDistances(300, 300, distances(0.021, 18.0, 0.82), distances(0.003, 6.0, 0.93))
    points = tuple(
        Point(which, "mild", float(x), float(y))
        for which in ("real", "synthetic")
        for x, y in rng.normal(size=(120, 2))
    )
    parts = dict.fromkeys(("all", *CLASSES), part)
    extractor = ExtractorDistances({}, parts, Projection((0.2, 0.1), points))
    return FidelityResult({"phantom-encoder": extractor}, ())


def curve(kind: str) -> Iterable[dict[str, float]]:
    for tick in range(1, 30):
        if kind == "train-gan":
            yield {
                "step": tick * 0.2,
                "loss_g": 0.8 + 0.2 * np.sin(tick),
                "loss_d": 1.3 - 0.1 * np.cos(tick / 2),
                "ada_p": min(0.4, tick / 60),
                "ada_sign": 0.6 - 1 / tick,
                "kernel_distance": 0.05 + 1 / tick,
            }
        else:
            loss = 0.3 + 1 / tick
            yield {
                "step": tick,
                "loss": loss,
                "accuracy": 1 - loss / 2,
                "val_loss": loss,
                "val_accuracy": 0.8,
            }


def step(root: Path, name: str, stage: str, fill: Callable[[RunDir], Any], **inputs: Any) -> RunRecord:
    with RunDir.open(root / name, stage, Settings(), inputs) as run:
        result = fill(run)
        if isinstance(result, Result):
            result.save(run.folder / FILE)
        run.finish([])
    return RunRecord.load(root / name)


def train_gan(run: RunDir, draw: Draw) -> None:
    for row in curve("train-gan"):
        run.metrics(**row)
    for kimg in (1.0, 2.5, 5.8):
        sheet = np.stack([draw("mild", np.random.default_rng(seed)) for seed in range(16)])
        write_png(run.folder / "samples" / f"kimg-{kimg:010.3f}.png", grid(sheet, 4))


def train_classifier(run: RunDir) -> None:
    for row in curve("train-classifier"):
        run.metrics(**row)


def make_line(
    root: Path, draw: Draw = draw_face, per_class: int = 12, **results: Any
) -> tuple[RunRecord, ...]:
    """Run folders of a whole recipe; `results` replace the made-up ones of a stage."""
    runs = [step(root, "photos", "ingest", lambda run: ingested(run, draw, per_class))]
    runs.append(step(root, "aligned", "align", lambda run: aligned(run, draw, per_class)))
    runs.append(step(root, "restored", "restore", lambda run: restored(run, draw, per_class)))
    runs.append(step(root, "real-classifier", "train-classifier", train_classifier))
    runs += [
        step(root, f"class-gan-{label}", "train-gan", lambda run: train_gan(run, draw)) for label in CLASSES
    ]

    def screened(run: RunDir) -> None:
        synthetic(run.folder / "faces", draw, per_class, run.folder / "rejected")

    runs.append(
        step(root, "synthetic", "generate", lambda run: synthetic(run.folder / "faces", draw, per_class))
    )
    runs.append(step(root, "released", "screen", screened))
    runs.append(step(root, "sorted", "grade", screened))
    released = FaceSet.load(root / "released" / "faces")
    judged = {"synthetic": released.digest}
    runs.append(
        step(
            root,
            "utility",
            "evaluate utility",
            lambda run: results.get("utility") or utility(run.folder, draw),
        )
    )
    runs.append(step(root, "mix", "evaluate data-mix", lambda run: data_mix(run.folder), **judged))
    runs.append(
        step(
            root, "fidelity", "evaluate fidelity", lambda run: results.get("fidelity") or fidelity(), **judged
        )
    )
    runs.append(step(root, "realism", "evaluate realism", lambda run: realism(run.folder, draw), **judged))
    runs.append(
        step(
            root,
            "audit",
            "audit",
            lambda run: results.get("audit") or audit(run.folder, draw, released),
            **judged,
        )
    )
    with RunDir.open(root / "release", "export", ExportConfig(), {"faces": released.digest}) as run:
        run.finish([export(ExportConfig(), released, audited(released), (), (), run)])
    return (*runs, RunRecord.load(root / "release"))


def realism(folder: Path, draw: Draw) -> RealismResult:
    rng = np.random.default_rng(5)
    examples = {}
    for kind, probability in (("detected", 0.98), ("undetected", 0.07)):
        write_png(folder / "examples" / f"{kind}.png", draw("mild", rng))
        examples[kind] = (Example(f"examples/{kind}.png", "mild", probability),)
    real, synthetic = rng.beta(2, 4, 150), rng.beta(4, 2, 150)
    test = TwoSampleTest(
        auc=Score(0.83, 0.78, 0.88, 300, False, "150 faces against 150"),
        auc_non_members=Score(0.85, 0.77, 0.92, 190, False),
        auc_baseline=Score(0.52, 0.41, 0.62, 150, False),
        real=tuple(real.tolist()),
        synthetic=tuple(synthetic.tolist()),
        most_detected=examples["detected"],
        least_detected=examples["undetected"],
    )
    detector = ManipulationDetection(
        variant="EfficientNetB4",
        auc=Score(0.9, 0.85, 0.95, 300, False),
        real=Score(0.08, 0.04, 0.14, 150),
        synthetic=Score(0.61, 0.5, 0.7, 150),
        edges=tuple(index / 10 for index in range(11)),
        real_counts=tuple(np.histogram(real, 10, (0, 1))[0].tolist()),
        synthetic_counts=tuple(np.histogram(synthetic, 10, (0, 1))[0].tolist()),
    )
    return RealismResult({"mild": 150}, {CNN: test}, detector)


def audit(folder: Path, draw: Draw, faces: FaceSet, passed: bool = True) -> AuditResult:
    """With pictures of worst pairs and repeated faces; the pairs show people."""
    rng, made = np.random.default_rng(4), audited(faces, passed)
    pairs = []
    for index in range(3):
        file = f"pairs/{index:06d}-{index:07d}.png"
        write_png(folder / file, np.hstack([draw("mild", rng), draw("mild", rng)]))
        pairs.append(Pair(index, index, 0.2 + index / 50, "Jane-Doe-001", f"mild-{index}", file))
    attacks = tuple(dataclasses.replace(each, worst=tuple(pairs)) for each in made.attacks)
    write_png(folder / "repeats" / "copy.png", np.hstack([draw("mild", rng) for _ in range(3)]))
    repeats = Repeats("copy", 0.1, 30, 3, 1, Score(0.1, n=30), (), "repeats/copy.png")
    tone = ToneAttack("dark", attacks[0])
    return dataclasses.replace(made, attacks=attacks, repeats=(repeats,), tones=(tone,))
