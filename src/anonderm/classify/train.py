"""Training a classifier: learn on the training faces, keep the epoch that is best on the held-out ones.

Shapes: N faces, C channels, H x W pixels, D features, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.classify.augment import augment
from anonderm.classify.backbones import Classifier, cached_weights, published_normalisation
from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.predict import to_input
from anonderm.classify.progress_state import Progress
from anonderm.classify.split import learning_split
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device, step_generator
from anonderm.core.rundir import RunDir


def train_classifier(config: TrainClassifierConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on the rows of split train (or without a split), choose the epoch on val; test is never read.

    Run again with the same folder, it goes on after the last whole epoch, to the same weights. Raises
    BadLabel, TooFewImages, ConfigError, MissingWeights or Diverged.
    """
    learn, choose = learning_split(faces, config.seed)
    run.log(f"learning from {len(learn)} faces ({_counts(learn)}), choosing the epoch on {len(choose)}")
    size = config.size or learn.image(learn.faces[0]).shape[0]
    on = device()
    learning, choosing = _Data.of(learn, size, on), _Data.of(choose, size, on)
    classifier = _new_classifier(config, learn, learning, size).to(on)
    trainer = _Trainer(config, classifier, learning, choosing)
    state = Progress.resume(run, classifier, trainer.optimiser)
    steps = trainer.steps_per_epoch
    with run.bar("training the classifier", config.epochs * steps, state.epoch * steps) as bar:
        for epoch in range(state.epoch, config.epochs):
            loss, accuracy = trainer.learn_epoch(epoch, lambda: bar.advance())
            held_loss, held_accuracy = trainer.judge()
            state.after_epoch(run, classifier, trainer.optimiser, held_accuracy, held_loss)
            run.metrics(
                epoch + 1, loss=loss, accuracy=accuracy, val_loss=held_loss, val_accuracy=held_accuracy
            )
    run.log(f"best epoch {state.best_epoch}: accuracy {state.best_accuracy:.1%} on the held-out faces")
    card = _card(config, classifier, faces, learn, choose, state)
    return Checkpoint.save(run.folder / "checkpoint.safetensors", state.best_weights, card)
