"""A generator loaded from a checkpoint, for one class.

N faces, L style layers, D size of w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, resize, square
from anonderm.core.rundir import RunDir
from anonderm.models.stylegan2 import sampling
from anonderm.models.stylegan2.allocator import keep_freed_memory
from anonderm.models.stylegan2.checkpoint import load_generator
from anonderm.models.stylegan2.generator import Generator
from anonderm.models.stylegan2.range_options import psi_by_layer

_MAPPING_BATCH = 1000


@dataclass(frozen=True)
class LoadedGenerator:
    """`class_index` is None for an unconditional generator."""

    checkpoint: Checkpoint
    generator: Generator
    class_index: int | None

    @staticmethod
    def of(checkpoint: Checkpoint, label: str | None) -> LoadedGenerator:
        """Raises ConfigError (the class is unknown or must be given), InputError, BrokenArtefact."""
        keep_freed_memory()
        generator = load_generator(checkpoint, launch.device())
        classes = generator.arch.classes
        if not classes and label is None:
            return LoadedGenerator(checkpoint, generator, None)
        if label not in classes:
            known = f"Its classes: {', '.join(classes)}." if classes else "It has no classes: remove --label."
            problem = f"has no class {label!r}" if label else "is conditional and needs a class (--label)"
            raise ConfigError(f"{checkpoint.path.name}: this generator {problem}.", known)
        return LoadedGenerator(checkpoint, generator, classes.index(label))

    @property
    def device(self) -> str:
        return str(self.generator.w_average.device)

    def styles(self, seeds: Sequence[int], psi: float, psi_layers: Sequence[str] = ()) -> Tensor:
        """w [N, L, D] of each seed, truncated by style layer. Raises ConfigError for a layer it lacks."""
        by_layer = psi_by_layer(psi, psi_layers, self.generator.style_layers)
        return self.generator.truncate(sampling.styles(self.generator, seeds, self.class_index), by_layer)

    @torch.inference_mode()
    def sample_styles(self, count: int, random: torch.Generator) -> Tensor:
        """w [N, D] of random latents, without truncation. random: on the CPU."""
        generator, rows = self.generator, []
        for start in range(0, count, _MAPPING_BATCH):
            size = min(_MAPPING_BATCH, count - start)
            z_NZ = torch.randn(size, generator.arch.z_dim, generator=random).to(self.device)
            rows.append(generator.map(z_NZ, sampling.one_hot(self.class_index, generator, size)))
        return torch.cat(rows)

    def draw(self, w_NLD: Tensor, run: RunDir) -> Pixels:
        """uint8 [N, H, W, 3] with constant noise, so that images differ only by w."""
        rows = []
        with run.bar("drawing faces", len(w_NLD)) as bar:
            for batch_BLD in w_NLD.split(sampling.BATCH):
                rows.append(sampling.synthesise(self.generator, batch_BLD, "const"))
                bar.advance(len(batch_BLD))
        return np.concatenate(rows)


def target_images(faces: FaceSet, size: int) -> Tensor:
    """The largest centred squares [N, 3, size, size] in -1..1."""
    images = np.stack([resize(square(faces.image(face)), size) for face in faces])
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
