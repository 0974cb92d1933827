"""people.png, by which the user checks who was taken for whom: all distances, and the doubtful pairs."""

# N photos, D features of a descriptor

import heapq
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from anonderm.core.images import Pixels, resize, square
from anonderm.embeddings.matchers.matcher import Picture
from anonderm.embeddings.people.chance import BINS
from anonderm.embeddings.people.threshold import Distances, Threshold
from anonderm.metrics.pairwise import pairs_within

_WIDTH, _TOP = 1040, 380
_TILE, _PAIRS = 120, 8  # _PAIRS: pairs in a row
_ROW = 2 * _TILE + 50

Pair = tuple[float, int, int]  # distance, two photos


@dataclass(frozen=True)
class Shown:
    """A row of pairs: a caption and two photos each; the first few are shown."""

    title: str
    pairs: Sequence[tuple[str, int, int]]


def sheet(
    photos: Sequence[Picture], distances: Distances, threshold: Threshold, rows: Sequence[Shown]
) -> Pixels:
    """uint8 [H, W, 3]. Raises MissingPath or UnreadableImage."""
    filled = [row for row in rows if row.pairs]
    picture = Image.new("RGB", (_WIDTH, _TOP + len(filled) * _ROW), "white")
    picture.paste(_histogram(distances, threshold))
    pen = ImageDraw.Draw(picture)
    for number, row in enumerate(filled):
        y = _TOP + number * _ROW
        pen.text((10, y), f"{row.title} (= together, != apart)" if number < 2 else row.title, "black")
        for column, (caption, one, two) in enumerate(row.pairs[:_PAIRS]):
            x = 10 + column * (_TILE + 8)
            for index, photo in enumerate((photos[one], photos[two])):
                tile = resize(np.ascontiguousarray(square(photo.pixels())), _TILE)
                picture.paste(Image.fromarray(tile), (x, y + 15 + index * _TILE))
            pen.text((x, y + 17 + 2 * _TILE), caption, "black")
    return np.asarray(picture)


def nearest(descriptors_ND: NDArray[np.float32], threshold: float) -> tuple[list[Pair], list[Pair]]:
    """The pairs of photos closest to the threshold, below and above it."""
    below: list[Pair] = []
    above: list[Pair] = []
    for one, two, distances_BB in pairs_within(descriptors_ND):
        flat = distances_BB.ravel()
        for pairs, chosen in ((below, flat <= threshold), (above, (flat > threshold) & np.isfinite(flat))):
            places = np.flatnonzero(chosen)
            places = places[np.argsort(np.abs(flat[places] - threshold), kind="stable")[:_PAIRS]]
            rows, columns = np.unravel_index(places, distances_BB.shape)
            found = zip(flat[places].tolist(), rows.tolist(), columns.tolist(), strict=True)
            pairs += [(distance, row + one.start, column + two.start) for distance, row, column in found]
    return heapq.nlargest(_PAIRS, below), heapq.nsmallest(_PAIRS, above)


def _histogram(distances: Distances, threshold: Threshold) -> Image.Image:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH / 100, _TOP / 100), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    series = {"all pairs of photos": distances.all, "one known person": distances.genuine}
    series["two known people"] = distances.impostor
    for name, counts in series.items():
        if counts.any():
            axes.stairs(counts, BINS, label=f"{name} ({counts.sum():,})", fill=counts is distances.genuine)
    axes.axvline(threshold.value, color="black", linestyle="--", label=f"threshold {threshold.value:.3f}")
    axes.set(xlabel="distance of descriptors", ylabel="pairs", yscale="log", xlim=(0, 1.6))
    axes.set_title(threshold.how, fontsize=9)
    axes.legend(fontsize=8)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    data.seek(0)
    return Image.open(data, formats=("PNG",)).convert("RGB")
