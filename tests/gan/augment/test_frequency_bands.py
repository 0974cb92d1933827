"""Band amplification: a bank that adds up to one, bands that leave each other alone, kept power."""

from __future__ import annotations

import math

import pytest
import torch

from anonderm.gan.augment import frequency_bands
from anonderm.gan.augment.draw import Draw
from anonderm.gan.batch_split import BatchShare

MANY = 20000


def _draw(p: float, count: int = MANY) -> Draw:
    return Draw(BatchShare.all(count), p, torch.Generator().manual_seed(0))


def _wave(size: int, k: int) -> torch.Tensor:
    """Half-waves that fit the mirrored line: k of them, so k / size of the highest frequency."""
    return (math.pi * k * (torch.arange(size).double() + 0.5) / size).cos()


def test_the_low_pass_is_the_wavelets_autocorrelation() -> None:
    root = math.sqrt(3)
    sym2 = torch.tensor([1 - root, 3 - root, 3 + root, 1 + root], dtype=torch.float64) / math.sqrt(32)
    lags = [float((sym2[lag:] * sym2[: 4 - lag]).sum()) / 2 for lag in range(4)]
    assert lags == pytest.approx(frequency_bands.LOW_PASS[3:], abs=1e-12)


@pytest.mark.parametrize("size", [8, 64])
def test_the_bands_add_up_to_the_image(size: int) -> None:
    bank = frequency_bands._bank(size, torch.float64, torch.device("cpu"))
    assert torch.allclose(bank.sum(0), torch.eye(size, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize(("k", "band"), [(0, 0), (4, 0), (12, 1), (24, 2), (56, 3), (63, 3)])
def test_a_wave_belongs_to_the_band_of_its_octave(k: int, band: int) -> None:
    wave = _wave(64, k)
    response_B = (
        frequency_bands._bank(64, torch.float64, torch.device("cpu")) @ wave @ wave / wave.square().sum()
    )
    assert int(response_B.argmax()) == band
    assert float(response_B[band]) > 0.7


def test_amplifying_one_band_changes_only_that_band(monkeypatch: pytest.MonkeyPatch) -> None:
    gain = torch.tensor([[1.0, 1.0, 1.0, 5.0]])
    monkeypatch.setattr(frequency_bands, "band_gains", lambda draw: gain)
    slow, fast = _wave(64, 3), _wave(64, 62)
    images = torch.stack([slow[:, None] * slow, slow[:, None] * fast, fast[:, None] * fast])[None]
    result = frequency_bands.amplify_bands(images, _draw(1, 1))
    assert torch.allclose(result[:, 0], images[:, 0], atol=1e-3)
    assert torch.allclose(result[:, 1], 5 * images[:, 1], atol=0.02)
    assert torch.allclose(result[:, 2], 25 * images[:, 2], atol=0.2)


def test_gains_keep_the_expected_power_and_are_drawn_for_each_band_with_probability_p() -> None:
    gain_NB = frequency_bands.band_gains(_draw(0.1))
    touched_N = (gain_NB - 1).abs().amax(1) > 1e-5
    assert float(touched_N.float().mean()) == pytest.approx(1 - 0.9**4, abs=0.015)
    power = torch.tensor([10, 1, 1, 1]) / 13
    single_N = ((gain_NB - gain_NB.mode(dim=1).values[:, None]).abs() > 1e-6).sum(1) == 1
    total = (gain_NB[single_N].square() * power).sum(1)
    assert int(single_N.sum()) > 1000
    assert torch.allclose(total, torch.ones_like(total), atol=1e-4)


def test_an_amplitude_varies_by_an_octave() -> None:
    """Every band is amplified; the ratio of two gains is that of their amplitudes."""
    gain_NB = frequency_bands.band_gains(_draw(1.0))
    ratio = (gain_NB[:, 2] / gain_NB[:, 1]).log2()
    assert float(ratio.mean()) == pytest.approx(0, abs=0.05)
    assert float(ratio.std()) == pytest.approx(math.sqrt(2), rel=0.03)
