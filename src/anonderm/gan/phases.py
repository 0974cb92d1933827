"""One training step: discriminator, R1, generator, path length. B images, L style layers, D size of w."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from anonderm.core.launch import step_generator
from anonderm.gan import losses
from anonderm.gan.augment.pipeline import augment
from anonderm.gan.data import TrainingImages
from anonderm.gan.settings import StepSettings
from anonderm.gan.state import PATH_LENGTH_EVERY, R1_EVERY, TrainState

ADA_EVERY = 4
_EMA_RAMP = 0.05
_PATH_LENGTH_DECAY = 0.01
_PATH_LENGTH_SHRINK = 2

Numbers = dict[str, Tensor]


def train_step(state: TrainState, images: TrainingImages, settings: StepSettings) -> Numbers:
    """Train both players on one batch and return what there is to log, still on the device.

    All randomness comes from (seed, step), so a resumed run repeats what the first would have done. The
    augmented fakes that D learns from are those that G then learns from, which saves making a second batch.
    """
    random = step_generator(settings.seed, state.step, str(images.pixels_N3HW.device))
    real, real_label = images.batch(settings.batch, settings.mirror, random)
    fake_label = images.labels(settings.batch, random)
    w_BLD = _styles(state, settings, fake_label, settings.batch, random)
    fake = state.generator.synthesise(w_BLD, state.generator.random_noise(settings.batch, random))
    shown_fake = augment(fake, settings.augment, state.augment.p, random)
    shown_real = augment(real, settings.augment, state.augment.p, random)

    numbers = _discriminator_phase(state, shown_real, real_label, shown_fake.detach(), fake_label)
    if state.step % R1_EVERY == 0 and settings.r1_gamma > 0:
        numbers |= _r1_phase(state, settings, real, real_label, random)
    numbers |= _generator_phase(state, shown_fake, fake_label)
    if state.step % PATH_LENGTH_EVERY == 0 and settings.path_length_weight > 0:
        numbers |= _path_length_phase(state, settings, images, random)

    state.step += 1
    _follow(state, settings)
    _steer(state, settings)
    return numbers


def _styles(
    state: TrainState, settings: StepSettings, label: Tensor | None, count: int, random: torch.Generator
) -> Tensor:
    """w [B, L, D] for `count` images, some with a second latent from a random layer on (style mixing)."""
    generator = state.generator
    layers = generator.style_layers
    shape = (2, count, generator.arch.z_dim)
    z_BZ, other_BZ = torch.randn(shape, generator=random, device=random.device).unbind()
    w_BD = generator.map(z_BZ, label)
    generator.track_average(w_BD.detach())
    w_BLD = w_BD[:, None].expand(-1, layers, -1)
    if settings.style_mixing == 0:
        return w_BLD
    chance_B, place_B = torch.rand(2, count, generator=random, device=random.device).unbind()
    first_B = torch.where(chance_B < settings.style_mixing, 1 + (place_B * (layers - 1)).floor(), layers)
    from_other_BL = torch.arange(layers, device=random.device) >= first_B[:, None]
    return torch.where(from_other_BL[:, :, None], generator.map(other_BZ, label)[:, None], w_BLD)


def _discriminator_phase(
    state: TrainState, real: Tensor, real_label: Tensor | None, fake: Tensor, fake_label: Tensor | None
) -> Numbers:
    # One after the other: the deviation statistics never mix real and fake, and half the memory is in use.
    fake_loss = losses.fake_loss(state.discriminator(fake, fake_label))
    fake_loss.backward()
    real_logit_B = state.discriminator(real, real_label)
    real_loss = losses.real_loss(real_logit_B)
    real_loss.backward()
    state.optimiser_d.step()
    state.signs += real_logit_B.detach().sign().mean()
    return {"loss_d": (fake_loss + real_loss).detach()}


def _r1_phase(
    state: TrainState, settings: StepSettings, real: Tensor, label: Tensor | None, random: torch.Generator
) -> Numbers:
    real = real.detach().requires_grad_()
    shown = augment(real, settings.augment, state.augment.p, random)
    penalty = losses.r1_penalty(state.discriminator(shown, label), real)
    (penalty * (settings.r1_gamma / 2 * R1_EVERY)).backward()
    state.optimiser_d.step()
    return {"r1": penalty.detach()}


def _generator_phase(state: TrainState, fake: Tensor, label: Tensor | None) -> Numbers:
    with _frozen(state.discriminator):
        loss = losses.generator_loss(state.discriminator(fake, label))
        loss.backward()
    state.optimiser_g.step()
    return {"loss_g": loss.detach()}


def _path_length_phase(
    state: TrainState, settings: StepSettings, images: TrainingImages, random: torch.Generator
) -> Numbers:
    count = max(1, settings.batch // _PATH_LENGTH_SHRINK)
    w_BLD = _styles(state, settings, images.labels(count, random), count, random)
    if not w_BLD.requires_grad:  # the mapping network is frozen; the lengths are taken in w all the same
        w_BLD = w_BLD.detach().requires_grad_()
    fake = state.generator.synthesise(w_BLD, state.generator.random_noise(count, random))
    length_B = losses.path_lengths(fake, w_BLD, random)
    mean = state.path_length_mean.lerp_(length_B.detach().mean(), _PATH_LENGTH_DECAY).clone()
    penalty = (length_B - mean).square().mean()
    (penalty * (settings.path_length_weight * PATH_LENGTH_EVERY)).backward()
    state.optimiser_g.step()
    return {"path_length": mean, "path_length_penalty": penalty.detach()}


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the network's weights, which saves computing them."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@torch.no_grad()
def _follow(state: TrainState, settings: StepSettings) -> None:
    """Move the average generator; its half-life is at most 5% of the images so far (limited data, sec. 4)."""
    half_life = min(settings.ema_images, state.step * settings.batch * _EMA_RAMP)
    weight = 1 - 0.5 ** (settings.batch / half_life)
    torch._foreach_lerp_(list(state.average.parameters()), list(state.generator.parameters()), weight)
    state.average.w_average.copy_(state.generator.w_average)


def _steer(state: TrainState, settings: StepSettings) -> None:
    if state.step % ADA_EVERY:
        return
    sign = float(state.signs) / ADA_EVERY
    state.signs.zero_()
    step = settings.batch * ADA_EVERY / settings.ada_images if settings.augment_p is None else 0.0
    state.augment.steer(sign, settings.ada_target, step)
