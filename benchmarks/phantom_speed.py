"""Phantom faces, of all classes in turn, drawn per second of processor time."""

from __future__ import annotations

import time

import numpy as np
import results

from anonderm.phantom.condition import CLASSES, Condition, sample_condition
from anonderm.phantom.draw import draw
from anonderm.phantom.person import Person, sample_person
from anonderm.phantom.photo import Photo, sample_photo

_SECONDS = 5.0


def _subjects(count: int) -> list[tuple[Person, Photo, Condition]]:
    """People of every class in turn."""
    subjects = []
    for index in range(count):
        rng = np.random.default_rng(index)
        condition = sample_condition(rng, CLASSES[index % len(CLASSES)])
        subjects.append((sample_person(rng), sample_photo(rng), condition))
    return subjects


def faces_per_second(size: int, lesion_scale: float) -> float:
    """Drawing alone; numpy's element-wise operations use one core."""
    subjects = _subjects(300)
    drawn, start = 0, time.process_time()
    while time.process_time() - start < _SECONDS:
        draw(*subjects[drawn % len(subjects)], size, lesion_scale)
        drawn += 1
    return drawn / (time.process_time() - start)


if __name__ == "__main__":
    scales = {64: 2.8, 256: 1.4, 1024: 1.0}
    speeds = {f"faces_per_s_{size}_px": faces_per_second(size, scale) for size, scale in scales.items()}
    results.write("phantom_speed", {name: round(speed, 1) for name, speed in speeds.items()})
