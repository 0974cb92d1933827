"""One training step: discriminator, R1, generator, path length.

B images of the batch, N of the share of it that is in memory at once, L style layers, Z / D size of z / w.

The batch is split over processes and over passes (split.py). A mean over the batch is a sum over shares of
weight x mean over the share, so gradients and numbers of the shares are added up: over the passes by
backward(), over the processes in one message at the end of each phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from anonderm.gan import losses
from anonderm.gan.augment.pipeline import augment
from anonderm.gan.batch_split import WHOLE, Share, Split
from anonderm.gan.optimiser import Adam
from anonderm.gan.random_streams import Draws, Purpose
from anonderm.gan.step_settings import StepSettings
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import PATH_LENGTH_EVERY, R1_EVERY, TrainState

ADA_EVERY = 4
_EMA_RAMP = 0.05
_PATH_LENGTH_DECAY = 0.01
_PATH_LENGTH_SHRINK = 2

Numbers = dict[str, Tensor]


def train_step(
    state: TrainState, images: TrainingImages, settings: StepSettings, split: Split = WHOLE
) -> Numbers:
    """Train both players on one batch and return what there is to log, still on the device.

    All randomness comes from (seed, step), so a resumed run repeats what the first would have done, and the
    result does not depend on the split, but for rounding. Every rank returns the same numbers.
    """
    draws = Draws(settings.seed, state.step, images.pixels_N3HW.device)
    step = _Step(state, images, settings, split, draws)
    numbers, fakes = _discriminator_phase(step)
    if state.step % R1_EVERY == 0 and settings.r1_gamma > 0:
        numbers |= _r1_phase(step)
    numbers |= _generator_phase(step, fakes)
    if state.step % PATH_LENGTH_EVERY == 0 and settings.path_length_weight > 0:
        numbers |= _path_length_phase(step)

    state.step += 1
    _follow(state, settings)
    _steer(state, settings)
    return numbers


@dataclass(frozen=True)
class _Fakes:
    """Generated images of a share [N, 3, H, W], their labels, w [N, L, D], and the mean w [D]."""

    images: Tensor
    label: Tensor | None
    w: Tensor
    w_mean: Tensor


@dataclass(frozen=True)
class _Step:
    """What all phases of a step work on."""

    state: TrainState
    images: TrainingImages
    settings: StepSettings
    split: Split
    draws: Draws

    def shares(self) -> list[Share]:
        return self.split.grouped(self.settings.batch)

    def real(self, share: Share) -> tuple[Tensor, Tensor | None]:
        return self.images.batch(share, self.settings.mirror, self.draws.stream(Purpose.REAL))

    def fakes(self, share: Share, styles: Purpose, noise: Purpose) -> _Fakes:
        """The same whenever it is called within a phase of the generator."""
        generator, random = self.state.generator, self.draws.stream(styles)
        label = self.images.labels(share.whole, random)
        label = None if label is None else share.of(label)
        w_ND, w_NLD = _styles(self, share, label, random)
        if styles == Purpose.PATH_STYLES and not w_NLD.requires_grad:
            w_NLD = w_NLD.detach().requires_grad_()  # of a frozen mapping network: lengths are taken in w
        maps = generator.noise_maps(self.draws.normal(noise, share, generator.noise_pixels))
        return _Fakes(generator.synthesise(w_NLD, maps), label, w_NLD, w_ND.detach().mean(dim=0))

    def augmented(self, images_N3HW: Tensor, share: Share, purpose: Purpose) -> Tensor:
        random = self.draws.stream(purpose)
        return augment(images_N3HW, self.settings.augment, self.state.augment.p, random, share)

    def shown_fakes(self, share: Share) -> _Fakes:
        """Augmented, for the discriminator to learn from, and then for the generator."""
        fakes = self.fakes(share, Purpose.STYLES, Purpose.NOISE)
        return replace(fakes, images=self.augmented(fakes.images, share, Purpose.AUGMENT_FAKE))

    def move(self, optimiser: Adam, numbers: Numbers) -> None:
        """Add up the processes' gradients and numbers, and let the optimiser step."""
        self.split.world.all_reduce([*optimiser.gradients(), *numbers.values()])
        optimiser.step()


def _styles(
    step: _Step, share: Share, label: Tensor | None, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """w [N, D], and [N, L, D] where some images take a second w from a random layer on (style mixing)."""
    generator, probability = step.state.generator, step.settings.style_mixing
    layers = generator.style_layers
    shape = (2, share.whole, generator.arch.z_dim)
    z_NZ, other_NZ = (share.of(z) for z in torch.randn(shape, generator=random, device=random.device))
    w_ND = generator.map(z_NZ, label)
    w_NLD = w_ND[:, None].expand(-1, layers, -1)
    if probability == 0:
        return w_ND, w_NLD
    drawn = torch.rand(2, share.whole, generator=random, device=random.device)
    chance_N, place_N = (share.of(uniform) for uniform in drawn)
    first_N = torch.where(chance_N < probability, 1 + (place_N * (layers - 1)).floor(), layers)
    from_other_NL = torch.arange(layers, device=random.device) >= first_N[:, None]
    return w_ND, torch.where(from_other_NL[:, :, None], generator.map(other_NZ, label)[:, None], w_NLD)


def _discriminator_phase(step: _Step) -> tuple[Numbers, _Fakes]:
    """Also returns the fakes of the last share with their graph: the generator learns from the same ones."""
    state, judge, numbers = step.state, step.state.discriminator, _Sums()
    for share in step.shares():
        last = share == step.shares()[-1]
        with torch.set_grad_enabled(last):
            fakes = step.shown_fakes(share)
        # One after the other: deviation statistics never mix real and fake, and half the memory is in use.
        fake_loss = losses.fake_loss(judge(fakes.images.detach(), fakes.label)) * share.weight
        fake_loss.backward()
        real, label = step.real(share)
        logit_N = judge(step.augmented(real, share, Purpose.AUGMENT_REAL), label)
        real_loss = losses.real_loss(logit_N) * share.weight
        real_loss.backward()
        sign = logit_N.detach().sign().mean() * share.weight
        numbers.add(loss=(fake_loss + real_loss).detach(), sign=sign, w=fakes.w_mean * share.weight)
    step.move(state.optimiser_d, numbers)
    state.signs += numbers["sign"]
    state.generator.track_average(numbers["w"])
    return {"loss_d": numbers["loss"]}, fakes


def _r1_phase(step: _Step) -> Numbers:
    numbers = _Sums()
    for share in step.shares():
        real, label = step.real(share)
        real.requires_grad_()
        logit_N = step.state.discriminator(step.augmented(real, share, Purpose.AUGMENT_R1), label)
        penalty = losses.r1_penalty(logit_N, real) * share.weight
        (penalty * (step.settings.r1_gamma / 2 * R1_EVERY)).backward()
        numbers.add(r1=penalty.detach())
    step.move(step.state.optimiser_d, numbers)
    return dict(numbers)


def _generator_phase(step: _Step, fakes: _Fakes) -> Numbers:
    """`fakes`: those of the last share; only the others are made again."""
    numbers, (*others, last) = _Sums(), step.shares()
    with _frozen(step.state.discriminator):
        for share in (last, *others):
            if share != last:
                fakes = step.shown_fakes(share)
            loss = losses.generator_loss(step.state.discriminator(fakes.images, fakes.label)) * share.weight
            loss.backward()
            numbers.add(loss_g=loss.detach())
    step.move(step.state.optimiser_g, numbers)
    return dict(numbers)


def _path_length_phase(step: _Step) -> Numbers:
    """Penalises the distance to the running mean length, which must hold this batch's lengths first.

    So with several passes the lengths are measured in a round of their own, but for those of the last share.
    """
    state, settings = step.state, step.settings
    *others, last = step.split.single(max(1, settings.batch // _PATH_LENGTH_SHRINK))
    measured, penalties = _Sums(), _Sums()
    for share in others:
        _path_lengths(step, share, measured)
    length_N = _path_lengths(step, last, measured)
    step.split.world.all_reduce(list(measured.values()))
    state.generator.track_average(measured["w"])
    mean = state.path_length_mean.lerp_(measured["length"], _PATH_LENGTH_DECAY).clone()
    for share in (last, *others):
        if share != last:
            length_N = _path_lengths(step, share, _Sums())
        penalty = (length_N - mean).square().mean() * share.weight
        (penalty * (settings.path_length_weight * PATH_LENGTH_EVERY)).backward()
        penalties.add(path_length_penalty=penalty.detach())
    step.move(state.optimiser_g, penalties)
    return {"path_length": mean, **penalties}


def _path_lengths(step: _Step, share: Share, measured: _Sums) -> Tensor:
    """How far a step in w moves each image, [N]; the mean of that and the mean w are added to `measured`."""
    fakes = step.fakes(share, Purpose.PATH_STYLES, Purpose.PATH_NOISE)
    pixels = step.draws.normal(Purpose.PATH_DIRECTION, share, fakes.images[0].numel())
    length_N = losses.path_lengths(fakes.images, fakes.w, pixels.view(fakes.images.shape))
    measured.add(length=length_N.detach().mean() * share.weight, w=fakes.w_mean * share.weight)
    return length_N


class _Sums(dict[str, Tensor]):
    """Numbers added up by name."""

    def add(self, **numbers: Tensor) -> None:
        for name, value in numbers.items():
            self[name] = self[name] + value if name in self else value


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
