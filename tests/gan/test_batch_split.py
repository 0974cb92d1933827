"""A batch that is split over passes and processes has the same result as the whole batch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from anonderm.core.distributed import SINGLE, World
from anonderm.core.errors import ConfigError
from anonderm.gan.batch_split import BatchShare, BatchSplit
from anonderm.gan.config import PRESETS, TrainGanConfig, step_settings
from anonderm.gan.phases import WHOLE_BATCH, Values, train_step
from anonderm.gan.random_streams import Purpose, RandomStreams
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import TrainingState, new_networks, new_state
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.discriminator import with_deviation

BATCH = 16
CONFIG = TrainGanConfig(batch=BATCH, r1_gamma=1.0, path_length_weight=2.0, style_mixing=0.9, ada_kimg=1)


@pytest.fixture
def float64() -> Iterator[None]:
    """Rounding is then far below any real difference; in float32 a ReLU that flips spreads to all weights."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _trained(split: BatchSplit, steps: int = 5) -> tuple[TrainingState, list[Values]]:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8, generator=random)
    images = TrainingImages(pixels, torch.randint(0, 2, (20,), generator=random), 2)
    arch = Architecture(16, 128, 16, 16, 16, 2, classes=("mild", "severe"))
    state = new_state(*new_networks(arch, 0, "cpu"), learning_rate=0.002, path_lengths=True)
    state.augment.p = 0.5
    settings = step_settings(CONFIG, PRESETS["tiny"], 16)
    return state, [train_step(state, images, settings, split) for _ in range(steps)]


def _weights(state: TrainingState) -> dict[str, Tensor]:
    networks = {"generator": state.generator, "average": state.average, "discriminator": state.discriminator}
    return {
        f"{name}.{key}": value
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("micro_batch", [8, 4])
def test_passes_of_a_micro_batch_train_the_same_weights(micro_batch: int) -> None:
    """Every phase takes part: R1 and path length twice, ADA, style mixing, classes, mirroring."""
    whole, whole_values = _trained(WHOLE_BATCH)
    passes, values = _trained(BatchSplit.of(BATCH, micro_batch, 4, SINGLE))
    for name, value in _weights(passes).items():
        torch.testing.assert_close(value, _weights(whole)[name], rtol=1e-9, atol=1e-11, msg=name)
    torch.testing.assert_close(values, whole_values, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(passes.path_length_mean, whole.path_length_mean)
    assert passes.augment == whole.augment
    assert {"r1", "path_length"} <= values[0].keys()


def test_a_share_is_grouped_for_the_deviation_statistics_as_in_the_whole_batch() -> None:
    x = torch.randn(BATCH, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    whole = with_deviation(x, 4)
    for share in BatchSplit.of(BATCH, 8, 4, SINGLE).shares(BATCH, grouped=True):
        torch.testing.assert_close(with_deviation(share.of(x), 4), share.of(whole))


@pytest.mark.parametrize(("size", "micro_batch"), [(1, None), (1, 8), (2, None), (2, 4), (4, 4)])
def test_every_image_is_in_one_share_of_one_process(size: int, micro_batch: int | None) -> None:
    splits = [BatchSplit.of(BATCH, micro_batch, 4, World(rank, size)) for rank in range(size)]
    for count, shares in (
        (BATCH, [share for split in splits for share in split.shares(BATCH, grouped=True)]),
        (BATCH // 2, [share for split in splits for share in split.shares(BATCH // 2, grouped=False)]),
    ):
        assert sorted(index for share in shares for index in share.indices) == list(range(count))
        assert sum(share.weight for share in shares) == 1
        numbers = torch.arange(count)
        assert all(share.of(numbers).tolist() == share.indices for share in shares)


def test_the_random_numbers_of_an_image_do_not_depend_on_the_split() -> None:
    streams = RandomStreams(seed=3, step=5, device=torch.device("cpu"))
    whole = streams.normal(Purpose.NOISE, BatchShare.all(BATCH), 1000)
    for share in BatchSplit.of(BATCH, 4, 4, SINGLE).shares(BATCH, grouped=True):
        assert torch.equal(streams.normal(Purpose.NOISE, share, 1000), share.of(whole))
    assert abs(float(whole.mean())) < 0.05
    assert float(whole.std()) == pytest.approx(1, abs=0.05)


def test_no_two_streams_are_equal() -> None:
    streams = [RandomStreams(seed, step, torch.device("cpu")) for seed in (0, 1) for step in (0, 1)]
    rows = [step.normal(purpose, BatchShare.all(2), 4) for step in streams for purpose in Purpose]
    rows += [torch.randn(2, 4, generator=step.stream(purpose)) for step in streams for purpose in Purpose]
    numbers = torch.cat(rows).flatten().tolist()
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("batch", "micro_batch", "size", "message"),
    [
        (16, None, 3, "16 does not split evenly over 3 processes"),
        (16, 5, 2, "micro_batch = 5 does not divide 8"),
        (16, 2, 1, "groups of 4"),
        (16, None, 8, "2 of 16 images at once"),
    ],
)
def test_a_batch_that_does_not_split_evenly_is_refused(
    batch: int, micro_batch: int | None, size: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        BatchSplit.of(batch, micro_batch, 4, World(0, size))


def test_a_micro_batch_larger_than_a_process_part_changes_nothing() -> None:
    assert BatchSplit.of(16, 64, 4, World(1, 2)) == BatchSplit.of(16, None, 4, World(1, 2))
    assert BatchSplit.of(6, None, 4, SINGLE).shares(6, grouped=True) == [BatchShare.all(6)]
