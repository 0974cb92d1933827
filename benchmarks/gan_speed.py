"""Training and generation speed of our engine and NVIDIA's StyleGAN2, and their peak memory.

python benchmarks/gan_speed.py [--reference PATH] [--sizes 64 128] [--generate 256] [--batch 16] [--rounds 3]
    [--precision auto] [--peak-tflops 989]

PATH is a checkout of NVlabs/stylegan3 or NVlabs/stylegan2-ada-pytorch (non-commercial licence). Each engine
has its own process, and they take turns, round by round, so that other processes on a shared machine affect
both alike. Medians of wall-clock and processor time are reported, and the ratio of processor time on a CPU.
On a GPU, their compiled plugins are used if they build (otherwise their code prints a warning), the ratio is
that of wall-clock time, and --peak-tflops (the dense bf16 peak of the chip) adds the utilisation of our
training, from counted FLOPs. The result is written after every size. For one thread per process, set
OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import gan_engines
import results
import torch
from gan_engines import Ours, Seconds, Theirs

_WEIGHTS = {"G": 1.0, "D": 1.0, "PL": 1 / 4, "R1": 1 / 16}
_WALL, _CPU = 0, 1
# By request and whether it is a GPU; on a CPU, processor time depends less on other processes.
_COMPARED = {
    ("generate", False): "images_per_cpu_second",
    ("generate", True): "images_per_second",
    ("train", False): "cpu_seconds_per_kimg",
    ("train", True): "seconds_per_kimg",
}


def _serve(pipe: Connection, kind: str, size: int, options: argparse.Namespace) -> None:
    """Serve one engine: answer each request with its seconds, until the request is `stop`."""
    torch.manual_seed(0)
    if kind == "ours":
        engine: Any = Ours(size, options.batch, options.precision)
    else:
        engine = Theirs(size, options.batch, options.reference)
    while (request := pipe.recv()) != "stop":
        answer: Any = _tflop(engine) if request == "tflop" else getattr(engine, request)()
        pipe.send(answer)
    pipe.send(gan_engines.peak_memory_gb())


def _tflop(engine: Any) -> float:
    """The operations of an average training step."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        engine.train()
    return counter.get_total_flops() / 1e12


class Engine:
    """An engine in its own process."""

    def __init__(self, kind: str, size: int, options: argparse.Namespace) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, kind, size, options), daemon=True)
        self._process.start()

    def request(self, request: str) -> Any:
        self._pipe.send(request)
        while not self._pipe.poll(1.0):
            if not self._process.is_alive():
                raise SystemExit("an engine's process ended; its message is above.")
        return self._pipe.recv()

    def stop(self) -> float:
        peak = self.request("stop")
        self._process.join()
        return peak


def measure(request: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Both engines in turns: what `request` takes in each, and the ratio."""
    kinds = ["ours", "reference"] if options.reference else ["ours"]
    engines = {kind: Engine(kind, size, options) for kind in kinds}
    rounds: dict[str, list[Seconds]] = {kind: [] for kind in kinds}
    for index in range(options.warm_up + options.rounds):
        for kind, engine in engines.items():
            seconds = engine.request(request)
            print(f"{size} px {request} {kind}: {_brief(seconds)}", flush=True)
            if index >= options.warm_up:
                rounds[kind].append(seconds)
    row: dict[str, Any] = {"size": size}
    tflop = engines["ours"].request("tflop") if request == "train" and options.peak_tflops else None
    for kind, engine in engines.items():
        row[kind] = _summary(rounds[kind], options.batch) | {"peak_memory_gb": round(engine.stop(), 2)}
    if "reference" in row:
        name = _COMPARED[request, torch.cuda.is_available()]
        theirs, ours = row["reference"][name], row["ours"][name]
        row["times_faster"] = round(ours / theirs if request == "generate" else theirs / ours, 2)
    if tflop is not None:
        per_second = tflop / sum(row["ours"]["phase_seconds"].values())
        row["share_of_bf16_peak"] = round(per_second / options.peak_tflops, 3)
    return row


def _brief(seconds: Seconds) -> str:
    return ", ".join(f"{name} {wall:.2f} s ({cpu:.2f} cpu)" for name, (wall, cpu) in seconds.items())


def _summary(rounds: list[Seconds], batch: int) -> dict[str, Any]:
    def median(name: str, which: int) -> float:
        return statistics.median(seconds[name][which] for seconds in rounds)

    if "generate" in rounds[0]:
        return {
            "images_per_second": round(batch / median("generate", _WALL), 3),
            "images_per_cpu_second": round(batch / median("generate", _CPU), 3),
        }
    summary: dict[str, Any] = {}
    for prefix, which in (("", _WALL), ("cpu_", _CPU)):
        phases = {name: median(name, which) for name in _WEIGHTS}
        per_step = sum(phases[name] * weight for name, weight in _WEIGHTS.items())
        summary[f"{prefix}phase_seconds"] = {name: round(value, 3) for name, value in phases.items()}
        summary[f"{prefix}seconds_per_kimg"] = round(per_step * 1000 / batch, 1)
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 128])
    parser.add_argument("--generate", type=int, nargs="*", default=[256])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=1)
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--peak-tflops", type=float)
    options = parser.parse_args()

    rows: dict[str, list[dict[str, Any]]] = {"generation": [], "training": []}
    names = ("batch", "rounds", "warm_up", "precision")
    settings = {name: getattr(options, name) for name in names}
    for kind, request, sizes in (
        ("generation", "generate", options.generate),
        ("training", "train", options.sizes),
    ):
        for size in sizes:
            rows[kind].append(measure(request, size, options))
            results.write("gan_speed", settings | rows)


if __name__ == "__main__":
    main()
