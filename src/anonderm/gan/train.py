"""The stage `train-gan`: a FaceSet, and optionally a base checkpoint to start from, -> Checkpoint.

Training counts in steps of one batch; users see kimg, thousands of real images shown to the discriminator.
"""

import dataclasses
from typing import Any

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import command_line
from anonderm.core.errors import MissingWeights
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT
from anonderm.gan.batch_split import BatchSplit
from anonderm.gan.config import Preset, TrainGanConfig, architecture, preset_for, step_settings
from anonderm.gan.tick_metrics import TickEvaluator
from anonderm.gan.ticks import Schedule, Ticker, best_file, remove_best
from anonderm.gan.training_images import TrainingImages, load_images, training_faces
from anonderm.gan.training_loop import TrainingLoop
from anonderm.gan.training_state import TrainingState, new_networks, new_state
from anonderm.gan.transfer import Transferred, check_base_settings, check_layers, freeze_layers, transfer
from anonderm.models.stylegan2 import checkpoint as gan_checkpoint
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.precision import use_precision

_CHECKPOINT = "checkpoint.safetensors"


def train_gan(config: TrainGanConfig, faces: FaceSet, base: Checkpoint | None, run: RunDir) -> Checkpoint:
    """Train a GAN on the faces of the training split. A resumed run ends with the same weights.

    Every tick writes a snapshot, a sheet of samples and a row of metrics. SIGTERM and Ctrl-C save a snapshot
    and raise KeyboardInterrupt. Raises TooFewImages, BadLabel, ConfigError (image size, layers to freeze,
    split of the batch), BrokenArtefact (a damaged base or snapshot), Diverged.
    """
    launch.keep_freed_memory()
    training, preset, arch = check_run(config, faces, base)
    images = load_images(training, arch.classes, launch.device())
    settings = step_settings(config, preset, arch.resolution)
    group = arch.deviation_group or settings.batch
    split = BatchSplit.of(settings.batch, config.micro_batch, group, run.world)
    state = _initial_state(config, preset, arch, base, run, images)

    schedule = Schedule.of(config, settings.batch)
    evaluator = _evaluator(config, faces, training, run) if run.world.is_main else None
    with Ticker(config, run, schedule, images, evaluator, state.step) as ticker:
        TrainingLoop(config, settings, split, schedule, images, state, ticker, run).train()
    trained_kimg = schedule.kimg(state.step)
    if not run.world.is_main:
        return Checkpoint(run.folder / _CHECKPOINT, _card(config, arch, training, base, {}))
    notes = _load_best(state, schedule, evaluator, run)
    card = _card(config, arch, training, base, notes | {"trained_kimg": trained_kimg})
    finished = gan_checkpoint.save_gan(
        run.folder / _CHECKPOINT,
        state.average,
        state.discriminator,
        state.path_length_mean,
        card,
        fp16_weights=config.fp16_weights,
    )
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    remove_best(run.folder)
    return finished


def _evaluator(
    config: TrainGanConfig, faces: FaceSet, training: FaceSet, run: RunDir
) -> TickEvaluator | None:
    """None if evaluation is off, or the weights of its extractor are not installed."""
    if not config.metric_faces:
        return None
    try:
        validation = faces.where(split="val", label=config.label)
        evaluator = TickEvaluator.of(training, validation, config.metric_extractor, config.mirror)
    except MissingWeights as error:
        run.log(f"ticks are not evaluated, and the last one becomes the checkpoint: {error.message}")
        return None
    run.log(f"ticks are compared with {evaluator.reference}")
    return evaluator


def _load_best(
    state: TrainingState, schedule: Schedule, evaluator: TickEvaluator | None, run: RunDir
) -> dict[str, Any]:
    """Load the weights of the best tick; return its description for the card."""
    best = state.best
    if evaluator is None or not best.step:
        return {"kimg": schedule.kimg(state.step)}
    if state.step < schedule.steps:
        kimg = schedule.kimg(state.step)
        run.log(f"stopped at {kimg:g} kimg: none of the last {best.ticks_since} ticks was as good")
    distance = f"kernel distance {best.kernel_distance:.4g} +- {best.standard_error:.2g}"
    copies = f"{best.near_copy_ratio:.2g} times the expected near-copies of training faces"
    run.log(f"kept: the tick at {schedule.kimg(best.step):g} kimg, {distance}, {copies}")
    if best.copies:
        run.log("every tick had too many near-copies of training faces; train for less time or on more faces")
    if best.step != state.step:
        state.load_weights(best_file(run.folder, best.step))
    return {
        "kimg": schedule.kimg(best.step),
        "kernel_distance": best.kernel_distance,
        "kernel_distance_error": best.standard_error,
        "near_copy_ratio": best.near_copy_ratio,
        "compared_with": evaluator.reference,
    }


def check_run(
    config: TrainGanConfig, faces: FaceSet, base: Checkpoint | None
) -> tuple[FaceSet, Preset, Architecture]:
    """The training faces, preset and architecture; raises every error that can be found before training."""
    check_base_settings(config, base)
    training = training_faces(faces, config.label)
    resolution = training.image(training.faces[0]).shape[0]
    preset = preset_for(config.preset, resolution)
    arch = architecture(preset, resolution, training.labels if config.conditional else ())
    if base is not None and config.preset == "auto":
        base_arch = gan_checkpoint.architecture_of(base)
        if base_arch.resolution == resolution:
            arch = dataclasses.replace(base_arch, classes=arch.classes)
    check_layers(config, arch)
    return training, preset, arch


def _initial_state(
    config: TrainGanConfig,
    preset: Preset,
    arch: Architecture,
    base: Checkpoint | None,
    run: RunDir,
    images: TrainingImages,
) -> TrainingState:
    """The state of the last snapshot, or a new one with the weights of the base, if any."""
    generator, discriminator = new_networks(arch, config.seed, launch.device())
    use_precision(config.precision, generator, discriminator)
    sizes = [sum(p.numel() for p in network.parameters()) for network in (generator, discriminator)]
    lines = [f"{len(images)} faces of {arch.resolution} px; {sizes[0]:,} + {sizes[1]:,} parameters"]
    transferred = Transferred() if base is None else transfer(generator, discriminator, base, config.label)
    lines += [*transferred.log, freeze_layers(generator, discriminator, config, transferred.fresh)]
    rate = config.learning_rate or preset.learning_rate
    state = new_state(generator, discriminator, rate, path_lengths=config.path_length_weight > 0)
    state.path_length_mean.fill_(transferred.path_length_mean)
    if config.augment_p is not None:
        state.augment.p = config.augment_p
    snapshot = run.folder / SNAPSHOT
    if run.world.is_main and snapshot.exists():
        state.load(snapshot)
        lines = [f"resuming at step {state.step}"]
    for line in lines:
        run.log(line)
    state.broadcast(run.world)
    return state


def _card(
    config: TrainGanConfig,
    arch: Architecture,
    training: FaceSet,
    base: Checkpoint | None,
    notes: dict[str, Any],
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
            **notes,
            "trained_on": training.origin,
            "faces": len(training),
            "base": base.digest if base else None,
            "bases": _bases(base) if base else [],
        },
    )


def _bases(base: Checkpoint) -> list[dict[str, Any]]:
    """The licence and training data of the base, and of the bases it was trained from."""
    card = base.card
    own = {"digest": base.digest, "licence": card.licence, "data_digest": card.data_digest}
    own |= {name: card.notes[name] for name in ("trained_on", "faces") if name in card.notes}
    return [own, *card.notes.get("bases", [])]
