"""Embeddings [N, D] of faces, on which all distances and searches work.

phantom-encoder  a small network trained on drawn faces (evaluate/encoder/); rows have length sqrt(D)
thumbnail        no network: the small, normalised picture of luminance and its gradients; rows have length 1,
                 so the squared distance of two rows is 2 - 2 x their correlation
inception, dinov2  the networks of the published FID and FD (published.py); the user provides the weights
"""

# N images, H x W pixels, C channels, D features, S side of a thumbnail

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from anonderm.core import progress, weights
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_bytes, sha256_file
from anonderm.core.images import LUMINANCE, Pixels, resize
from anonderm.core.records import Face
from anonderm.embeddings.store import Store, key

Embeddings = NDArray[np.float32]

ExtractorName = Literal["phantom-encoder", "thumbnail", "inception", "dinov2"]
EXTRACTORS: tuple[str, ...] = get_args(ExtractorName)

# Extractors with third-party weights, and the name of these in the register.
PUBLISHED = {"inception": "inception-fid", "dinov2": "dinov2-vitl14"}

_BATCH = 256
_THUMBNAIL_SIDE = 16


@dataclass(frozen=True)
class Extractor:
    """`function` maps uint8 [N, size, size, 3] to float32 [N, D]; `digest` changes when its values could.

    resize: brings one square image to `size`.
    """

    name: str
    size: int
    digest: str
    function: Callable[[Pixels], Embeddings]
    resize: Callable[[Pixels, int], Pixels] = resize

    def fit(self, images: Iterable[Pixels]) -> Pixels:
        """Square images of any size as uint8 [N, size, size, 3]."""
        stack = [self.resize(image, self.size) for image in images]
        return np.stack(stack) if stack else np.zeros((0, self.size, self.size, 3), np.uint8)


@cache
def extractor(name: str) -> Extractor:
    """Raises ConfigError for a name not in EXTRACTORS, MissingWeights if its weights are not installed."""
    if name == "thumbnail":
        recipe = f"thumbnail-{_THUMBNAIL_SIDE}-luminance-gradients"
        return Extractor(name, 4 * _THUMBNAIL_SIDE, sha256_bytes(recipe.encode()), _thumbnail)
    if name == "phantom-encoder":
        from anonderm.embeddings.encoder import embedder

        checkpoint = weights.load(name)
        return Extractor(name, checkpoint.card.resolution, checkpoint.digest, embedder(checkpoint))
    if name in PUBLISHED:
        from anonderm.embeddings import published

        file = weights.locate(PUBLISHED[name])
        make, size = {
            "inception": (published.inception, published.INCEPTION_SIZE),
            "dinov2": (published.dinov2, published.DINOV2_SIZE),
        }[name]
        digest = sha256_bytes(f"{name}-{size}-clean-{sha256_file(file)}".encode())
        return Extractor(name, size, digest, make(file), published.clean_resize)
    raise ConfigError(f"unknown extractor {name!r}.", f"Known extractors: {', '.join(EXTRACTORS)}.")


def embed_pixels(pixels_NHWC: Pixels, name: str) -> Embeddings:
    """Embeddings float32 [N, D] of square uint8 images of any size. Raises ConfigError, MissingWeights."""
    chosen = extractor(name)
    batches = [pixels_NHWC[start : start + _BATCH] for start in range(0, max(1, len(pixels_NHWC)), _BATCH)]
    return np.concatenate([chosen.function(chosen.fit(batch)) for batch in batches])


def embed(faces: FaceSet, name: str, *, flip: bool = False) -> Embeddings:
    """Embeddings float32 [N, D] of a FaceSet, with `flip` of its mirrored images.

    Computed once for each picture and extractor, see store.py. Raises ConfigError, MissingWeights,
    MissingPath or UnreadableImage.
    """
    return _embed(faces, name, (flip,))[:, 0]


def embed_both_sides(faces: FaceSet, name: str) -> Embeddings:
    """Embeddings float32 [N, 2, D] of the images and the mirrored images; each image is decoded once."""
    return _embed(faces, name, (False, True))


def _embed(faces: FaceSet, name: str, sides: tuple[bool, ...]) -> Embeddings:
    chosen = extractor(name)
    width = chosen.function(np.zeros((0, chosen.size, chosen.size, 3), np.uint8)).shape[1]
    views = [(face, flip) for face in faces for flip in sides]

    def compute(missing: list[int]) -> Iterable[Embeddings]:
        with progress.bar(f"embedding with {name}", len(missing)) as bar:
            for start in range(0, len(missing), _BATCH):
                batch = [views[position] for position in missing[start : start + _BATCH]]
                yield chosen.function(_fitted(faces, batch, chosen))
                bar.advance(len(batch))

    keys = [key(face.sha256, mirrored=flip) for face, flip in views]
    rows = Store(name, chosen.digest, (width,)).rows(keys, compute)
    return rows.reshape(len(faces), len(sides), width)


def _fitted(faces: FaceSet, views: Sequence[tuple[Face, bool]], chosen: Extractor) -> Pixels:
    """The images at the extractor's size; two consecutive views of one face are decoded once."""
    fitted: list[Pixels] = []
    last: Face | None = None
    for face, flip in views:
        if face is not last:
            last, pixels_1HWC = face, chosen.fit([faces.image(face)])
        fitted.append(pixels_1HWC[:, :, ::-1] if flip else pixels_1HWC)
    return np.concatenate(fitted)


def _thumbnail(pixels_NHWC: Pixels) -> Embeddings:
    """Luminance and its two gradients at 16 x 16, each with mean 0 and equal weight.

    At this size a slight crop or JPEG compression changes little. Without mean and scale, neither do
    brightness, contrast and colour. The gradients give fine structure its weight beside soft shading.
    """
    luminance_NHW = pixels_NHWC.astype(np.float32) @ LUMINANCE
    count, side, step = len(pixels_NHWC), _THUMBNAIL_SIDE, luminance_NHW.shape[1] // _THUMBNAIL_SIDE
    small_NSS = luminance_NHW.reshape(count, side, step, side, step).mean(axis=(2, 4))
    down_NSS, right_NSS = np.gradient(small_NSS, axis=(1, 2))
    pictures = (small_NSS, down_NSS, right_NSS)
    channels = [_unit_rows(picture.reshape(count, side * side)) for picture in pictures]
    return (np.concatenate(channels, axis=1) / np.sqrt(len(channels))).astype(np.float32)


def _unit_rows(rows_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of mean 0 and length 1; a constant row becomes 0."""
    centred = rows_ND - rows_ND.mean(axis=1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
