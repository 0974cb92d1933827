"""Training NVIDIA's StyleGAN2: their networks, loss and augmentation from a checkout, with our settings.

None of their code is part of this package. The modules are imported from the user's checkout; this file calls
them in the order of their training loop.
"""

# N images of a batch, H x W pixels

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import reference
import torch
from torch import Tensor

from anonderm.gan.config import Preset, StepSettings
from anonderm.gan.phases import ADA_INTERVAL
from anonderm.gan.training_state import PATH_LENGTH_INTERVAL, R1_INTERVAL
from anonderm.models.stylegan2.checkpoint import DISCRIMINATOR, GENERATOR
from anonderm.models.stylegan2.third_party.pytorch_networks import discriminator_tensor, generator_tensor

# Phases in their order: the network to train, and the interval in steps, which multiplies the gradients.
PHASES = {
    "Gmain": ("G", 1),
    "Greg": ("G", PATH_LENGTH_INTERVAL),
    "Dmain": ("D", 1),
    "Dreg": ("D", R1_INTERVAL),
}

_EMA_RAMP = 0.05
_AUGMENT = {
    "blit": ("xflip", "rotate90", "xint"),
    "geometry": ("scale", "rotate", "aniso", "xfrac"),
    "colour": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
}


class ReferenceGan:
    """Both networks, the moving average, the optimisers and the augmentation.

    On a GPU, with their plugins (if they build) and float16, as in their training; on a CPU, in float32.
    """

    def __init__(self, checkout: Path, preset: Preset, settings: StepSettings, size: int, device: str):
        self.networks = reference.use(checkout)
        self.preset, self.settings = preset, settings
        self.size, self.device = size, torch.device(device)
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            for name in ("conv2d_gradfix", "grid_sample_gradfix"):
                operator: Any = importlib.import_module(f"torch_utils.ops.{name}")
                operator.enabled = True
        self.G, self.D = self._generator(), self._discriminator()
        for network in (self.G, self.D):
            network.train().requires_grad_(False).to(self.device)
        self.average = copy.deepcopy(self.G).eval()
        self.pipe = self._augmentation()
        self.loss = self._loss()
        self._optimisers = {
            "G": self._adam(self.G, PATH_LENGTH_INTERVAL),
            "D": self._adam(self.D, R1_INTERVAL),
        }
        self._signs = importlib.import_module("torch_utils.training_stats").Collector("Loss/signs/real")
        self.step = 0

    @property
    def _is_newer(self) -> bool:
        return self.networks.__name__.endswith("stylegan2")

    def _shape(self) -> dict[str, Any]:
        cuda = self.device.type == "cuda"
        half = {"num_fp16_res": 4 if cuda else 0, "conv_clamp": 256 if cuda else None}
        return {"channel_base": self.preset.channel_base, "channel_max": self.preset.channel_max, **half}

    def _generator(self) -> Any:
        options = self._shape() if self._is_newer else {"synthesis_kwargs": self._shape()}
        return self.networks.Generator(
            z_dim=self.preset.z_dim,
            w_dim=self.preset.z_dim,
            mapping_kwargs={"num_layers": self.preset.mapping_layers},
            c_dim=0,
            img_resolution=self.size,
            img_channels=3,
            **options,
        )

    def _discriminator(self) -> Any:
        group = {"mbstd_group_size": self.preset.deviation_group}
        common = {"c_dim": 0, "img_resolution": self.size, "img_channels": 3}
        return self.networks.Discriminator(**common, **self._shape(), epilogue_kwargs=group)

    def _augmentation(self) -> Any:
        names = [name for group in self.settings.augment for name in _AUGMENT[group]]
        pipe = importlib.import_module("training.augment").AugmentPipe(**dict.fromkeys(names, 1))
        pipe.p.fill_(self.settings.augment_p or 0.0)
        return pipe.train().requires_grad_(False).to(self.device)

    def _loss(self) -> Any:
        loss = importlib.import_module("training.loss").StyleGAN2Loss
        shared = {
            "augment_pipe": self.pipe,
            "r1_gamma": self.settings.r1_gamma,
            "style_mixing_prob": self.settings.style_mixing,
            "pl_weight": self.settings.path_length_weight,
        }
        if self._is_newer:
            return loss(self.device, G=self.G, D=self.D, **shared)
        return loss(self.device, G_mapping=self.G.mapping, G_synthesis=self.G.synthesis, D=self.D, **shared)

    def _adam(self, network: Any, interval: int) -> torch.optim.Adam:
        ratio = interval / (interval + 1)
        rate = self.preset.learning_rate * ratio
        return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.0, 0.99**ratio), eps=1e-8)

    @torch.no_grad()
    def start_from(self, tensors: dict[str, Tensor]) -> None:
        """Copy the tensors of one of our checkpoints into both networks and the moving average."""
        for network, prefix, as_ours in (
            (self.G, GENERATOR, generator_tensor),
            (self.average, GENERATOR, generator_tensor),
            (self.D, DISCRIMINATOR, discriminator_tensor),
        ):
            for name, theirs in [*network.named_parameters(), *network.named_buffers()]:
                if not name.endswith("resample_filter"):
                    ours, view = as_ours(name, theirs, self.size)
                    view.copy_(tensors[f"{prefix}{ours}"])

    def train_step(self, real_N3HW: Tensor) -> None:
        """Run the phases that are due, and update the moving average and the augmentation probability."""
        for name, (_, interval) in PHASES.items():
            if self.step % interval == 0:
                self.phase(name, real_N3HW)
        self.update_average()
        self.step += 1
        if self.step % ADA_INTERVAL == 0 and self.settings.augment_p is None:
            self._adjust_augmentation()

    def phase(self, name: str, real_N3HW: Tensor) -> None:
        """Compute the gradients of one phase on new latents, and step the optimiser."""
        key, interval = PHASES[name]
        network = self.G if key == "G" else self.D
        z = torch.randn(len(real_N3HW), self.preset.z_dim, device=self.device)
        none = torch.zeros(len(real_N3HW), 0, device=self.device)
        network.requires_grad_(True)
        extra = {"cur_nimg": self.step * self.settings.batch} if self._is_newer else {"sync": True}
        self.loss.accumulate_gradients(
            phase=name, real_img=real_N3HW, real_c=none, gen_z=z, gen_c=none, gain=interval, **extra
        )
        network.requires_grad_(False)
        for parameter in network.parameters():
            if parameter.grad is not None:
                torch.nan_to_num(parameter.grad, nan=0, posinf=1e5, neginf=-1e5, out=parameter.grad)
        self._optimisers[key].step()
        self._optimisers[key].zero_grad(set_to_none=True)

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average; its half-life is at most 5% of the images so far."""
        half_life = min(self.settings.ema_images, self.step * self.settings.batch * _EMA_RAMP)
        kept = 0.5 ** (self.settings.batch / max(half_life, 1e-8))
        for own, other in zip(self.average.parameters(), self.G.parameters(), strict=True):
            own.copy_(other.lerp(own, kept))
        for own, other in zip(self.average.buffers(), self.G.buffers(), strict=True):
            own.copy_(other)

    def _adjust_augmentation(self) -> None:
        self._signs.update()
        towards = np.sign(self._signs["Loss/signs/real"] - self.settings.ada_target)
        change = towards * self.settings.batch * ADA_INTERVAL / self.settings.ada_images
        self.pipe.p.copy_((self.pipe.p + change).clamp(min=0))
