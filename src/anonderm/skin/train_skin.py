"""train-skin: a FaceSet with skin masks -> a network that segments skin, and its accuracy.

checkpoint.safetensors  the network at the step with the best mean Dice on the validation faces
results.json            Dice of each class, their mean, and mean IoU, on the test faces
"""

# N photos, C channels, S x S pixels, T x T pixels of a crop

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anonderm.core.checkpoint import Checkpoint, CheckpointCard, compact
from anonderm.core.config import command_line
from anonderm.core.errors import BrokenArtefact, Diverged, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.imagenet import normalised
from anonderm.core.images import Pixels
from anonderm.core.launch import device, step_generator
from anonderm.core.parallel import in_threads
from anonderm.core.results.base import FILE, Score
from anonderm.core.results.skin import SkinSegmentation
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT, train_steps
from anonderm.core.splits import hold_out_people, train_and_val
from anonderm.metrics.confusion import Agreement
from anonderm.models.skin_segmenter.bisenet import BiSeNet, initialise
from anonderm.models.skin_segmenter.segment import CLASSES, load_pair, load_published, load_segmenter
from anonderm.skin import augment
from anonderm.skin.config import TrainSkinConfig
from anonderm.skin.loss import joint_loss

_FIRST_RATE = 1e-5
_POWER = 0.9
_MAX_EVALUATED = 512  # of more faces in val or test, every n-th is used
_HELD_OUT = 0.2  # share of the people held out for validation without val faces

Pair = tuple[Pixels, NDArray[np.uint8]]


def train_skin(
    config: TrainSkinConfig, faces: FaceSet, run: RunDir, base: Checkpoint | None = None
) -> list[Path]:
    """Train on the masks of split train and select the best step on val; test is only evaluated at the end.

    An interrupted run resumes to the same weights. Raises TooFewImages, MissingPath, BrokenArtefact (initial
    weights that do not match) or Diverged.
    """
    unmasked = sum(face.mask is None and face.split != "test" for face in faces)
    if unmasked:
        run.log(f"left out {unmasked} faces without a skin mask")
    train, val = _split(faces, config.seed)
    run.log(f"training on {len(train)} masks, selecting the step on {len(val)}")
    network = _new_network(config, base).to(device()).to(memory_format=torch.channels_last)
    trainer = _Trainer(config, network, train, val, run)
    progress = train_steps(
        network, trainer.optimiser, trainer.step, trainer.validate, run, config.steps, config.val_interval
    )
    run.log(f"best step: {progress.best_step}, with Dice {progress.best_measure:.4f} on the validation faces")
    card = CheckpointCard(
        kind="skin",
        architecture={"network": "bisenet-resnet18", "width": config.width},
        resolution=config.size,
        pixel_range=(0.0, 1.0),
        classes=CLASSES,
        data_digest=faces.digest,
        licence=train.licence,
        command=command_line("train-skin", config),
        notes={
            "n": len(train),
            "base": base.digest if base else None,
            "best_step": progress.best_step,
            "val_dice": progress.best_measure,
        },
    )
    checkpoint = Checkpoint.save(run.folder / "checkpoint.safetensors", compact(progress.best_weights), card)
    test = _thinned(_masked(faces.where(split="test")))
    split, held_out = ("test", test) if len(test) else ("val", val)
    network = load_segmenter(checkpoint, device()).network
    agreement = evaluate(network, held_out, config.size, run, "testing")
    result = _result(agreement, len(held_out), split)
    result.save(run.folder / FILE)
    shown = ", ".join(f"{name} {score.value:.4f}" for name, score in result.scores().items())
    run.log(f"{len(held_out)} {split} faces: {shown}")
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    return [checkpoint.path, checkpoint.path.with_suffix(".json"), run.folder / FILE]


def _split(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """Faces with masks to train on and to validate on, split by person. Raises TooFewImages."""
    rng, masked = np.random.default_rng(seed), _masked(faces)
    train, val = train_and_val(
        masked, lambda known: hold_out_people(known, round(_HELD_OUT * known.people), rng)
    )
    if len(train) < 2 or len(val) == 0:
        raise TooFewImages(
            f"{faces.folder}: {len(masked)} of {len(faces)} faces have a skin mask: {len(train)} for "
            f"training and {len(val)} for validation.",
            "Give a FaceSet with masks: `anonderm phantom` draws one, `anonderm ingest` reads CelebAMask-HQ.",
        )
    return train, _thinned(val)


def _masked(faces: FaceSet) -> FaceSet:
    return FaceSet(faces.folder, tuple(face for face in faces if face.mask is not None))


def _thinned(faces: FaceSet) -> FaceSet:
    every = -(-len(faces) // _MAX_EVALUATED) or 1
    return FaceSet(faces.folder, faces.faces[::every])


def evaluate(network: BiSeNet, faces: FaceSet, size: int, run: RunDir, what: str) -> Agreement:
    """The network's agreement with the masks of these faces, all at `size`."""
    agreement = Agreement(CLASSES)
    network.eval()
    with torch.inference_mode():
        for batch in run.progress(list(faces.batches(16)), what):
            x_NCSS, labels_NSS = _stack(list(in_threads(lambda face: load_pair(faces, face, size), batch)))
            agreement.add(labels_NSS.numpy(), network(normalised(x_NCSS)).argmax(1).cpu().numpy())
    return agreement


def _result(agreement: Agreement, count: int, split: str) -> SkinSegmentation:
    def score(value: float) -> Score:
        return Score(value, n=count, higher_is_better=True, note=f"pooled over the pixels of split {split}")

    return SkinSegmentation(
        split,
        {name: score(value) for name, value in agreement.dice.items()},
        score(agreement.mean_dice),
        score(agreement.mean_iou),
        CLASSES,
        tuple(map(tuple, agreement.counts_KK.tolist())),
    )


def _new_network(config: TrainSkinConfig, base: Checkpoint | None) -> BiSeNet:
    """Random weights, ImageNet weights in the backbone, or the weights of a base checkpoint."""
    if base is not None:
        network = load_segmenter(base).network
        if network.width != config.width:
            raise BrokenArtefact(
                f"{base.path}: a network of width {network.width}, but width = {config.width}.",
                f"Give --width {network.width}.",
            )
        return network
    network = BiSeNet(len(CLASSES), config.width)
    initialise(network, torch.Generator().manual_seed(config.seed))
    if config.resnet is not None:
        load_published(network.cp.resnet, config.resnet, leave_out=("fc.",))
    return network


class _Trainer:
    """Network, optimiser and masks; all randomness of a step is derived from (seed, step)."""

    def __init__(
        self, config: TrainSkinConfig, network: BiSeNet, train: FaceSet, val: FaceSet, run: RunDir
    ) -> None:
        self.config, self._train, self._val, self._run = config, train, val, run
        self.network = network
        self.optimiser = torch.optim.SGD(
            _parameter_groups(network, config), config.learning_rate, config.momentum
        )
        self._augment = augment.strong if config.augment == "strong" else augment.published
        self._batches: Iterator[list[Pair]] | None = None

    def step(self, step: int) -> float:
        """One update; returns the loss. Steps must be consecutive. Raises Diverged."""
        config = self.config
        if self._batches is None:  # the photos of a step are read during the previous steps
            self._batches = in_threads(self._batch, range(step, config.steps))
        x_NCSS, labels_NSS = _stack(next(self._batches))
        generator = step_generator(config.seed, step)
        x_NCTT, labels_NTT = self._augment(x_NCSS, labels_NSS, config.crop_size, generator)
        rate = learning_rate(config, step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["times"]
        self.network.train()
        input_NCTT = normalised(x_NCTT).contiguous(memory_format=torch.channels_last)
        heads = self.network.all_heads(input_NCTT)
        loss = joint_loss(heads, labels_NTT, ohem=config.loss == "ohem")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        value = loss.item()
        if not math.isfinite(value):
            raise Diverged(f"step {step}: the loss is {value}.", "Lower --learning-rate.")
        return value

    def _batch(self, step: int) -> list[Pair]:
        batch, count = self.config.batch, len(self._train)
        places = range(step * batch, (step + 1) * batch)
        rows = [_order(self.config.seed, place // count, count)[place % count] for place in places]
        return [load_pair(self._train, self._train.faces[row], self.config.size) for row in rows]

    def validate(self) -> dict[str, float]:
        agreement = evaluate(self.network, self._val, self.config.size, self._run, "validating")
        dice = {f"val_dice_{name}": value for name, value in agreement.dice.items()}
        return {"val_dice": agreement.mean_dice, "val_miou": agreement.mean_iou, **dice}


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> list[int]:
    """All rows in the order of this epoch."""
    return np.random.default_rng((seed, epoch)).permutation(count).tolist()


def _stack(pairs: list[Pair]) -> tuple[Tensor, Tensor]:
    pixels_NSSC, labels_NSS = (np.stack(each) for each in zip(*pairs, strict=True))
    x_NCSS = torch.from_numpy(pixels_NSSC).to(device()).permute(0, 3, 1, 2).contiguous().float() / 255
    return x_NCSS, torch.from_numpy(labels_NSS)


def learning_rate(config: TrainSkinConfig, step: int) -> float:
    """Exponential rise from 1e-5, then (1 - progress)^0.9: the community's schedule for BiSeNet."""
    if step < config.warm_up:
        return _FIRST_RATE * (config.learning_rate / _FIRST_RATE) ** (step / config.warm_up)
    done = (step - config.warm_up) / (config.steps - config.warm_up)
    return config.learning_rate * (1 - done) ** _POWER


def _parameter_groups(network: BiSeNet, config: TrainSkinConfig) -> list[dict[str, object]]:
    """Convolutions with weight decay, norms without; a higher rate for the parts besides the backbone."""
    fast = {id(parameter) for part in network.fast_parts for parameter in part.parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        times = config.head_lr_multiplier if id(parameter) in fast else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((times, decay), []).append(parameter)
    return [
        {"params": parameters, "times": times, "weight_decay": decay}
        for (times, decay), parameters in groups.items()
    ]
