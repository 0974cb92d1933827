"""The faces of an epoch."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
import torch

from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.train_classifier import train_classifier
from anonderm.classify.trainer import rows_of_epoch
from anonderm.core.launch import step_generator


def rows(config: TrainClassifierConfig, count: int, epoch: int) -> list[int]:
    found: list[int] = rows_of_epoch(config, count, epoch, step_generator(config.seed, epoch)).tolist()
    return found


def test_an_epoch_has_every_face_once():
    assert sorted(rows(TrainClassifierConfig(), 7, 0)) == list(range(7))


@pytest.mark.parametrize(("shown", "epochs"), [(4, 9), (12, 3), (30, 3), (1, 24)])
def test_over_epochs_of_another_size_all_faces_are_used_equally_often(shown: int, epochs: int):
    config = TrainClassifierConfig(epoch_faces=shown)
    every = [rows(config, 12, epoch) for epoch in range(epochs)]
    assert {len(each) for each in every} == {shown}
    times = Counter(row for each in every for row in each)
    assert max(times.values()) - min(times[row] for row in range(12)) <= 1
    assert every == [rows(config, 12, epoch) for epoch in range(epochs)]
    other = dataclasses.replace(config, seed=1)
    assert every != [rows(other, 12, epoch) for epoch in range(epochs)]


def test_epochs_of_a_large_set_can_have_the_steps_of_a_small_one(make_faces, open_run, small_config):
    faces = make_faces("faces", {"healthy": 0, "mild": 90}, {"train": 20, "val": 2})
    config = dataclasses.replace(small_config, epoch_faces=16)
    with open_run("run", config) as run:
        train_classifier(config, faces, run)
        log = (run.folder / "log.txt").read_text(encoding="utf-8")
    assert "training on 40 faces" in log
    assert torch.equal(*(rows_of_epoch(config, 40, 1, torch.Generator()) for _ in range(2)))
