"""The command `export-gan`: the generator of a checkpoint as TorchScript or ONNX, compared with this package.

The inputs of the exported network are z [N, Z] (standard normal), with classes also label [N, K] (one-hot),
and psi (a number); its output is images [N, 3, H, W] in -1..1. The noise maps are those stored with the
weights.

N images, Z size of z, K classes, L style layers.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from anonderm.core import progress
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BrokenArtefact, MissingExtra
from anonderm.core.files import atomic_path
from anonderm.models.stylegan2.checkpoint import load_generator
from anonderm.models.stylegan2.generator import Generator, to_pixels
from anonderm.models.stylegan2.third_party.config import ExportGanConfig

_CHECKED = 3  # images; not the two that are traced, which reveals a fixed batch size
_PSI = 0.7


class _Drawing(nn.Module):
    """z (and label) and psi -> images, as one function of tensors."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z_NZ: Tensor, psi: Tensor) -> Tensor:
        return self._draw(z_NZ, None, psi)

    def _draw(self, z_NZ: Tensor, label_NK: Tensor | None, psi: Tensor) -> Tensor:
        generator = self.generator
        w_ND = generator.mapping(z_NZ, label_NK)
        w_ND = generator.w_average + (w_ND - generator.w_average) * psi
        w_NLD = w_ND[:, None].expand(-1, generator.style_layers, -1)
        return generator.synthesise(w_NLD, generator.constant_noise())


class _ConditionalDrawing(_Drawing):
    def forward(self, z_NZ: Tensor, label_NK: Tensor, psi: Tensor) -> Tensor:  # type: ignore[override]
        return self._draw(z_NZ, label_NK, psi)


@torch.no_grad()
def export_gan(config: ExportGanConfig, checkpoint: Checkpoint) -> Path:
    """Write the file, and keep it only if it generates the same images as this package.

    Raises InputError or BrokenArtefact (the checkpoint), MissingExtra (ONNX), BrokenArtefact (other images).
    """
    write, run = _FORMATS[config.out.suffix]()
    generator = load_generator(checkpoint)
    drawing = (_ConditionalDrawing if generator.arch.classes else _Drawing)(generator).eval()
    with progress.bar("exporting", 3) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporters about themselves
        inputs = _inputs(generator, _CHECKED)
        expected = to_pixels(drawing(*inputs))
        bar.advance(note="reference images")
        with atomic_path(config.out) as temporary:
            write(drawing, _inputs(generator, 2), temporary)
            bar.advance(note="written")
            _compare(expected, to_pixels(run(temporary, inputs)), config.out)
        bar.advance(note="checked")
    return config.out


def _inputs(generator: Generator, count: int) -> tuple[Tensor, ...]:
    arch, random = generator.arch, torch.Generator().manual_seed(count)
    z_NZ, psi = torch.randn(count, arch.z_dim, generator=random), torch.tensor(_PSI)
    if not arch.classes:
        return z_NZ, psi
    return z_NZ, torch.eye(len(arch.classes))[torch.arange(count) % len(arch.classes)], psi


def _compare(expected: np.ndarray, drawn: np.ndarray, path: Path) -> None:
    worst = int(np.abs(expected.astype(int) - drawn).max())
    if worst > 1:
        raise BrokenArtefact(
            f"{path}: the exported network generates other images (by up to {worst} of 255); not kept.",
            "Try the other format, and report this with the versions of torch and this package.",
        )


_Write = Callable[[nn.Module, tuple[Tensor, ...], Path], None]
_Run = Callable[[Path, tuple[Tensor, ...]], Tensor]


def _torchscript() -> tuple[_Write, _Run]:
    def write(drawing: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
        torch.jit.save(torch.jit.trace(drawing, inputs, check_trace=False), str(path))

    def run(path: Path, inputs: tuple[Tensor, ...]) -> Tensor:
        return torch.jit.load(str(path))(*inputs)

    return write, run


def _onnx() -> tuple[_Write, _Run]:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise MissingExtra(
            f"ONNX needs {error.name}, which is not installed.",
            "Install it with: pip install 'anonderm[onnx]'",
        ) from error

    def write(drawing: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
        names = ["z", "label", "psi"] if len(inputs) == 3 else ["z", "psi"]
        batch = torch.export.Dim("batch", min=1)
        shapes = tuple({0: batch} if tensor.dim() else {} for tensor in inputs)
        torch.onnx.export(
            drawing,
            inputs,
            str(path),
            input_names=names,
            output_names=["images"],
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )

    def run(path: Path, inputs: tuple[Tensor, ...]) -> Tensor:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        values = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, values)[0])

    return write, run


_FORMATS: dict[str, Callable[[], tuple[_Write, _Run]]] = {".pt": _torchscript, ".onnx": _onnx}
