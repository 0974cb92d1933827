"""The stage `train-gan`: FaceSet (and a base to start from) -> Checkpoint.

Progress is counted in steps of one batch; what people see is kimg, thousands of real images shown.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import command_line
from anonderm.core.errors import MissingWeights
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT
from anonderm.gan.batch_split import Split
from anonderm.gan.config import Preset, TrainGanConfig, architecture, preset_for
from anonderm.gan.step_settings import step_settings
from anonderm.gan.tick_metrics import HeldOut
from anonderm.gan.ticks import Plan, Ticker, forget_kept, kept_file
from anonderm.gan.training_images import TrainingImages, load_images, training_faces
from anonderm.gan.training_loop import Loop
from anonderm.gan.training_state import TrainState, new_networks, new_state
from anonderm.gan.transfer import Taken, check_against_base, check_layers, choose_trained, transfer
from anonderm.models.stylegan2 import checkpoint as gan_checkpoint
from anonderm.models.stylegan2.allocator import keep_freed_memory
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.precision import use_precision

_CHECKPOINT = "checkpoint.safetensors"


def train_gan(config: TrainGanConfig, faces: FaceSet, base: Checkpoint | None, run: RunDir) -> Checkpoint:
    """Train a GAN on the faces of the training split; run again after a kill, it ends with the same weights.

    Every tick writes a snapshot, a sheet of samples and a row of metrics. SIGTERM and Ctrl-C save a snapshot
    before they raise KeyboardInterrupt. Raises TooFewImages, BadLabel, ConfigError (size of the faces, layers
    to freeze, split of the batch), BrokenArtefact (a damaged base or snapshot), Diverged.
    """
    keep_freed_memory()
    training, preset, arch = check_run(config, faces, base)
    images = load_images(training, arch.classes, launch.device())
    settings = step_settings(config, preset, arch.resolution)
    group = arch.deviation_group or settings.batch
    split = Split.of(settings.batch, config.micro_batch, group, run.world)
    state = _start(config, preset, arch, base, run, images)

    plan = Plan.of(config, settings.batch)
    held_out = _held_out(config, faces, training, run) if run.world.is_main else None
    with Ticker(config, run, plan, images, held_out, state.step) as ticker:
        Loop(config, settings, split, plan, images, state, ticker, run).train()
    trained = plan.kimg(state.step)
    if not run.world.is_main:
        return Checkpoint(run.folder / _CHECKPOINT, _card(config, arch, training, base, {}))
    kept = _take_best(state, plan, held_out, run)
    card = _card(config, arch, training, base, kept | {"trained_kimg": trained})
    finished = gan_checkpoint.save_gan(
        run.folder / _CHECKPOINT,
        state.average,
        state.discriminator,
        state.path_length_mean,
        card,
        fp16_weights=config.fp16_weights,
    )
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    forget_kept(run.folder)
    return finished


def _held_out(config: TrainGanConfig, faces: FaceSet, training: FaceSet, run: RunDir) -> HeldOut | None:
    """What ticks are measured by; None where that was not asked for or has no weights on this machine."""
    if not config.metric_faces:
        return None
    try:
        validation = faces.where(split="val", label=config.label)
        held_out = HeldOut.of(training, validation, config.metric_extractor, config.mirror)
    except MissingWeights as error:
        run.log(f"ticks are not measured, the last becomes the checkpoint: {error.message}")
        return None
    run.log(f"ticks are measured by {held_out.told}")
    return held_out


def _take_best(state: TrainState, plan: Plan, held_out: HeldOut | None, run: RunDir) -> dict[str, Any]:
    """Go back to the tick that was kept; return what the card says of it."""
    best = state.best
    if held_out is None or not best.step:
        return {"kimg": plan.kimg(state.step)}
    if state.step < plan.steps:
        run.log(
            f"stopped at {plan.kimg(state.step):g} kimg: none of the last {best.unkept} ticks was as good"
        )
    distance = f"kernel distance {best.kernel_distance:.4g} +- {best.error:.2g}"
    copies = f"{best.closer_than_expected:.2g} times the expected near-copies of training faces"
    run.log(f"kept: the tick at {plan.kimg(best.step):g} kimg, {distance}, {copies}")
    if best.copies:
        run.log("every tick had too many near-copies of training faces; train shorter, or on more faces")
    if best.step != state.step:
        state.take_kept(kept_file(run.folder, best.step))
    return {
        "kimg": plan.kimg(best.step),
        "kernel_distance": best.kernel_distance,
        "kernel_distance_error": best.error,
        "closer_than_expected": best.closer_than_expected,
        "measured_by": held_out.told,
    }


def check_run(
    config: TrainGanConfig, faces: FaceSet, base: Checkpoint | None
) -> tuple[FaceSet, Preset, Architecture]:
    """The faces to train on and what is trained on them; raises whatever can be known before training."""
    check_against_base(config, base)
    training = training_faces(faces, config.label)
    resolution = training.image(training.faces[0]).shape[0]
    preset = preset_for(config.preset, resolution)
    arch = architecture(preset, resolution, training.labels if config.conditional else ())
    if base is not None and config.preset == "auto":
        own = gan_checkpoint.architecture_of(base)
        if own.resolution == resolution:  # then the base's own widths
            arch = dataclasses.replace(own, classes=arch.classes)
    check_layers(config, arch)
    return training, preset, arch


def _start(
    config: TrainGanConfig,
    preset: Preset,
    arch: Architecture,
    base: Checkpoint | None,
    run: RunDir,
    images: TrainingImages,
) -> TrainState:
    """A fresh state, that of the base, or that of this run's last snapshot."""
    generator, discriminator = new_networks(arch, config.seed, launch.device())
    use_precision(config.precision, generator, discriminator)
    lines = [
        f"{len(images)} faces of {arch.resolution} px; {_parameters(generator, discriminator)} parameters"
    ]
    taken = Taken() if base is None else transfer(generator, discriminator, base, config.label)
    learning = choose_trained(generator, discriminator, config, taken.fresh)
    lines += [*taken.lines, learning]
    rate = config.learning_rate or preset.learning_rate
    state = new_state(generator, discriminator, rate, path_lengths=config.path_length_weight > 0)
    state.path_length_mean.fill_(taken.path_length_mean)
    if config.augment_p is not None:
        state.augment.p = config.augment_p
    snapshot = run.folder / SNAPSHOT
    if run.world.is_main and snapshot.exists():
        state.load(snapshot)
        lines = [f"going on from step {state.step}"]
    for line in lines:
        run.log(line)
    state.follow(run.world)
    return state


def _parameters(*networks: torch.nn.Module) -> str:
    return " + ".join(f"{sum(p.numel() for p in network.parameters()):,}" for network in networks)


def _card(
    config: TrainGanConfig,
    arch: Architecture,
    training: FaceSet,
    base: Checkpoint | None,
    kept: dict[str, Any],
) -> CheckpointCard:
    return CheckpointCard(
        kind="gan",
        architecture=arch.to_card(),
        resolution=arch.resolution,
        classes=arch.classes,
        label=training.labels[0] if len(training.labels) == 1 else None,
        data_digest=training.digest,
        licence=training.licence,
        command=command_line("train-gan", config),
        notes={
            **kept,
            "trained_on": training.origin,
            "faces": len(training),
            "base": base.digest if base else None,
            "bases": _bases(base) if base else [],
        },
    )


def _bases(base: Checkpoint) -> list[dict[str, Any]]:
    """What is handed down: the terms of the base and of what it started from, and what they learned from."""
    card = base.card
    own = {"digest": base.digest, "licence": card.licence, "data_digest": card.data_digest}
    own |= {name: card.notes[name] for name in ("trained_on", "faces") if name in card.notes}
    return [own, *card.notes.get("bases", [])]
