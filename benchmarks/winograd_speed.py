"""Training and generation speed with Winograd convolutions, without them, and without large tiles.

python benchmarks/winograd_speed.py [--cases demo small paper] [--isa native avx2] [--rounds 3]

demo: the GAN of recipes/phantom.toml. small: the preset, at 128 px. paper: channel_base 16384, channel_max
512, batch 16, at 64 px. The variants take turns in one process on one thread; the first round is a warm-up.
Ratios are of processor time to that of `with`, round by round: median, minimum, maximum; above 1 it is slower
without. A training step has each phase as often as it is scheduled. Peak memory is that of a process for one
variant. avx2 restricts the libraries to AVX2. `gflops` are the rates of matrix products and of library
convolutions, which determine the ratio.

results/winograd_parts.json measures an earlier version, which also used it for layers with stride 2 and kept
transforms for the gradients: both cost more memory than they were worth in time.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from unittest import mock

import gan_engines
import results
import torch
import torch.nn.functional as F

from anonderm.core import launch
from anonderm.gan.config import PRESETS, TrainGanConfig, architecture, step_settings
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import new_networks, new_state
from anonderm.models.stylegan2 import winograd
from anonderm.models.stylegan2.precision import use_precision
from anonderm.models.stylegan2.sampling import BATCH, draw_faces

_WEIGHTS = {"D": 1.0, "G": 1.0, "PL": 1 / 4, "R1": 1 / 16}
_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
_P = 0.1  # augmentation costs the same for every p above zero
_CLASSES = ("healthy", "mild", "moderate", "severe")
_PAPER = replace(PRESETS["paper256"], batch=16, deviation_group=4)
# Preset, resolution, classes, configuration.
CASES = {
    "demo": (PRESETS["tiny"], 64, _CLASSES, TrainGanConfig(augment_p=_P, path_length_weight=0.0)),
    "small": (PRESETS["small"], 128, (), TrainGanConfig(augment_p=_P)),
    "paper": (_PAPER, 64, (), TrainGanConfig(augment_p=_P)),
}


def _never(*_: Any, **__: Any) -> None:
    return None


# Replacements in the module winograd.
VARIANTS: dict[str, dict[str, Any]] = {
    "with": {},
    "without": {"choose": _never},
    "without 8 x 8 tiles": {"_MIN_TILES": winograd._MIN_TILES | {8: math.inf}},
}


class Engine(gan_engines.Ours):
    """One of the cases, with random images."""

    def __init__(self, case: str, precision: Any) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(1)
        launch.keep_freed_memory()
        preset, size, classes, config = CASES[case]
        self.settings = step_settings(config, preset, size)
        pixels = torch.randint(0, 256, (64, 3, size, size), dtype=torch.uint8)
        class_N = torch.arange(64) % len(classes) if classes else None
        self.images = TrainingImages(pixels, class_N, len(classes))
        networks = new_networks(architecture(preset, size, classes), 0, "cpu")
        use_precision(precision, *networks)
        self.state = new_state(*networks, preset.learning_rate, config.path_length_weight > 0)
        self.state.augment.p = _P

    def generate(self) -> gan_engines.Seconds:
        """A batch of images, as uint8 on the CPU."""
        clock, generator = gan_engines.Clock(), self.state.average
        psi, index = [0.8] * generator.style_layers, 0 if generator.arch.classes else None
        clock.time("generate", lambda: draw_faces(generator, range(BATCH), psi, class_index=index))
        return clock.seconds


def _seconds(engine: Engine, request: str, variant: str) -> float:
    """Processor seconds of an average training step, or of generating 16 faces."""
    with mock.patch.multiple(winograd, **VARIANTS[variant]) if VARIANTS[variant] else nullcontext():
        phases = getattr(engine, request)()
    return sum(cpu * _WEIGHTS.get(name, 1.0) for name, (_, cpu) in phases.items())


def times(case: str, precision: str, request: str, rounds: int, variants: list[str]) -> dict[str, Any]:
    """Median seconds, and the ratios of the other variants to the first."""
    engine = Engine(case, precision)
    first, *others = variants
    repeats = 5 if case == "demo" or request == "generate" else 1
    seconds: list[dict[str, float]] = []
    for _ in range(rounds + 1):
        turn = dict.fromkeys(variants, 0.0)
        for _ in range(repeats):
            for variant in variants:
                turn[variant] += _seconds(engine, request, variant) / repeats
        seconds.append(turn)
    del seconds[0]  # warm-up
    return {
        "seconds": {name: round(statistics.median(turn[name] for turn in seconds), 4) for name in variants},
        "ratio": {name: _spread([turn[name] / turn[first] for turn in seconds]) for name in others},
    }


def _spread(values: list[float]) -> list[float]:
    return [round(value, 3) for value in (statistics.median(values), min(values), max(values))]


def peak_gb(case: str, precision: str, request: str, variant: str) -> float:
    """The peak memory of a process that does nothing else."""
    engine = Engine(case, precision)
    _seconds(engine, request, variant)
    return round(gan_engines.peak_memory_gb(), 2)


def gflops() -> dict[str, int]:
    """Float32 operations per second: matrix products as winograd.py needs them, and a convolution."""
    torch.set_num_threads(1)
    one_TI, other_IO = torch.randn(36, 256, 512), torch.randn(36, 512, 512)
    x = torch.randn(16, 512, 16, 16).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(512, 512, 3, 3).contiguous(memory_format=torch.channels_last)
    return {
        "bmm": _rate(lambda: torch.bmm(one_TI, other_IO), 2 * 36 * 256 * 512 * 512),
        "conv2d": _rate(lambda: F.conv2d(x, weight, padding=1), 2 * 9 * 512 * 512 * 16 * 256),
    }


def _rate(work: Callable[[], Any], operations: int) -> int:
    seconds = []
    for _ in range(9):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return round(operations / statistics.median(seconds) / 1e9)


def _apart(isa: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function in a separate process that is restricted to these instructions."""
    context = multiprocessing.get_context("spawn")
    extra = {"OMP_NUM_THREADS": "1"} | (_AVX2 if isa == "avx2" else {})
    with mock.patch.dict(os.environ, extra), ProcessPoolExecutor(1, context) as process:
        return process.submit(function, *arguments).result()


def measure(isa: str, case: str, precision: str, request: str, rounds: int) -> dict[str, Any]:
    """A row of the result; bfloat16 never uses Winograd convolutions."""
    variants = list(VARIANTS)[: 2 if precision == "bfloat16" else None]
    row = {"isa": isa, "case": case, "precision": precision, "what": request}
    row |= _apart(isa, times, case, precision, request, rounds, variants)
    peaks = {name: _apart(isa, peak_gb, case, precision, request, name) for name in variants}
    return row | {"peak_gb": peaks}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--isa", nargs="+", default=["native", "avx2"], choices=["native", "avx2"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    rows: list[dict[str, Any]] = []
    rates = {isa: _apart(isa, gflops) for isa in options.isa}
    for isa, case in itertools.product(options.isa, options.cases):
        precisions = ("float32", "bfloat16") if isa == "native" else ("float32",)
        for precision, request in itertools.product(precisions, ("train", "generate")):
            rows.append(measure(isa, case, precision, request, options.rounds))
            results.write("winograd_speed", {"rounds": options.rounds, "gflops": rates, "rows": rows})


if __name__ == "__main__":
    main()
