"""The quality of our GAN engine and NVIDIA's StyleGAN2, trained alike: kernel distance to held-out faces.

python benchmarks/gan_quality.py --reference PATH --faces FOLDER [--base NAME] [--kimg 10] [--seeds 3]

PATH is a checkout of NVlabs/stylegan3 or NVlabs/stylegan2-ada-pytorch (non-commercial licence), FOLDER holds
photos in one sub-folder per class, or is a FaceSet with splits. Both engines train the networks of one
preset, from scratch or from the weights of one base, with its settings, for the same number of kimg, on the
same real batches; --bfloat16 adds our engine in mixed precision (slow on a CPU without bfloat16 units). The
moving average of each then generates 1,000 faces without truncation, which are compared with the validation
and test splits; the distance of the real training faces is the baseline.

Finished trainings are kept in --work and not repeated (to repeat one, delete its folder); an unfinished one
starts over. With --engines, several calls can divide the trainings among them; each call reports all that are
finished. For one thread per process, set OMP_NUM_THREADS=1. Sheets of faces stay in --work, as faces learned
from private photos do not belong in a repository.
"""

# N faces, H x W pixels

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import results
import torch
from reference_gan import ReferenceGan

from anonderm.core import launch, progress
from anonderm.core.faceset import MANIFEST, FaceSet
from anonderm.core.files import write_json
from anonderm.core.images import Pixels, grid, write_png
from anonderm.embeddings.extractors import embed_pixels
from anonderm.gan.batch_split import BatchShare
from anonderm.gan.config import PRESETS, TrainGanConfig, step_settings
from anonderm.gan.random_streams import Purpose, RandomStreams
from anonderm.gan.ticks import Schedule
from anonderm.gan.training_images import load_images, training_faces
from anonderm.ingest.config import IngestConfig
from anonderm.metrics.mmd import kernel_distance
from anonderm.models.stylegan2.architecture import Precision
from anonderm.models.stylegan2.generator import to_pixels
from anonderm.models.stylegan2.sampling import draw_faces
from anonderm.stages import STAGES, open_artefact, run_stage

_FACES = 1000
_SHOWN = 10
_BATCH = 50
_EXTRACTOR = "phantom-encoder"
_PRECISIONS: dict[str, Precision] = {"ours": "float32", "ours-bfloat16": "bfloat16"}


@dataclass(frozen=True)
class Trained:
    """A finished training: its faces [N, H, W, 3], the final augmentation probability, and the time."""

    faces: Pixels
    augment_p: float
    wall_seconds: float
    cpu_seconds: float


def train_ours(config: TrainGanConfig, faces: FaceSet, folder: Path, base: str | None) -> Trained:
    """With the stage train-gan, as a user would."""
    from anonderm.models.stylegan2.checkpoint import load_generator

    stage, inputs = STAGES["train-gan"], {"faces": faces.folder, "base": base}
    run, *seconds = _timed(lambda: run_stage(stage, config, inputs, folder / "run"))
    checkpoint: Any = open_artefact("checkpoint", run.folder)
    generator = load_generator(checkpoint, launch.device())
    drawn = draw_faces(generator, range(_FACES), [1.0] * generator.style_layers)
    return Trained(drawn, run.metrics[-1]["ada_p"], *seconds)


def train_reference(config: TrainGanConfig, faces: FaceSet, checkout: Path, base: str | None) -> Trained:
    """With their modules, on our batches of real faces."""
    training = training_faces(faces, None)
    images = load_images(training, (), launch.device())
    preset = PRESETS[config.preset]
    settings = step_settings(config, preset, images.pixels_N3HW.shape[-1])
    schedule = Schedule.of(config, settings.batch)
    torch.manual_seed(config.seed)
    gan = ReferenceGan(checkout, preset, settings, images.pixels_N3HW.shape[-1], launch.device())
    if base:
        start: Any = open_artefact("checkpoint", base)
        gan.start_from(start.tensors())

    def train() -> None:
        with progress.bar(f"reference, seed {config.seed} (kimg)", schedule.kimg(schedule.steps)) as bar:
            for step in range(schedule.steps):
                random = RandomStreams(config.seed, step, images.pixels_N3HW.device).stream(Purpose.REAL)
                real_N3HW, _ = images.batch(BatchShare.all(settings.batch), settings.mirror, random)
                gan.train_step(real_N3HW.contiguous())
                bar.advance(schedule.kimg(1), note=f"p {float(gan.pipe.p):.2f}")

    _, *seconds = _timed(train)
    return Trained(_their_faces(gan), float(gan.pipe.p), *seconds)


@torch.no_grad()
def _their_faces(gan: ReferenceGan) -> Pixels:
    batches = []
    for start in range(0, _FACES, _BATCH):
        seeds = range(start, start + _BATCH)
        rows = [np.random.RandomState(seed).randn(1, gan.preset.z_dim) for seed in seeds]
        z = torch.from_numpy(np.concatenate(rows)).float().to(gan.device)
        batches.append(to_pixels(gan.average(z, torch.zeros(_BATCH, 0, device=gan.device)).float()))
    return np.concatenate(batches)


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, the wall-clock seconds and the processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


class HeldOutFaces:
    """The embeddings of the real faces that no engine was trained on."""

    def __init__(self, faces: FaceSet) -> None:
        held_out = faces.where(split=("val", "test"))
        self.real_ND = embed_pixels(held_out.pixels(), _EXTRACTOR)
        self.people = [face.person for face in held_out]
        training = training_faces(faces, None)
        own_ND, people = embed_pixels(training.pixels(), _EXTRACTOR), [face.person for face in training]
        self.baseline = kernel_distance(self.real_ND, own_ND, self.people, people)
        self.counts = {"training_faces": len(training), "held_out_faces": len(held_out)}

    def distance(self, faces_NHW3: Pixels) -> float:
        return kernel_distance(self.real_ND, embed_pixels(faces_NHW3, _EXTRACTOR), self.people)


def train(engine: str, seed: int, faces: FaceSet, held_out: HeldOutFaces, work: Path, options: Any) -> None:
    """Run one training; write its first faces and then its row to `work`."""
    folder = _folder(work, engine, seed)
    shutil.rmtree(folder, ignore_errors=True)
    config = TrainGanConfig(
        preset=options.preset,
        kimg=options.kimg,
        tick_kimg=options.kimg,
        precision=_PRECISIONS.get(engine, "float32"),
        samples=1,
        metric_faces=0,
        seed=seed,
    )
    print(f"{engine}, seed {seed}", flush=True)
    if engine == "reference":
        trained = train_reference(config, faces, options.reference, options.base)
    else:
        trained = train_ours(config, faces, folder, options.base)
    write_png(folder / "faces.png", grid(trained.faces[:_SHOWN], columns=_SHOWN))
    row = {
        "kernel_distance": held_out.distance(trained.faces),
        "augment_p": trained.augment_p,
        "seconds_per_kimg": trained.wall_seconds / options.kimg,
        "cpu_seconds_per_kimg": trained.cpu_seconds / options.kimg,
    }
    print(f"{engine}, seed {seed}: {json.dumps(row)}", flush=True)
    write_json(folder / "row.json", row)


def _folder(work: Path, engine: str, seed: int) -> Path:
    return work / f"{engine}-{seed}"


def report(held_out: HeldOutFaces, work: Path, options: Any) -> None:
    """Write the results of all finished trainings."""
    rows: dict[str, list[dict[str, float]]] = {}
    for engine in ("ours", "reference", "ours-bfloat16"):
        paths = [_folder(work, engine, seed) / "row.json" for seed in range(options.seeds)]
        rows[engine] = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    numbers: dict[str, Any] = {
        "reference": options.reference.resolve().name,
        "measure": f"kernel distance of {_FACES} faces to the held-out real ones, {_EXTRACTOR}",
        "preset": options.preset,
        "size": options.size,
        "kimg": options.kimg,
        "base": options.base,
        **held_out.counts,
        "kernel_distance_of_training_faces": _rounded(held_out.baseline),
        "engines": {engine: _summary(finished) for engine, finished in rows.items() if finished},
    }
    for engine, other in (("ours", "reference"), ("ours-bfloat16", "ours"), ("ours-bfloat16", "reference")):
        if len(rows[engine]) > 1 and len(rows[other]) > 1:
            numbers[f"{engine}_minus_{other}"] = _difference(rows[engine], rows[other])
    results.write("gan_quality", numbers)


def _summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    distances = [row["kernel_distance"] for row in rows]
    spread = {"standard_deviation": _rounded(statistics.stdev(distances))} if len(rows) > 1 else {}
    others = {name: _rounded(statistics.mean(row[name] for row in rows)) for name in rows[0]}
    return others | {"kernel_distances": [_rounded(value) for value in distances], **spread}


def _difference(rows: list[dict[str, float]], others: list[dict[str, float]]) -> dict[str, Any]:
    """The difference of the mean distances, with its standard error over the seeds (unequal variances)."""
    first, second = ([row["kernel_distance"] for row in each] for each in (rows, others))
    difference = statistics.mean(first) - statistics.mean(second)
    error = sum(statistics.variance(each) / len(each) for each in (first, second)) ** 0.5
    return {
        "difference": _rounded(difference),
        "standard_error": _rounded(error),
        "not_worse_by_two_standard_errors": difference <= 2 * error,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _face_set(options: Any) -> FaceSet:
    """The FaceSet, or one made from a folder of photos."""
    if (options.faces / MANIFEST).exists():
        return FaceSet.load(options.faces)
    config = IngestConfig(source=options.faces, size=options.size)
    run_stage(STAGES["ingest"], config, {}, options.work / f"faces-{options.size}")
    return FaceSet.load(options.work / f"faces-{options.size}" / "faces")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--preset", default="tiny", choices=list(PRESETS))
    parser.add_argument("--kimg", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--base", help="a GAN checkpoint or its registered name, such as phantom-64")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--engines", nargs="+", choices=["ours", "reference", "ours-bfloat16"])
    parser.add_argument("--work", type=Path, default=Path("gan-quality"))
    options = parser.parse_args()
    faces = _face_set(options)
    options.size = faces.image(faces.faces[0]).shape[0]
    held_out = HeldOutFaces(faces)
    start = Path(options.base or "scratch").stem
    settings = f"{options.preset}-{options.size}px-{options.kimg:g}kimg-{start}-{faces.digest[:8]}"
    engines = options.engines or ["ours", "reference", *(["ours-bfloat16"] if options.bfloat16 else [])]
    for seed in range(options.seeds):
        for engine in engines:
            if not (_folder(options.work / settings, engine, seed) / "row.json").exists():
                train(engine, seed, faces, held_out, options.work / settings, options)
            report(held_out, options.work / settings, options)


if __name__ == "__main__":
    main()
