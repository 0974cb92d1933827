"""The phantom encoder: a small network that was shown drawn faces only, and turns a face into 128 numbers.

It learns from the truth that comes with a drawn face: who it is (photos of one person lie close together),
how dark the skin is, how severe the condition is and how many lesions of each kind there are.
"""

# N images, C channels, H x W pixels, D features, K lesion kinds, L labels

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import to_dict
from anonderm.core.errors import BrokenArtefact, Diverged, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels
from anonderm.core.records import LESION_KINDS, Face
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import (
    SNAPSHOT,
    open_snapshot,
    optimiser_tensors,
    restore_optimiser,
    under_prefix,
    with_prefix,
    write_snapshot,
)
from anonderm.evaluate.config import EncoderConfig
from anonderm.evaluate.distances import nearest

RESOLUTION = 64
FEATURES = 128
_WIDTHS = (24, 48, 96, 144)
_BATCH = 256
_WEIGHT_DECAY = 0.02
_ITA_SCALE = 50.0  # degrees; brings the target to about -1..1


class Encoder(nn.Module):
    """Images [N, 3, 64, 64] in -1..1 to embeddings [N, 128] of length sqrt(128)."""

    def __init__(self) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, _WIDTHS[0], 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(_WIDTHS[0])]
        stages: list[nn.Module] = [*stem, nn.ReLU(), _Residual(_WIDTHS[0])]
        for narrow, wide in pairwise(_WIDTHS):
            stages += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide)]
            stages += [nn.ReLU(), _Residual(wide)]
        # Where something lies matters to who it is, so the 4 x 4 positions are kept apart to the end.
        stages += [nn.Conv2d(_WIDTHS[-1], 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten()]
        self.body = nn.Sequential(*stages, nn.Linear(32 * 4 * 4, FEATURES))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return functional.normalize(self.body(x_NCHW), dim=1) * math.sqrt(FEATURES)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        inner_NCHW = functional.relu(self.first_norm(self.first(x_NCHW)))
        return functional.relu(x_NCHW + self.second_norm(self.second(inner_NCHW)))


def embedder(checkpoint: Checkpoint) -> Callable[[Pixels], NDArray[np.float32]]:
    """A function from uint8 [N, 64, 64, 3] to float32 [N, 128]. Raises BrokenArtefact."""
    encoder = Encoder()
    try:
        encoder.load_state_dict({name: value.float() for name, value in checkpoint.tensors().items()})
    except RuntimeError as error:
        raise BrokenArtefact(f"{checkpoint.path}: not an encoder of this version ({error}).") from error
    device = launch.device()
    encoder.eval().to(device)

    def embed(pixels_NHWC: Pixels) -> NDArray[np.float32]:
        with torch.no_grad():
            return encoder(to_tensor(pixels_NHWC).to(device)).cpu().numpy()

    return embed


def to_tensor(pixels_NHWC: Pixels) -> Tensor:
    """uint8 [N, H, W, 3] to float [N, 3, H, W] in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels_NHWC)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def train_encoder(config: EncoderConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on the people outside the test split who have two photos or more.

    Identity is learned with the supervised contrastive loss, the other truths by regression and
    classification from the same embedding. What the embedding then knows of unseen people (the test split)
    goes onto the card.
    Raises TooFewImages, Diverged.
    """
    learn = FaceSet(faces.folder, tuple(face for face in faces if face.split != "test"))
    pool = _Pool(learn)
    training = _Training(config, pool)
    state = run.folder / SNAPSHOT
    first = training.load(state) if state.exists() else 0
    run.rewind_metrics(first)
    run.log(f"learning from {len(learn)} photos; {len(pool.people)} people have two or more")
    with run.bar("training the encoder", config.steps, first) as bar:
        for step in range(first, config.steps):
            losses = training.step(step)
            bar.advance(note=f"loss {sum(losses.values()):.2f}")
            if (step + 1) % config.save_every == 0:
                run.metrics(step + 1, **losses)
                training.save(state, step + 1)
    tensors = _compact(training.encoder)
    held_out = faces.where(split="test")
    checkpoint = Checkpoint.save(run.folder / "checkpoint.safetensors", tensors, _card(config, learn))
    notes = {"photos": len(learn), "people": len(pool.people)} | _knowledge(checkpoint, learn, held_out, run)
    checkpoint = Checkpoint.save(checkpoint.path, tensors, dataclasses.replace(checkpoint.card, notes=notes))
    state.unlink(missing_ok=True)
    return checkpoint


def _card(config: EncoderConfig, learn: FaceSet) -> CheckpointCard:
    settings = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in to_dict(config).items())
    return CheckpointCard(
        kind="encoder",
        architecture={"network": "phantom-encoder", "features": FEATURES, "widths": list(_WIDTHS)},
        resolution=RESOLUTION,
        classes=learn.labels,
        data_digest=learn.digest,
        licence="Apache-2.0",
        command=f"anonderm train-encoder {settings}",
    )


def _compact(encoder: Encoder) -> dict[str, Tensor]:
    """Weights as float16; the statistics of the norms stay float32, for small variances would underflow."""
    state = encoder.state_dict()
    return {name: value.half() if value.ndim > 1 else value for name, value in state.items()}


class _Pool:
    """The training photos with their truths, in memory."""

    def __init__(self, faces: FaceSet) -> None:
        rows: dict[str, list[int]] = {}
        for row, face in enumerate(faces):
            rows.setdefault(face.subject or face.id, []).append(row)
        self.people = [np.array(photos) for photos in rows.values() if len(photos) > 1]
        if len(self.people) < 2:
            raise TooFewImages(
                f"{faces.folder}: {len(self.people)} people have two photos or more; at least 2 are needed.",
                "Draw phantoms with several photos a person.",
            )
        self.labels = faces.labels
        self.pixels_NHWC = faces.pixels(RESOLUTION)
        self.ita_N = torch.tensor([math.nan if face.ita is None else face.ita for face in faces])
        self.label_N = torch.tensor([_label_index(self.labels, face) for face in faces])
        self.lesions_NK = torch.tensor([_lesion_counts(face) for face in faces])

    def draw(self, people: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows [N] of two photos of each of some people, and whose they are [N]."""
        chosen = torch.randperm(len(self.people), generator=generator)[:people].tolist()
        pairs = [torch.randperm(len(self.people[who]), generator=generator)[:2].tolist() for who in chosen]
        rows = [self.people[who][pair] for who, pair in zip(chosen, pairs, strict=True)]
        return torch.from_numpy(np.concatenate(rows)), torch.tensor(chosen).repeat_interleave(2)


def _label_index(labels: tuple[str, ...], face: Face) -> int:
    return -100 if face.label is None else labels.index(face.label)  # -100: ignored by cross_entropy


def _lesion_counts(face: Face) -> list[float]:
    return [float(sum(lesion.kind == kind for lesion in face.lesions)) for kind in LESION_KINDS]


class _Training:
    """Network, heads and optimiser; everything random in a step comes from (seed, step)."""

    def __init__(self, config: EncoderConfig, pool: _Pool) -> None:
        self._config, self._pool, self._device = config, pool, launch.device()
        self.encoder = Encoder()
        heads = {"ita": 1, "lesions": len(LESION_KINDS), "label": max(1, len(pool.labels))}
        self._heads = nn.ModuleDict({name: nn.Linear(FEATURES, width) for name, width in heads.items()})
        self._net = nn.ModuleDict({"encoder": self.encoder, "heads": self._heads})
        _initialise(self._net, torch.Generator().manual_seed(config.seed))
        self._net.to(self._device).to(memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(
            self._net.parameters(), lr=config.learning_rate, weight_decay=_WEIGHT_DECAY
        )

    def step(self, step: int) -> dict[str, float]:
        """One update; the losses by name. Raises Diverged."""
        generator = launch.step_generator(self._config.seed, step)
        rows_N, people_N = self._pool.draw(self._config.people, generator)
        x_NCHW = augment(to_tensor(self._pool.pixels_NHWC[rows_N.numpy()]), generator)
        self._net.train()
        h_ND = self.encoder(x_NCHW.to(self._device, memory_format=torch.channels_last))
        losses = {"identity": supervised_contrastive(h_ND, people_N.to(self._device))}
        losses |= self._truths(h_ND, rows_N)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise Diverged(f"step {step}: the loss is {total.item()}.", "Lower --learning-rate.")
        for group in self._optimiser.param_groups:
            group["lr"] = self._config.learning_rate * _schedule(step, self._config.steps)
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()
        self._optimiser.step()
        return {name: loss.item() for name, loss in losses.items()}

    def _truths(self, h_ND: Tensor, rows_N: Tensor) -> dict[str, Tensor]:
        pool, device = self._pool, self._device
        ita_N = pool.ita_N[rows_N].to(device) / _ITA_SCALE
        known_N = ~torch.isnan(ita_N)
        lesions_NK = torch.log1p(pool.lesions_NK[rows_N]).to(device)
        label_N = pool.label_N[rows_N].to(device)
        ita_error_N = self._heads["ita"](h_ND)[:, 0] - ita_N
        losses = {"lesions": functional.smooth_l1_loss(self._heads["lesions"](h_ND), lesions_NK)}
        if known_N.any():
            losses["ita"] = ita_error_N[known_N].square().mean()
        if (label_N >= 0).any():
            losses["label"] = 0.5 * functional.cross_entropy(self._heads["label"](h_ND), label_N)
        return losses

    def save(self, path: Path, step: int) -> None:
        tensors = with_prefix("net/", self._net.state_dict()) | optimiser_tensors("adam/", self._optimiser)
        write_snapshot(path, tensors, {"step": step})

    def load(self, path: Path) -> int:
        """Take up a saved state; the number of steps it had done. Raises BrokenArtefact."""
        with open_snapshot(path) as (tensors, numbers):
            self._net.load_state_dict(under_prefix("net/", tensors))
            restore_optimiser("adam/", self._optimiser, tensors)
            return int(numbers["step"])


def _initialise(net: nn.Module, generator: torch.Generator) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up over the first twentieth, then a half cosine to zero."""
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


def augment(x_NCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Other surroundings, framing, mirror, focus, light, camera noise, so that none of them says who it is.

    Strong enough to help with photos that are not drawn; images in and out [N, 3, H, W] in -1..1.
    """
    count, _, height, width = x_NCHW.shape

    def normal(deviation: float, *shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator) * deviation

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator) * (high - low) + low

    # Photos of one person often share backdrop and clothes: half of the faces get another photo's.
    inside_HW = _face_oval(height, width)
    others_NCHW = x_NCHW[torch.randperm(count, generator=generator)]
    swap_NCHW = (uniform(-1.0, 1.0) > 0) * (1 - inside_HW)
    x_NCHW = x_NCHW + swap_NCHW * (others_NCHW - x_NCHW)

    angle_N, zoom_N = normal(0.07), torch.exp(normal(0.06))
    mirror_N = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cosine_N, sine_N = zoom_N * torch.cos(angle_N), zoom_N * torch.sin(angle_N)
    rows = (cosine_N * mirror_N, -sine_N, normal(0.05), sine_N * mirror_N, cosine_N, normal(0.05))
    grid_NHW2 = functional.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), [count, 3, height, width], False)
    x_NCHW = functional.grid_sample(x_NCHW, grid_NHW2, padding_mode="reflection", align_corners=False)

    soft_NCHW = functional.avg_pool2d(x_NCHW, 3, stride=1, padding=1, count_include_pad=False)
    x_NCHW = x_NCHW + uniform(-0.6, 1.0).clamp(min=0) * (soft_NCHW - x_NCHW)

    light_NCHW = (x_NCHW + 1) / 2 * torch.exp(normal(0.12, 1, 1, 1) + normal(0.05, 3, 1, 1))
    grey_NCHW = light_NCHW.mean(dim=1, keepdim=True)
    light_NCHW = grey_NCHW + uniform(0.5, 1.4) * (light_NCHW - grey_NCHW)
    middle_NCHW = light_NCHW.mean(dim=(1, 2, 3), keepdim=True)
    light_NCHW = middle_NCHW + uniform(0.7, 1.3) * (light_NCHW - middle_NCHW)
    noise_NCHW = uniform(0.0, 0.03) * torch.randn(x_NCHW.shape, generator=generator)
    return (light_NCHW + noise_NCHW).clamp(0, 1) * 2 - 1


def _face_oval(height: int, width: int) -> Tensor:
    """1 over an aligned face, falling softly to 0 around it, [H, W]."""
    down_H, right_W = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    radius_HW = torch.sqrt((down_H[:, None] / 0.85) ** 2 + (right_W[None, :] / 0.65) ** 2)
    return ((1.1 - radius_HW) / 0.2).clamp(0, 1)


def _knowledge(
    checkpoint: Checkpoint, learn: FaceSet, held_out: FaceSet, run: RunDir
) -> dict[str, float | int]:
    """What the embedding knows of people it was not trained on; empty without a test split."""
    if len(held_out) < 2:
        return {}
    embed = embedder(checkpoint)

    def embed_all(faces: FaceSet, whose: str) -> NDArray[np.float32]:
        starts = run.progress(range(0, len(faces), _BATCH), f"embedding {whose}")
        batches = (FaceSet(faces.folder, faces.faces[start : start + _BATCH]) for start in starts)
        return np.concatenate([embed(batch.pixels(RESOLUTION)) for batch in batches])

    known_ND, new_MD = (
        embed_all(learn, "people it learned from"),
        embed_all(held_out, "people it has not seen"),
    )
    notes = {"held_out_photos": len(held_out), "held_out_same_person_nearest": _retrieval(new_MD, held_out)}
    truths: dict[str, Callable[[Face], float | None]] = {
        "severity": lambda face: None if face.label not in learn.labels else learn.labels.index(face.label),
        "lesions": lambda face: sum(_lesion_counts(face)),
        "ita": lambda face: face.ita,
    }
    for name, truth in truths.items():
        known, new = [truth(face) for face in learn], [truth(face) for face in held_out]
        if None not in (*known, *new) and len(set(new)) > 1:
            guess_M = _linear_guess(known_ND, np.array(known, float), new_MD)
            notes[f"held_out_{name}_rank_correlation"] = round(_rank_correlation(guess_M, new), 3)
    return notes


def _retrieval(rows_ND: NDArray[np.float32], faces: FaceSet) -> float:
    """Share of the photos whose nearest other photo shows the same person, among people with two or more."""
    subjects = np.array([face.subject or face.id for face in faces])
    near_N = nearest(rows_ND, rows_ND, 2)[1][:, 1]
    again_N = np.array([np.sum(subjects == subject) > 1 for subject in subjects])
    return round(float(np.mean(subjects[near_N][again_N] == subjects[again_N])), 3) if again_N.any() else 0.0


def _linear_guess(
    known_ND: NDArray[np.float32], truth_N: NDArray[np.float64], new_MD: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Ridge regression of a truth from embeddings, applied to new ones."""
    mean_D, mean = known_ND.mean(axis=0), truth_N.mean()
    centred_ND = known_ND - mean_D
    gram_DD = centred_ND.T @ centred_ND + np.eye(known_ND.shape[1])
    return (new_MD - mean_D) @ np.linalg.solve(gram_DD, centred_ND.T @ (truth_N - mean)) + mean


def _rank_correlation(guess: NDArray[np.float64], truth: list[float | None]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(guess, truth).statistic)
