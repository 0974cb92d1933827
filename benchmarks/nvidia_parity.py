"""Compare the images of import-gan with NVIDIA's: networks with random weights, in their code and in ours.

python benchmarks/nvidia_parity.py --reference PATH [--sizes 64 256 1024]

PATH is a checkout of NVlabs/stylegan3 or NVlabs/stylegan2-ada-pytorch, whose licence allows non-commercial
use only; none of it is part of this package. Their code creates G and D with random weights, noise strengths
and mean w, and pickles them as their training does; import-gan reads that file. Both then generate seeds 0 to
15 at psi 0.7 with constant noise in float32, and compute the logits of the same images. A TensorFlow pickle
with random variables is read by their converter and by import-gan. The result is written after every row.
"""

from __future__ import annotations

import argparse
import importlib
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import results
import torch
from reference import use

from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.checkpoint import load_discriminator, load_generator
from anonderm.models.stylegan2.discriminator import new_discriminator
from anonderm.models.stylegan2.generator import new_generator, to_pixels
from anonderm.models.stylegan2.sampling import draw_faces
from anonderm.models.stylegan2.third_party.config import ImportGanConfig
from anonderm.models.stylegan2.third_party.importer import import_gan

_SEEDS = range(16)
_PSI = 0.7
_CLASSES = 3


def _randomise(*networks: torch.nn.Module) -> None:
    """Neutral initial values and clipped colours would hide errors."""
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for network in networks:
            for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
                if name.endswith("noise_strength"):
                    tensor.copy_(torch.rand((), generator=random))
                elif name.endswith(("bias", "w_avg")):
                    tensor += 0.2 * torch.randn(tensor.shape, generator=random)
                elif name.endswith("torgb.weight"):
                    tensor *= 0.15


def compare(theirs: Any, size: int, conditional: bool, scratch: Path) -> dict[str, Any]:
    """One pair of networks: the largest differences of pixels and of logits."""
    torch.manual_seed(size)
    classes = _CLASSES if conditional else 0
    full = {"channel_base": 32768 if size > 256 else 16384, "channel_max": 512, "conv_clamp": 256}
    older = theirs.__name__ == "training.networks"
    options = {"synthesis_kwargs": full} if older else full
    common = {"c_dim": classes, "img_resolution": size, "img_channels": 3}
    generator = theirs.Generator(z_dim=512, w_dim=512, mapping_kwargs={"num_layers": 8}, **common, **options)
    discriminator = theirs.Discriminator(**common, **full)
    _randomise(generator, discriminator)
    content = {
        "G": generator,
        "D": discriminator,
        "G_ema": generator,
        "augment_pipe": None,
        "training_set_kwargs": {},
    }
    (scratch / "net.pkl").write_bytes(pickle.dumps(content))
    return {
        "size": size,
        "classes": classes,
        **_differences(generator.eval(), discriminator.eval(), scratch, 1 if conditional else None),
    }


@torch.no_grad()
def _differences(
    generator: Any, discriminator: Any, scratch: Path, class_index: int | None
) -> dict[str, Any]:
    """Their networks in memory against what import-gan makes of scratch/net.pkl."""
    checkpoint = import_gan(ImportGanConfig(scratch / "net.pkl", scratch / "net.safetensors"))
    ours, our_discriminator = load_generator(checkpoint), load_discriminator(checkpoint)
    label = torch.zeros(1, generator.c_dim)
    if class_index is not None:
        label[:, class_index] = 1
    images = torch.cat([_their_image(generator, seed, label) for seed in _SEEDS])
    drawn = np.concatenate(
        [draw_faces(ours, [seed], [_PSI] * ours.style_layers, "const", class_index) for seed in _SEEDS]
        if generator.img_resolution > 512
        else [draw_faces(ours, list(_SEEDS), [_PSI] * ours.style_layers, "const", class_index)]
    )
    expected = to_pixels(images)
    logits, our_logits = [], []
    for four in images.split(4):
        labels = label.expand(len(four), -1)
        logits.append(discriminator(four, labels, force_fp32=True)[:, 0])
        our_logits.append(our_discriminator(four, labels if class_index is not None else None))
    difference = np.abs(expected.astype(int) - drawn)
    logit, our_logit = torch.cat(logits), torch.cat(our_logits)
    return {
        "largest_pixel_difference": int(difference.max()),
        "pixels_that_differ": float(f"{(difference > 0).mean():.2g}"),
        "pixels_at_0_or_255": float(f"{np.isin(expected, (0, 255)).mean():.2g}"),
        "spread_of_pixels": round(float(expected.std()), 1),
        "largest_logit_difference": float(f"{(logit - our_logit).abs().max():.2g}"),
        "spread_of_logits": float(f"{logit.std():.2g}"),
    }


def _their_image(generator: Any, seed: int, label: torch.Tensor) -> torch.Tensor:
    z = torch.from_numpy(np.random.RandomState(seed).randn(1, generator.z_dim))
    return generator(z, label, truncation_psi=_PSI, noise_mode="const", force_fp32=True)


def compare_tensorflow(scratch: Path, version: int, conditional: bool) -> dict[str, Any]:
    """A TensorFlow-era pickle, read by their converter and by ours."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests/gan/foreign"))
    import field_pickles  # the layout fixture of the tests

    legacy = importlib.import_module("legacy")
    classes = tuple(str(index) for index in range(_CLASSES)) if conditional else ()
    arch = Architecture(64, 2048, 64, 64, 64, 4, classes=classes, label_layers=2)
    random = torch.Generator().manual_seed(version)
    networks = new_generator(arch, random), new_discriminator(arch, random)
    with torch.no_grad():
        for name, tensor in networks[0].state_dict().items():
            if name.endswith(("noise_strength", "w_average", "bias")):
                tensor += 0.3 * torch.randn(tensor.shape, generator=random)
    trio = field_pickles.tensorflow_networks(*networks, version)
    if conditional:
        trio[1].state["static_kwargs"] |= {"mapping_layers": 2, "mapping_fmaps": arch.label_size}
    sizes = {"latent_size": arch.z_dim, "dlatent_size": arch.w_dim, "fmap_max": arch.channel_max}
    trio[2].state["static_kwargs"] |= sizes | {"mapping_fmaps": arch.w_dim}
    trio[1].state["static_kwargs"] |= {"fmap_max": arch.channel_max}
    (scratch / "net.pkl").write_bytes(field_pickles.dumped(trio))
    with (scratch / "net.pkl").open("rb") as file:
        theirs = legacy.load_network_pkl(file)
    return {
        "version": version,
        "classes": len(classes),
        **_differences(theirs["G_ema"], theirs["D"], scratch, 1 if conditional else None),
    }


def _commit(reference: Path) -> str | None:
    command = ["git", "-C", str(reference), "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    inside = (reference / ".git").exists()
    return done.stdout.strip() if inside and done.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 1024])
    arguments = parser.parse_args()
    theirs = use(arguments.reference)
    newer = theirs.__name__ == "training.networks_stylegan2"
    cases = [(size, conditional) for size in arguments.sizes for conditional in (False, True)]
    rows: dict[str, list[dict[str, Any]]] = {"tensorflow_pickles_read_by_both": [], "random_weights": []}
    with tempfile.TemporaryDirectory() as folder:
        for version, conditional in ((4, False), (5, True)) if newer else ():
            row = compare_tensorflow(Path(folder), version, conditional)
            rows["tensorflow_pickles_read_by_both"].append(row)
        for size, conditional in cases:
            if size <= 256 or not conditional:
                rows["random_weights"].append(compare(theirs, size, conditional, Path(folder)))
                _report(arguments.reference, newer, rows)


def _report(reference: Path, newer: bool, rows: dict[str, list[dict[str, Any]]]) -> None:
    worst = max(row["largest_pixel_difference"] for group in rows.values() for row in group)
    about = {
        "reference": "stylegan3" if newer else "stylegan2-ada-pytorch",
        "reference_commit": _commit(reference),
        "seeds": f"0-{_SEEDS[-1]}",
        "psi": _PSI,
        "noise": "const",
        "within_1_of_255": worst <= 1,
    }
    results.write("nvidia_parity" if newer else "nvidia_parity_ada", about | rows)
    if worst > 1:
        sys.exit(f"images differ by up to {worst}")


if __name__ == "__main__":
    main()
