"""The stage `latents sefa`: closed-form factorisation of the style layers.

L style layers, C channels, D size of w, K directions, N samples. Source: Shen and Zhou 2021, "Closed-form
factorization of latent semantics in GANs" (SeFa).
"""

from pathlib import Path

import torch
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.config import check
from anonderm.core.launch import step_generator
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import SefaConfig
from anonderm.gan.latents.directions import write_results
from anonderm.models.stylegan2.generator import Generator
from anonderm.models.stylegan2.layers import Linear
from anonderm.models.stylegan2.range_options import parse_layers
from anonderm.models.stylegan2.sampling import LoadedGenerator

_SAMPLES = 10_000  # latents for the standard deviation along a direction


def sefa(config: SefaConfig, checkpoint: Checkpoint, run: RunDir) -> list[Path]:
    """Write the directions and a sheet of faces moved along them.

    Raises ConfigError (no such layers or class, too many directions), InputError, BrokenArtefact.
    """
    model = LoadedGenerator.of(checkpoint, config.label)
    generator = model.generator
    size = generator.arch.w_dim
    check(
        config.directions <= size,
        f"directions = {config.directions}: w has {size} dimensions.",
        f"Give a number from 1 to {size}.",
    )
    layers = parse_layers(config.layers, generator.style_layers)
    unit_KD, _ = factorise(generator, layers, config.directions)
    w_ND = model.sample_styles(_SAMPLES, step_generator(0, 0))
    deviation_K = (w_ND @ unit_KD.T).std(dim=0)
    vectors_KD = unit_KD * deviation_K[:, None]
    directions = {f"direction {number}": vector_D for number, vector_D in enumerate(vectors_KD, 1)}
    return write_results(directions, layers, model, config, run)


def factorise(generator: Generator, layers: range, count: int) -> tuple[Tensor, Tensor]:
    """The orthonormal directions [K, D] that change the styles of `layers` most, and by how much [K].

    The styles are A w + b. The unit vectors n that maximise |A n|^2, each orthogonal to the previous ones,
    are the eigenvectors of A^T A with the largest eigenvalues, which equal |A n|^2 (eq. 5 and 6). The sign is
    arbitrary; it is chosen so that the largest entry is positive.
    """
    a_CD = torch.cat([affine.weight for layer in layers for affine in affines(generator)[layer]]).double()
    strength_D, vectors_DD = torch.linalg.eigh(a_CD.T @ a_CD)
    strongest_KD = vectors_DD.T.flip(0)[:count]
    largest_K1 = strongest_KD.abs().argmax(dim=1, keepdim=True)
    signed_KD = strongest_KD * strongest_KD.gather(1, largest_K1).sign()
    return signed_KD.to(generator.w_average), strength_D.flip(0)[:count].to(generator.w_average)


def affines(generator: Generator) -> list[list[Linear]]:
    """The affine layers of each style layer: of its convolution and the to-RGB layer that shares its w."""
    found: list[list[Linear]] = [[generator.first.convolution.style], [generator.first.to_rgb.style]]
    for block in generator.blocks:
        found[-1].append(block.grow.style)
        found += [[block.convolution.style], [block.to_rgb.style]]
    return found
