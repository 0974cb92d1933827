"""Dice and IoU of skin segmenters, on held-out phantoms and on photos with hand-placed landmarks.

    python benchmarks/skin_dice.py [--pairs FOLDER] [--network NAME=CHECKPOINT ...] [--overlays FOLDER]

--pairs FOLDER holds the Face Research Lab London Set (DeBruine and Jones 2017, doi
10.6084/m9.figshare.5047666, CC-BY 4.0) as ID_neutral.jpg and ID_neutral.landmarks.csv: 189 hand-placed points
in the order of WebMorph's FRL template. The true masks are the inside of the face's outline, which follows
the hairline, without eyes, brows and lips; beards, and hair that falls into the face, count as skin.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import results
from numpy.typing import NDArray

from anonderm.core import weights
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.images import grid, read_image, write_png
from anonderm.metrics.confusion import Agreement
from anonderm.models.skin_segmenter.segment import CLASSES as PARTS
from anonderm.models.skin_segmenter.segment import Segmenter, load_face_parsing, load_segmenter
from anonderm.phantom.condition import CLASSES, sample_condition
from anonderm.phantom.draw import draw
from anonderm.phantom.person import sample_person
from anonderm.phantom.photo import sample_photo
from anonderm.skin.skin import overlay

_PEOPLE = 60
_SIZES = (128, 256, 512)
_SEED = 900_000  # people on whom phantom-skin was not trained
_OUTLINE = [*range(134, 145), 112, 113, 114, *range(133, 124, -1), 111, 110, 109]
_NOT_SKIN = {
    "left eye": [18, 19, 20, 21, 22, 30, 29, 28],
    "right eye": [23, 24, 25, 26, 27, 33, 32, 31],
    "left brow": [71, 72, 73, 74, 75, 76, 84, 83],
    "right brow": [77, 78, 79, 80, 81, 82, 86, 85],
    "lips": [*range(87, 94), *range(108, 103, -1)],
}

Case = tuple[NDArray[np.uint8], NDArray[np.bool_]]


def main() -> None:
    parser = results.argument_parser(__doc__)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--network", action="append", default=[], metavar="NAME=CHECKPOINT")
    parser.add_argument("--overlays", type=Path)
    options = parser.parse_args()
    networks = {"phantom-skin": load_segmenter(weights.load("phantom-skin"))}
    networks |= {
        name: _open(Path(path)) for name, _, path in (each.partition("=") for each in options.network)
    }
    sets = {f"phantom {size} px": phantoms(size) for size in _SIZES}
    if options.pairs:
        sets["London Set"] = people(options.pairs)
    numbers = {
        name: {title: measure(segmenter, cases) for title, cases in sets.items()}
        for name, segmenter in networks.items()
    }
    if options.pairs and options.overlays:
        for name, segmenter in networks.items():
            overlays = [overlay(image, mask) for image, truth in sets["London Set"]
                        for mask in (truth, segmenter.mask(image))]  # fmt: skip
            write_png(options.overlays / f"{name}.png", grid(np.stack(overlays), 10))
    results.write("skin_dice", {"networks": numbers})


def _open(path: Path) -> Segmenter:
    return load_face_parsing(path) if path.suffix == ".pth" else load_segmenter(Checkpoint.load(path))


def phantoms(size: int) -> list[Case]:
    cases = []
    for index in range(_PEOPLE):
        rng = np.random.default_rng(_SEED + index)
        condition = sample_condition(rng, CLASSES[index % len(CLASSES)])
        drawing = draw(sample_person(rng), sample_photo(rng), condition, size)
        cases.append((drawing.image, drawing.skin))
    return cases


def people(folder: Path) -> list[Case]:
    cases = []
    for table in sorted(folder.glob("*.landmarks.csv")):
        image = read_image(table.with_name(table.name.replace(".landmarks.csv", ".jpg")))
        points = np.loadtxt(table, delimiter=",", skiprows=1)
        mask = np.zeros(image.shape[:2], np.uint8)
        for rows, value in [(_OUTLINE, 1), *((rows, 0) for rows in _NOT_SKIN.values())]:
            cv2.fillPoly(mask, [np.round(points[rows]).astype(np.int32)], value)
        cases.append((image, mask.astype(bool)))
    return cases


def measure(segmenter: Segmenter, cases: list[Case]) -> dict[str, float | int]:
    """Dice of each class and mean IoU over all pixels; lowest and median Dice of skin over the photos."""
    pooled, by_photo = Agreement(PARTS), []
    for image, truth in cases:
        predicted = segmenter.mask(image)
        pooled.add(truth.astype(np.uint8), predicted.astype(np.uint8))
        by_photo.append(2 * (predicted & truth).sum() / (predicted.sum() + truth.sum()))
    return {
        "photos": len(cases),
        **{f"dice_{name}": round(value, 4) for name, value in pooled.dice.items()},
        "dice": round(pooled.mean_dice, 4),
        "miou": round(pooled.mean_iou, 4),
        "dice_skin_lowest_photo": round(float(min(by_photo)), 4),
        "dice_skin_median_photo": round(float(np.median(by_photo)), 4),
    }


if __name__ == "__main__":
    main()
