"""Embeddings [N, D] of faces: the narrow waist on which every distance, and every search for copies, works.

phantom-encoder  a small network trained on drawn faces (evaluate/encoder/); rows have length sqrt(D)
thumbnail        knows nothing of faces and has no weights: the small, normalised picture of luminance and its
                 gradients; rows have length 1, so the squared distance of two is 2 - 2 x their correlation
inception, dinov2  the networks of the published FID and FD (evaluate/published.py); a user brings the weights
"""

# N images, H x W pixels, C channels, D features, S side of a thumbnail

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from anonderm.core import progress
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_file
from anonderm.core.images import LUMINANCE, Pixels, resize
from anonderm.embeddings.kept import kept

Embeddings = NDArray[np.float32]

ExtractorName = Literal["phantom-encoder", "thumbnail", "inception", "dinov2"]
EXTRACTORS: tuple[str, ...] = get_args(ExtractorName)

# Extractors that take weights of others, and the name of these in the register.
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
    """Raises ConfigError for a name not in EXTRACTORS, MissingWeights where its weights are not here."""
    if name == "thumbnail":
        recipe = f"thumbnail-{_THUMBNAIL_SIDE}-luminance-gradients"
        return Extractor(name, 4 * _THUMBNAIL_SIDE, hashlib.sha256(recipe.encode()).hexdigest(), _thumbnail)
    if name == "phantom-encoder":
        from anonderm.core import weights
        from anonderm.embeddings.encoder import embedder

        checkpoint = weights.load(name)
        return Extractor(name, checkpoint.card.resolution, checkpoint.digest, embedder(checkpoint))
    if name in PUBLISHED:
        return _published(name)
    raise ConfigError(f"unknown extractor {name!r}.", f"Known extractors: {', '.join(EXTRACTORS)}.")


def _published(name: str) -> Extractor:
    from anonderm.core import weights
    from anonderm.embeddings import published

    file = weights.locate(PUBLISHED[name])
    make, size = {
        "inception": (published.inception, published.INCEPTION_SIZE),
        "dinov2": (published.dinov2, published.DINOV2_SIZE),
    }[name]
    digest = hashlib.sha256(f"{name}-{size}-clean-{sha256_file(file)}".encode()).hexdigest()
    return Extractor(name, size, digest, make(file), published.clean_resize)


def embed_pixels(pixels_NHWC: Pixels, name: str) -> Embeddings:
    """Embeddings float32 [N, D] of square uint8 images of any size. Raises ConfigError, MissingWeights."""
    chosen = extractor(name)
    batches = [pixels_NHWC[start : start + _BATCH] for start in range(0, max(1, len(pixels_NHWC)), _BATCH)]
    return np.concatenate([chosen.function(chosen.fit(batch)) for batch in batches])


def embed(faces: FaceSet, name: str, *, flip: bool = False) -> Embeddings:
    """Embeddings float32 [N, D] of a FaceSet, with `flip` of its mirrored images.

    Computed once for each (FaceSet, extractor) and kept in faces.folder/embeddings; a folder that cannot be
    written is only not used for keeping. Kept ones are mapped from their file, read-only: rows come into
    memory as they are used. Raises ConfigError, MissingWeights, MissingPath, UnreadableImage.
    """
    chosen = extractor(name)
    side = "-flipped" if flip else ""
    path = faces.folder / "embeddings" / f"{name}{side}-{faces.digest[:16]}-{chosen.digest[:16]}.npy"
    return kept(path, len(faces), lambda: _embed_files(faces, chosen, flip))


def _embed_files(faces: FaceSet, chosen: Extractor, flip: bool) -> Embeddings:
    rows = [chosen.function(np.zeros((0, chosen.size, chosen.size, 3), np.uint8))]
    with progress.bar(f"embedding with {chosen.name}", len(faces)) as bar:
        for batch in faces.batches(_BATCH):
            pixels_NHWC = chosen.fit(batch.image(face) for face in batch)
            rows.append(chosen.function(pixels_NHWC[:, :, ::-1] if flip else pixels_NHWC))
            bar.advance(len(batch))
    return np.concatenate(rows)


def _thumbnail(pixels_NHWC: Pixels) -> Embeddings:
    """Luminance and its two gradients at 16 x 16, each with mean 0 and equal weight.

    Small enough to forgive a slight crop or JPEG; without its mean and scale it forgives a change of
    brightness, contrast or colour; gradients keep soft shading from outweighing what is drawn on it.
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
