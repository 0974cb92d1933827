"""Two StyleGAN2 engines with one face: ours, and NVIDIA's from a checkout. What is timed, and how.

Both train channel_base 16384, channel_max 512, 8 mapping layers, with augmentation bgc at p = 0.3, mirrored
images, R1 and path length. Ours makes one batch of fakes for D and G, theirs one for each; that belongs to
the engines.
"""

from __future__ import annotations

import importlib
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import reference
import torch

from anonderm.core import launch
from anonderm.gan import phases
from anonderm.gan.config import Preset, TrainGanConfig, architecture
from anonderm.gan.data import TrainingImages
from anonderm.gan.draw import draw_faces
from anonderm.gan.memory import keep_freed_memory
from anonderm.gan.networks import to_pixels
from anonderm.gan.precision import use_precision
from anonderm.gan.settings import step_settings
from anonderm.gan.state import new_networks, new_state

_CHANNELS = {"channel_base": 16384, "channel_max": 512}
_RATE, _P, _GAMMA = 0.0025, 0.3, 1.0

Seconds = dict[str, tuple[float, float]]
"""Of each phase: on the wall, and of the process's cores."""


class Clock:
    """Adds up the time of phases; nested phases count for themselves alone."""

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
        keep_freed_memory()
        device, self.batch = launch.device(), batch
        preset = Preset(**_CHANNELS, z_dim=512, mapping_layers=8, batch=batch, learning_rate=_RATE)
        self.settings = step_settings(TrainGanConfig(augment_p=_P, r1_gamma=_GAMMA), preset, size)
        pixels = torch.randint(0, 256, (4 * batch, 3, size, size), dtype=torch.uint8, device=device)
        self.images = TrainingImages(pixels, None, 0)
        networks = new_networks(architecture(preset, size, ()), 0, device)
        use_precision(precision, *networks)
        self.state = new_state(*networks, _RATE, path_lengths=True)
        self.state.augment.p = _P

    def train(self) -> Seconds:
        """One step with all four phases; what belongs to no other phase is counted as G's."""
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
        networks = reference.use(checkout)
        self.newer = networks.__name__.endswith("stylegan2")
        self.device, self.batch, self.size = torch.device(launch.device()), batch, size
        cuda = self.device.type == "cuda"
        if cuda:
            torch.backends.cudnn.benchmark = True
            for name in ("conv2d_gradfix", "grid_sample_gradfix"):
                importlib.import_module(f"torch_utils.ops.{name}").enabled = True
        half = {"num_fp16_res": 4 if cuda else 0, "conv_clamp": 256 if cuda else None}
        common = {"c_dim": 0, "img_resolution": size, "img_channels": 3}
        options = {**_CHANNELS, **half}
        mapping = {"num_layers": 8}
        self.G = networks.Generator(
            z_dim=512,
            w_dim=512,
            mapping_kwargs=mapping,
            **common,
            **(options if self.newer else {"synthesis_kwargs": options}),
        )
        self.D = networks.Discriminator(**common, **options, epilogue_kwargs={"mbstd_group_size": 4})
        for network in (self.G, self.D):
            network.train().requires_grad_(False).to(self.device)
        self.loss = self._loss()
        pairs = ((self.G, 4), (self.D, 16))
        self.optimisers = {net: self._adam(net, every) for net, every in pairs}
        self.images = torch.rand(batch, 3, size, size, device=self.device) * 2 - 1
        self.ema = {name: p.clone() for name, p in self.G.named_parameters()}

    def _loss(self) -> Any:
        augment = importlib.import_module("training.augment")
        on = ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac")
        on += ("brightness", "contrast", "lumaflip", "hue", "saturation")
        pipe = augment.AugmentPipe(**dict.fromkeys(on, 1)).train().requires_grad_(False).to(self.device)
        pipe.p.fill_(_P)
        shared = {
            "augment_pipe": pipe,
            "r1_gamma": _GAMMA,
            "style_mixing_prob": 0.9,
            "pl_weight": 2,
        }
        loss = importlib.import_module("training.loss").StyleGAN2Loss
        if self.newer:
            return loss(self.device, G=self.G, D=self.D, **shared)
        return loss(self.device, G_mapping=self.G.mapping, G_synthesis=self.G.synthesis, D=self.D, **shared)

    def _adam(self, network: Any, every: int) -> torch.optim.Adam:
        ratio = every / (every + 1)
        return torch.optim.Adam(network.parameters(), lr=_RATE * ratio, betas=(0.0, 0.99**ratio), eps=1e-8)

    def train(self) -> Seconds:
        """Each of the four phases once."""
        clock = Clock()
        for name, phase, network, gain in (
            ("G", "Gmain", self.G, 1),
            ("PL", "Greg", self.G, 4),
            ("D", "Dmain", self.D, 1),
            ("R1", "Dreg", self.D, 16),
        ):
            clock.time(name, lambda p=phase, n=network, g=gain: self._phase(p, n, g))  # type: ignore[misc]
        return clock.seconds

    def _phase(self, phase: str, network: Any, gain: int) -> None:
        z = torch.randn(self.batch, 512, device=self.device)
        none = torch.zeros(self.batch, 0, device=self.device)
        real = torch.where(
            torch.rand(self.batch, 1, 1, 1, device=self.device) < 0.5, self.images.flip(3), self.images
        )
        network.requires_grad_(True)
        extra = {"cur_nimg": 0} if self.newer else {"sync": True}
        self.loss.accumulate_gradients(
            phase=phase, real_img=real, real_c=none, gen_z=z, gen_c=none, gain=gain, **extra
        )
        network.requires_grad_(False)
        for parameter in network.parameters():
            if parameter.grad is not None:
                torch.nan_to_num(parameter.grad, nan=0, posinf=1e5, neginf=-1e5, out=parameter.grad)
        self.optimisers[network].step()
        self.optimisers[network].zero_grad(set_to_none=True)
        if phase == "Gmain":
            with torch.no_grad():
                for name, parameter in self.G.named_parameters():
                    self.ema[name].copy_(parameter.lerp(self.ema[name], 0.998))

    def generate(self) -> Seconds:
        """A batch of images, as uint8 on the CPU."""
        clock = Clock()

        @torch.no_grad()
        def draw() -> None:
            z = torch.randn(self.batch, 512, device=self.device)
            none = torch.zeros(self.batch, 0, device=self.device)
            to_pixels(self.G(z, none, truncation_psi=0.8, noise_mode="random").float())

        clock.time("generate", draw)
        return clock.seconds
