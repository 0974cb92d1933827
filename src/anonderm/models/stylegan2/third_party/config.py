"""Configurations of import-gan and export-gan. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from anonderm.core.config import Settings, check, check_bounds
from anonderm.core.names import is_plain

SUFFIXES = (".pt", ".onnx")


@dataclass(frozen=True, slots=True)
class ImportGanConfig(Settings):
    """Convert a StyleGAN2 pickle of NVIDIA's programs to a checkpoint, without executing any code in it."""

    pickle: tyro.conf.Positional[Path]
    """The .pkl of stylegan2-ada-pytorch, stylegan3 (its StyleGAN2 networks) or the TensorFlow StyleGAN2."""
    out: tyro.conf.Positional[Path]
    """The .safetensors file to write; its card is written next to it."""
    classes: tuple[str, ...] = ()
    """Names of the classes of a conditional network, in its order; default: 0, 1, ..."""
    label: str | None = None
    """The class of an unconditional network, which becomes the label of its faces."""
    licence: str = ""
    """The licence of the weights, which also applies to the faces they generate."""

    def __post_init__(self) -> None:
        check_bounds(self)
        check(
            self.out.suffix == ".safetensors",
            f"{self.out}: the name must end in .safetensors.",
            "As in --out gan.safetensors.",
        )
        names = (*self.classes, *([] if self.label is None else [self.label]))
        for name in names:
            check(
                is_plain(name),
                f"{name!r} is not a plain name for a class.",
                "Give a word such as mild, without slashes or other signs that file names cannot hold.",
            )
        check(
            len(set(self.classes)) == len(self.classes),
            "classes must differ from each other.",
            "Name each class once.",
        )
        check(
            not (self.classes and self.label),
            "classes and label exclude each other.",
            "Give --classes for a conditional network, --label for one of a single class.",
        )


@dataclass(frozen=True, slots=True)
class ExportGanConfig(Settings):
    """Write the generator of a checkpoint for other programs, and check that it generates the same images."""

    checkpoint: tyro.conf.Positional[str]
    """A GAN checkpoint, a run folder that contains one, or phantom-64."""
    out: tyro.conf.Positional[Path]
    """The file to write: TorchScript if its name ends in .pt, ONNX if it ends in .onnx."""

    def __post_init__(self) -> None:
        check_bounds(self)
        check(
            self.out.suffix in SUFFIXES,
            f"{self.out}: the name must end in {' or '.join(SUFFIXES)}.",
            "The ending selects the format.",
        )
