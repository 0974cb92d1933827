"""Style mixing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.images import read_image
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import MixConfig
from anonderm.gan.latents.mix import mix, mixed
from anonderm.gan.latents.sheet import labelled_sheet
from anonderm.models.stylegan2.sampling import LoadedGenerator, draw_faces, synthesise


def test_mixing_a_face_with_itself_gives_the_plain_face(model: LoadedGenerator) -> None:
    w_RLD = model.styles([3, 4, 5], 0.7)
    plain = draw_faces(model.generator, [3, 4, 5], (0.7,) * 6, "const")
    for layers in (range(1), range(2, 4), range(6)):
        grid = mixed(w_RLD, w_RLD, layers)
        diagonal = torch.stack([grid[index, index] for index in range(3)])
        assert np.array_equal(synthesise(model.generator, diagonal, "const"), plain)


def test_the_chosen_layers_come_from_the_column_and_the_others_from_the_row(model: LoadedGenerator) -> None:
    rows, columns = model.styles([0, 1], 1.0), model.styles([7, 8, 9], 1.0)
    grid = mixed(rows, columns, range(2, 4))
    assert grid.shape == (2, 3, 6, 10)
    assert torch.equal(grid[1, 2, 2:4], columns[2, 2:4])
    assert torch.equal(grid[1, 2, :2], rows[1, :2])
    assert torch.equal(grid[1, 2, 4:], rows[1, 4:])
    everything = mixed(rows, columns, range(6))
    assert torch.equal(everything[0], columns)


def test_the_sheet_shows_the_plain_faces_around_the_mixed_ones(save, tmp_path: Path) -> None:
    checkpoint: Checkpoint = save()
    config = MixConfig(rows="0-1", columns="5-7", layers="0-2", psi=0.8)
    with RunDir.open(tmp_path / "run", "latents mix", config, {}) as run:
        sheet = read_image(mix(config, checkpoint, run))
    model = LoadedGenerator.of(checkpoint, None)
    rows, columns = model.styles([0, 1], 0.8), model.styles([5, 6, 7], 0.8)
    w = torch.cat([mixed(rows, columns, range(3)).flatten(0, 1), rows, columns])
    faces = synthesise(model.generator, w, "const")
    shown = [sheet[y : y + 96 : 6, x : x + 96 : 6] for y, x in _places(sheet, 3, 4)]
    assert (shown[0] == 255).all(), "nothing stands in the corner"
    assert np.array_equal(np.stack(shown[1:4]), faces[8:])
    assert np.array_equal(np.stack([shown[4], shown[8]]), faces[6:8])
    assert np.array_equal(np.stack([*shown[5:8], *shown[9:12]]), faces[:6])


def _places(sheet: np.ndarray, rows: int, columns: int) -> list[tuple[int, int]]:
    """Top left corners of the faces, 96 px large and 4 px apart, right and down to the sheet's edges."""
    bottom, right = sheet.shape[:2]
    return [
        (bottom - 100 * (rows - row), right - 100 * (columns - column))
        for row in range(rows)
        for column in range(columns)
    ]


def test_a_sheet_keeps_pixels_and_makes_room_for_long_names() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (1, 2, 8, 8, 3), dtype=np.uint8)
    narrow = labelled_sheet(faces, ["a"], ["b", "c"])
    wide = labelled_sheet(faces, ["a" * 40], ["b" * 40, "c"])
    assert wide.shape[1] > narrow.shape[1] + 400
    assert np.array_equal(narrow[20:116:12, -200:-104:12], faces[0, 0])
