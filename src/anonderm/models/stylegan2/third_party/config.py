"""What the commands import-gan and export-gan are told. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from anonderm.core.config import check
from anonderm.core.names import is_plain

SUFFIXES = (".pt", ".onnx")


@dataclass(frozen=True, slots=True)
class ImportGanConfig:
    """Turn a StyleGAN2 pickle of NVIDIA's programs into a checkpoint; no code in it is ever run."""

    pickle: tyro.conf.Positional[Path]
    """The .pkl of stylegan2-ada-pytorch, stylegan3 (its StyleGAN2 networks) or the TensorFlow StyleGAN2."""
    out: tyro.conf.Positional[Path]
    """The .safetensors to write; its card is written beside it."""
    classes: tuple[str, ...] = ()
    """Names of a conditional network's classes, in its order; 0, 1, ... if not given."""
    label: str | None = None
    """The one class that an unconditional network shows; its faces will have this label."""
    licence: str = ""
    """The licence of the weights; faces that they make carry it on."""

    def __post_init__(self) -> None:
        check(self.out.suffix == ".safetensors", f"{self.out}: the name must end in .safetensors.")
        names = (*self.classes, *([] if self.label is None else [self.label]))
        for name in names:
            check(is_plain(name), f"{name!r} is no plain name for a class.")
        check(len(set(self.classes)) == len(self.classes), "classes must differ from each other.")
        check(not (self.classes and self.label), "classes and label exclude each other.")


@dataclass(frozen=True, slots=True)
class ExportGanConfig:
    """Write a checkpoint's generator for other programs, and check that it draws the same images there."""

    checkpoint: tyro.conf.Positional[str]
    """A GAN checkpoint, the run folder that made one, or phantom-64."""
    out: tyro.conf.Positional[Path]
    """What to write: a name ending in .pt is TorchScript, in .onnx ONNX."""

    def __post_init__(self) -> None:
        fits = self.out.suffix in SUFFIXES
        check(fits, f"{self.out}: the name must end in {' or '.join(SUFFIXES)}, which says what to write.")
