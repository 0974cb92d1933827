"""Photos that passed all checks, stored as faces: a few at a time, in order, resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonderm.core.affine import crop_and_scale, map_lesions
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import encode_png, resize, square
from anonderm.core.records import Face, Lesion
from anonderm.core.rundir import RunDir
from anonderm.core.threads import in_order
from anonderm.ingest.checks import Check
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Photo


@dataclass(frozen=True, slots=True)
class Source:
    """A photo with the id of its face and the pseudonym of its person."""

    id: str
    subject: str
    person: str
    check: Check

    @property
    def photo(self) -> Photo:
        return self.check.photo


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is written for a photo."""

    source: Source
    data: bytes
    suffix: str
    mask_HW: NDArray[np.bool_] | None


def store_faces(
    sources: Sequence[Source], splits: Mapping[str, str], layout: str, config: IngestConfig, run: RunDir
) -> FaceSet:
    """`splits`: by id. Faces that an earlier run stored are left as they are."""
    writer = FaceSetWriter(run.folder / "faces")
    lesions = {source.id: _lesions(source.check, config) for source in sources}
    if lost := sum(count for _, count in lesions.values()):
        run.log(f"{lost} lesion boxes lie outside the square cut from their photo and are left out")
    todo = [source for source in sources if source.id not in writer.done]
    with run.bar("storing faces", len(sources), done=len(sources) - len(todo)) as bar:
        for stored in in_order(lambda source: _prepare(source, config), todo):
            source = stored.source
            face = Face(
                source.id,
                label=source.photo.label,
                subject=source.subject,
                split=splits[source.id],
                source=layout,
                licence=config.licence or source.photo.licence,
                lesions=lesions[source.id][0],
                lesion_types=source.photo.lesion_types,
            )
            writer.add_photo(stored.data, stored.suffix, face, stored.mask_HW)
            bar.advance()
    return writer.finish()


def _prepare(source: Source, config: IngestConfig) -> _Stored:
    mask_HW = _whole_mask(source.check)
    if config.whole:
        return _Stored(source, source.photo.read(), source.photo.place.suffix, mask_HW)
    image_HWC = resize(square(source.photo.pixels()), config.size)
    if mask_HW is not None:
        mask_HW = _resized(square(mask_HW), config.size, config.size)
    return _Stored(source, encode_png(image_HWC), ".png", mask_HW)


def _whole_mask(check: Check) -> NDArray[np.bool_] | None:
    """The source's mask, as large as the photo."""
    mask = check.photo.mask
    return None if mask is None else _resized(mask.read(), check.width, check.height)


def _resized(mask_HW: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
    """A pixel is skin where at least half of what it covers is."""
    if mask_HW.shape == (height, width):
        return mask_HW
    grey = Image.fromarray(np.where(mask_HW, 255, 0).astype(np.uint8))
    return np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR)) > 127


def _lesions(check: Check, config: IngestConfig) -> tuple[tuple[Lesion, ...], int]:
    """Boxes in the stored picture, and how many were lost at the cut."""
    if config.whole:
        return check.photo.lesions, 0
    side = min(check.width, check.height)
    left, top = (check.width - side) // 2, (check.height - side) // 2
    cut = crop_and_scale(left, top, side, side, (config.size, config.size))
    return map_lesions(check.photo.lesions, cut, (config.size, config.size))
