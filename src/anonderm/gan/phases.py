"""One training step in four phases: discriminator, R1, generator, path length.

B images of the batch, N of the share of it that is in memory at once, L style layers, Z / D size of z / w.

The batch is split over processes and over passes (batch_split.py). A mean over the batch is the sum over
shares of weight x mean over the share, so the gradients and values of the shares are summed: over the passes
by backward(), over the processes in one message at the end of each phase.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from anonderm.gan import losses
from anonderm.gan.augment.pipeline import augment
from anonderm.gan.batch_split import BatchShare, BatchSplit
from anonderm.gan.config import StepSettings
from anonderm.gan.random_streams import Purpose, RandomStreams
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import PATH_LENGTH_INTERVAL, R1_INTERVAL, Sums, TrainingState

ADA_INTERVAL = 4
_EMA_RAMP = 0.05
_PATH_LENGTH_DECAY = 0.01
_PATH_LENGTH_SHRINK = 2
WHOLE_BATCH = BatchSplit()

Values = dict[str, Tensor]


def train_step(
    state: TrainingState, images: TrainingImages, settings: StepSettings, split: BatchSplit = WHOLE_BATCH
) -> Values:
    """Train both networks on one batch; return the values to log, still on the device.

    All randomness is determined by (seed, step), so a resumed run repeats an uninterrupted one, and the
    result does not depend on the split, except for rounding. All ranks return the same values.
    """
    streams = RandomStreams(settings.seed, state.step, images.pixels_N3HW.device)
    step = _Step(state, images, settings, split, streams)
    values, fakes = _discriminator_phase(step)
    if state.step % R1_INTERVAL == 0 and settings.r1_gamma > 0:
        values |= _r1_phase(step)
    values |= _generator_phase(step, fakes)
    if state.step % PATH_LENGTH_INTERVAL == 0 and settings.path_length_weight > 0:
        values |= _path_length_phase(step)

    state.step += 1
    _update_average(state, settings)
    _adjust_augmentation(state, settings)
    return values


@dataclass(frozen=True)
class _Fakes:
    """The generated images of a share [N, 3, H, W], their labels, w [N, L, D], and the mean w [D]."""

    images: Tensor
    label: Tensor | None
    w: Tensor
    w_mean: Tensor


@dataclass(frozen=True)
class _Step:
    """The data that all phases of a step share."""

    state: TrainingState
    images: TrainingImages
    settings: StepSettings
    split: BatchSplit
    streams: RandomStreams

    def shares(self) -> list[BatchShare]:
        return self.split.shares(self.settings.batch, grouped=True)

    def real(self, share: BatchShare) -> tuple[Tensor, Tensor | None]:
        return self.images.batch(share, self.settings.mirror, self.streams.stream(Purpose.REAL))

    def fakes(self, share: BatchShare, styles: Purpose, noise: Purpose) -> _Fakes:
        """Fakes that are the same for each call within a step, as long as the generator does not change."""
        generator, random = self.state.generator, self.streams.stream(styles)
        label = self.images.labels(share.batch, random)
        label = None if label is None else share.of(label)
        w_ND, w_NLD = _styles(self, share, label, random)
        if styles == Purpose.PATH_STYLES and not w_NLD.requires_grad:
            w_NLD = w_NLD.detach().requires_grad_()  # path lengths are derivatives in w
        maps = generator.noise_maps(self.streams.normal(noise, share, generator.noise_pixels))
        return _Fakes(generator.synthesise(w_NLD, maps), label, w_NLD, w_ND.detach().mean(dim=0))

    def augmented(self, images_N3HW: Tensor, share: BatchShare, purpose: Purpose) -> Tensor:
        random = self.streams.stream(purpose)
        return augment(images_N3HW, self.settings.augment, self.state.augment.p, random, share)

    def augmented_fakes(self, share: BatchShare) -> _Fakes:
        """Augmented fakes: the input of the discriminator in its own phase and in that of the generator."""
        fakes = self.fakes(share, Purpose.STYLES, Purpose.NOISE)
        return replace(fakes, images=self.augmented(fakes.images, share, Purpose.AUGMENT_FAKE))

    def update(self, optimiser: torch.optim.Adam, values: Values) -> None:
        """Sum gradients and values over the processes, and step the optimiser."""
        parameters = optimiser.param_groups[0]["params"]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self.split.world.all_reduce([*gradients, *values.values()])
        optimiser.step()
        optimiser.zero_grad()


def _styles(
    step: _Step, share: BatchShare, label: Tensor | None, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """w [N, D], and w [N, L, D] in which some images use a second w from a random layer on (style mixing)."""
    generator, probability = step.state.generator, step.settings.style_mixing
    layers = generator.style_layers
    shape = (2, share.batch, generator.arch.z_dim)
    z_NZ, other_NZ = (share.of(z) for z in torch.randn(shape, generator=random, device=random.device))
    w_ND = generator.mapping(z_NZ, label)
    w_NLD = w_ND[:, None].expand(-1, layers, -1)
    if probability == 0:
        return w_ND, w_NLD
    drawn = torch.rand(2, share.batch, generator=random, device=random.device)
    chance_N, place_N = (share.of(uniform) for uniform in drawn)
    first_N = torch.where(chance_N < probability, 1 + (place_N * (layers - 1)).floor(), layers)
    mixed_NL = torch.arange(layers, device=random.device) >= first_N[:, None]
    return w_ND, torch.where(mixed_NL[:, :, None], generator.mapping(other_NZ, label)[:, None], w_NLD)


def _discriminator_phase(step: _Step) -> tuple[Values, _Fakes]:
    """Also returns the fakes of the last share with their graph, which the generator phase uses again."""
    state, discriminator, sums = step.state, step.state.discriminator, Sums()
    for share in step.shares():
        last = share == step.shares()[-1]
        with torch.set_grad_enabled(last):
            fakes = step.augmented_fakes(share)
        # Separate forward passes: the minibatch deviation never mixes real and fake, and memory is halved.
        fake_logit_N = discriminator(fakes.images.detach(), fakes.label)
        fake_loss = losses.fake_loss(fake_logit_N) * share.weight
        fake_loss.backward()
        real, label = step.real(share)
        logit_N = discriminator(step.augmented(real, share, Purpose.AUGMENT_REAL), label)
        real_loss = losses.real_loss(logit_N) * share.weight
        real_loss.backward()
        sign = logit_N.detach().sign().mean() * share.weight
        loss = (fake_loss + real_loss).detach()
        sums.add({"loss": loss, "sign": sign, "w": fakes.w_mean * share.weight})
    step.update(state.optimiser_d, sums)
    state.sign_sum += sums["sign"]
    state.generator.track_average(sums["w"])
    return {"loss_d": sums["loss"]}, fakes


def _r1_phase(step: _Step) -> Values:
    sums = Sums()
    for share in step.shares():
        real, label = step.real(share)
        real.requires_grad_()
        logit_N = step.state.discriminator(step.augmented(real, share, Purpose.AUGMENT_R1), label)
        penalty = losses.r1_penalty(logit_N, real) * share.weight
        (penalty * (step.settings.r1_gamma / 2 * R1_INTERVAL)).backward()
        sums.add({"r1": penalty.detach()})
    step.update(step.state.optimiser_d, sums)
    return sums


def _generator_phase(step: _Step, fakes: _Fakes) -> Values:
    """`fakes` are those of the last share; those of the other shares are generated again."""
    sums, (*others, last) = Sums(), step.shares()
    with _frozen(step.state.discriminator):
        for share in (last, *others):
            if share != last:
                fakes = step.augmented_fakes(share)
            loss = losses.generator_loss(step.state.discriminator(fakes.images, fakes.label)) * share.weight
            loss.backward()
            sums.add({"loss_g": loss.detach()})
    step.update(step.state.optimiser_g, sums)
    return sums


def _path_length_phase(step: _Step) -> Values:
    """Penalise the difference from the running mean length, which first has to include this batch.

    With several passes, the lengths are therefore first measured in a round of their own, except for the last
    share.
    """
    state, settings = step.state, step.settings
    *others, last = step.split.shares(max(1, settings.batch // _PATH_LENGTH_SHRINK), grouped=False)
    measured, penalties = Sums(), Sums()
    for share in others:
        _path_lengths(step, share, measured)
    length_N = _path_lengths(step, last, measured)
    step.split.world.all_reduce(list(measured.values()))
    state.generator.track_average(measured["w"])
    mean = state.path_length_mean.lerp_(measured["length"], _PATH_LENGTH_DECAY).clone()
    for share in (last, *others):
        if share != last:
            length_N = _path_lengths(step, share, Sums())
        penalty = (length_N - mean).square().mean() * share.weight
        (penalty * (settings.path_length_weight * PATH_LENGTH_INTERVAL)).backward()
        penalties.add({"path_length_penalty": penalty.detach()})
    step.update(state.optimiser_g, penalties)
    return {"path_length": mean, **penalties}


def _path_lengths(step: _Step, share: BatchShare, measured: Sums) -> Tensor:
    """The path lengths [N]; their mean and the mean w are added to `measured`."""
    fakes = step.fakes(share, Purpose.PATH_STYLES, Purpose.PATH_NOISE)
    pixels = step.streams.normal(Purpose.PATH_DIRECTION, share, fakes.images[0].numel())
    length_N = losses.path_lengths(fakes.images, fakes.w, pixels.view(fakes.images.shape))
    mean = length_N.detach().mean()
    measured.add({"length": mean * share.weight, "w": fakes.w_mean * share.weight})
    return length_N


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Within, the gradients of the network's weights are not computed."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@torch.no_grad()
def _update_average(state: TrainingState, settings: StepSettings) -> None:
    """Update the average generator, with a half-life of at most 5% of the training (limited data, sec. 4)."""
    half_life = min(settings.ema_images, state.step * settings.batch * _EMA_RAMP)
    weight = 1 - 0.5 ** (settings.batch / half_life)
    torch._foreach_lerp_(list(state.average.parameters()), list(state.generator.parameters()), weight)
    state.average.w_average.copy_(state.generator.w_average)


def _adjust_augmentation(state: TrainingState, settings: StepSettings) -> None:
    if state.step % ADA_INTERVAL:
        return
    sign = float(state.sign_sum) / ADA_INTERVAL
    state.sign_sum.zero_()
    step = settings.batch * ADA_INTERVAL / settings.ada_images if settings.augment_p is None else 0.0
    state.augment.adjust(sign, settings.ada_target, step)
