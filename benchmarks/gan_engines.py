"""Two StyleGAN2 engines with one interface: ours, and NVIDIA's from a checkout; and how they are timed.

Both train channel_base 16384, channel_max 512, 8 mapping layers, with augmentation bgc at p = 0.3, mirrored
images, R1 and path length. Ours generates one batch of fakes for both D and G, theirs one for each.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from reference_gan import ReferenceGan

from anonderm.core import launch
from anonderm.gan import phases
from anonderm.gan.config import Preset, TrainGanConfig, architecture, step_settings
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import new_networks, new_state
from anonderm.models.stylegan2.generator import to_pixels
from anonderm.models.stylegan2.precision import use_precision
from anonderm.models.stylegan2.sampling import draw_faces

_RATE, _P, _GAMMA = 0.0025, 0.3, 1.0
_CONFIG = TrainGanConfig(augment_p=_P, r1_gamma=_GAMMA)

Seconds = dict[str, tuple[float, float]]
"""Of each phase: wall-clock and processor seconds."""


def _preset(batch: int) -> Preset:
    return Preset(16384, 512, z_dim=512, mapping_layers=8, batch=batch, learning_rate=_RATE)


class Clock:
    """Sums the time of phases; the time of a nested phase does not count for the outer one."""

    def __init__(self) -> None:
        self.seconds: Seconds = {}

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        start, before = _now(), _total(self.seconds)
        result = work()
        end, inner = _now(), _total(self.seconds)
        old = self.seconds.get(name, (0.0, 0.0))
        spent = (old[i] + end[i] - start[i] - (inner[i] - before[i]) for i in (0, 1))
        self.seconds[name] = tuple(spent)  # type: ignore[assignment]
        return result


def _now() -> tuple[float, float]:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def _total(seconds: Seconds) -> tuple[float, float]:
    return sum(wall for wall, _ in seconds.values()), sum(cpu for _, cpu in seconds.values())


def peak_memory_gb() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


class Ours:
    """This package."""

    def __init__(self, size: int, batch: int, precision: Any) -> None:
        launch.keep_freed_memory()
        device, self.batch = launch.device(), batch
        preset = _preset(batch)
        self.settings = step_settings(_CONFIG, preset, size)
        pixels = torch.randint(0, 256, (4 * batch, 3, size, size), dtype=torch.uint8, device=device)
        self.images = TrainingImages(pixels, None, 0)
        networks = new_networks(architecture(preset, size, ()), 0, device)
        use_precision(precision, *networks)
        self.state = new_state(*networks, _RATE, path_lengths=True)
        self.state.augment.p = _P

    def train(self) -> Seconds:
        """One step with all four phases; time outside the other phases counts as G."""
        clock, names = Clock(), {"_discriminator_phase": "D", "_r1_phase": "R1", "_path_length_phase": "PL"}
        plain = {function: getattr(phases, function) for function in names}
        for function, name in names.items():
            setattr(phases, function, _timed(clock, name, plain[function]))
        self.state.step = 0
        clock.time("G", lambda: phases.train_step(self.state, self.images, self.settings))
        for function, original in plain.items():
            setattr(phases, function, original)
        return clock.seconds

    def generate(self) -> Seconds:
        """A batch of images, as uint8 on the CPU."""
        clock, generator = Clock(), self.state.average
        psi = [0.8] * generator.style_layers
        clock.time("generate", lambda: draw_faces(generator, range(self.batch), psi))
        return clock.seconds


def _timed(clock: Clock, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: clock.time(name, lambda: function(*arguments))


class Theirs:
    """NVIDIA's networks, loss and augmentation; on a GPU with their plugins and float16, as they train."""

    def __init__(self, size: int, batch: int, checkout: Path) -> None:
        self.device, self.batch = torch.device(launch.device()), batch
        preset = _preset(batch)
        self.gan = ReferenceGan(checkout, preset, step_settings(_CONFIG, preset, size), size, launch.device())
        self.images = torch.rand(batch, 3, size, size, device=self.device) * 2 - 1

    def train(self) -> Seconds:
        """Each of the four phases once."""
        clock = Clock()
        for name, phase in (("G", "Gmain"), ("PL", "Greg"), ("D", "Dmain"), ("R1", "Dreg")):
            clock.time(name, lambda p=phase: self._phase(p))  # type: ignore[misc]
        return clock.seconds

    def _phase(self, phase: str) -> None:
        mirrored = torch.rand(self.batch, 1, 1, 1, device=self.device) < 0.5
        self.gan.phase(phase, torch.where(mirrored, self.images.flip(3), self.images))
        if phase == "Gmain":
            self.gan.update_average()

    def generate(self) -> Seconds:
        """A batch of images, as uint8 on the CPU."""
        clock = Clock()

        @torch.no_grad()
        def draw() -> None:
            z = torch.randn(self.batch, 512, device=self.device)
            none = torch.zeros(self.batch, 0, device=self.device)
            to_pixels(self.gan.G(z, none, truncation_psi=0.8, noise_mode="random").float())

        clock.time("generate", draw)
        return clock.seconds
