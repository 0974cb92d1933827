"""The data type of the networks' computations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from anonderm.models.stylegan2.architecture import Precision

if TYPE_CHECKING:
    from anonderm.models.stylegan2.discriminator import Discriminator
    from anonderm.models.stylegan2.generator import Generator


def use_precision(precision: Precision, *networks: Generator | Discriminator) -> None:
    """Set the type of feature maps and convolutions above the smallest size; weights stay in float32."""
    for network in networks:
        device = next(network.parameters()).device
        network.compute = torch.bfloat16 if _is_bfloat16(precision, device) else None


def _is_bfloat16(precision: Precision, device: torch.device) -> bool:
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and _cpu_has_bfloat16_units()


def _cpu_has_bfloat16_units() -> bool:
    """AMX or AVX512-BF16; on other CPUs bfloat16 is emulated, and slower than float32."""
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
