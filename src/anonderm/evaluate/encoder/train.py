"""Training the encoder on the ground truth of phantoms.

The targets are identity (photos of one person lie close together), skin tone, severity, and the number of
lesions of each kind.
"""

# N images, C channels, H x W pixels, D features, K lesion kinds

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint, CheckpointCard, compact
from anonderm.core.config import command_line
from anonderm.core.errors import Diverged, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import LESION_KINDS, Face
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT, StepProgress, resume_training, save_training
from anonderm.embeddings.encoder import FEATURES, RESOLUTION, WIDTHS, Encoder, to_tensor
from anonderm.evaluate.config import EncoderConfig
from anonderm.evaluate.encoder.augment import augment
from anonderm.evaluate.encoder.probes import probe

_WEIGHT_DECAY = 0.02
_ITA_SCALE = 50.0  # degrees; brings the target to about -1..1


def train_encoder(config: EncoderConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on the people outside the test split who have two photos or more.

    Identity is trained with the supervised contrastive loss, the other targets by regression and
    classification from the same embedding. Measures on the test split go onto the card.
    Raises TooFewImages, Diverged.
    """
    train = faces.where(split=("train", "val", None))
    pool = _Pool(train)
    training = _Training(config, pool)
    progress = resume_training(run.folder, StepProgress(), training.network, training.optimiser)
    run.rewind_metrics(progress.step)
    run.log(f"training on {len(train)} photos; {len(pool.people)} people have two or more")
    with run.bar("training the encoder", config.steps, progress.step) as bar:
        while progress.step < config.steps:
            losses = training.step(progress.step)
            progress.step += 1
            bar.advance(note=f"loss {sum(losses.values()):.2f}")
            if progress.step % config.save_every == 0:
                run.metrics(progress.step, **losses)
                save_training(run.folder, progress, training.network, training.optimiser)
    tensors = compact(training.encoder.state_dict())
    card = CheckpointCard(
        kind="encoder",
        architecture={"network": "phantom-encoder", "features": FEATURES, "widths": list(WIDTHS)},
        resolution=RESOLUTION,
        classes=train.labels,
        data_digest=train.digest,
        licence=train.licence,
        command=command_line("train-encoder", config),
    )
    checkpoint = Checkpoint.save(run.folder / "checkpoint.safetensors", tensors, card)
    notes = {"photos": len(train), "people": len(pool.people)} | probe(
        checkpoint, train, faces.where(split="test"), run
    )
    checkpoint = Checkpoint.save(checkpoint.path, tensors, dataclasses.replace(card, notes=notes))
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    return checkpoint


class _Pool:
    """The training photos with their targets, in memory."""

    def __init__(self, faces: FaceSet) -> None:
        rows: dict[str, list[int]] = {}
        for row, face in enumerate(faces):
            rows.setdefault(face.person, []).append(row)
        self.people = [np.array(photos) for photos in rows.values() if len(photos) > 1]
        if len(self.people) < 2:
            raise TooFewImages(
                f"{faces.folder}: {len(self.people)} people have two photos or more; at least 2 are needed.",
                "Draw phantoms with several photos per person.",
            )
        self.labels = faces.labels
        self.pixels_NHWC = faces.pixels(RESOLUTION)
        self.ita_N = torch.tensor([math.nan if face.ita is None else face.ita for face in faces])
        self.label_N = torch.tensor(
            # cross_entropy ignores -100.
            [-100 if face.label is None else faces.labels.index(face.label) for face in faces]
        )
        self.lesions_NK = torch.tensor([_counts(face) for face in faces])

    def draw(self, people: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows [N] of two photos of each of `people` people, and the person of each row [N]."""
        chosen = torch.randperm(len(self.people), generator=generator)[:people].tolist()
        pairs = [torch.randperm(len(self.people[who]), generator=generator)[:2].tolist() for who in chosen]
        rows = [self.people[who][pair] for who, pair in zip(chosen, pairs, strict=True)]
        return torch.from_numpy(np.concatenate(rows)), torch.tensor(chosen).repeat_interleave(2)


def _counts(face: Face) -> list[float]:
    """How many lesions of each kind it has; NaN if that is unknown."""
    if face.lesions is None:
        return [math.nan] * len(LESION_KINDS)
    return [float(sum(box.kind == kind for box in face.lesions)) for kind in LESION_KINDS]


class _Training:
    """Network, heads and optimiser; all randomness of a step derives from (seed, step)."""

    def __init__(self, config: EncoderConfig, pool: _Pool) -> None:
        self._config, self._pool, self._device = config, pool, launch.device()
        self.encoder = Encoder()
        heads = {"ita": 1, "lesions": len(LESION_KINDS), "label": max(1, len(pool.labels))}
        self._heads = nn.ModuleDict({name: nn.Linear(FEATURES, width) for name, width in heads.items()})
        self.network = nn.ModuleDict({"encoder": self.encoder, "heads": self._heads})
        _initialise(self.network, torch.Generator().manual_seed(config.seed))
        self.network.to(self._device).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=_WEIGHT_DECAY
        )

    def step(self, step: int) -> dict[str, float]:
        """One update; the losses by name. Raises Diverged."""
        generator = launch.step_generator(self._config.seed, step)
        rows_N, people_N = self._pool.draw(self._config.people, generator)
        x_NCHW = augment(to_tensor(self._pool.pixels_NHWC[rows_N.numpy()]), generator)
        self.network.train()
        h_ND = self.encoder(x_NCHW.to(self._device, memory_format=torch.channels_last))
        losses = {"identity": supervised_contrastive(h_ND, people_N.to(self._device))}
        losses |= self._target_losses(h_ND, rows_N)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise Diverged(f"step {step}: the loss is {total.item()}.", "Lower --learning-rate.")
        for group in self.optimiser.param_groups:
            group["lr"] = self._config.learning_rate * _schedule(step, self._config.steps)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        return {name: loss.item() for name, loss in losses.items()}

    def _target_losses(self, h_ND: Tensor, rows_N: Tensor) -> dict[str, Tensor]:
        pool, device = self._pool, self._device
        ita_N = pool.ita_N[rows_N].to(device) / _ITA_SCALE
        known_N = ~torch.isnan(ita_N)
        lesions_NK = torch.log1p(pool.lesions_NK[rows_N]).to(device)
        label_N = pool.label_N[rows_N].to(device)
        ita_error_N = self._heads["ita"](h_ND)[:, 0] - ita_N
        losses = {}
        counted_N = ~torch.isnan(lesions_NK[:, 0])
        if counted_N.any():
            found_NK = self._heads["lesions"](h_ND)[counted_N]
            losses["lesions"] = functional.smooth_l1_loss(found_NK, lesions_NK[counted_N])
        if known_N.any():
            losses["ita"] = ita_error_N[known_N].square().mean()
        if (label_N >= 0).any():
            losses["label"] = 0.5 * functional.cross_entropy(self._heads["label"](h_ND), label_N)
        return losses


def _initialise(net: nn.Module, generator: torch.Generator) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up over the first twentieth of the steps, then a cosine decay to zero."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def supervised_contrastive(h_ND: Tensor, people_N: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss over rows of any length; each row needs another of the same person.

    Source: Khosla et al. 2020, eq. 2 (L_out).
    """
    unit_ND = functional.normalize(h_ND, dim=1)
    itself_NN = torch.eye(len(h_ND), dtype=torch.bool, device=h_ND.device)
    similarity_NN = (unit_ND @ unit_ND.T / temperature).masked_fill(itself_NN, -torch.inf)
    log_share_NN = similarity_NN - similarity_NN.logsumexp(dim=1, keepdim=True)
    same_NN = (people_N[:, None] == people_N[None, :]) & ~itself_NN
    return -(log_share_NN.masked_fill(~same_NN, 0.0).sum(dim=1) / same_NN.sum(dim=1)).mean()
