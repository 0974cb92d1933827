"""Photos that passed all checks, stored as faces: a few at a time, in order, resumable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.affine import crop_and_scale, map_known_lesions
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import encode_png, resize, resize_mask, square
from anonderm.core.parallel import in_threads
from anonderm.core.records import Face, IdentifiedBy, Lesion
from anonderm.core.rundir import RunDir
from anonderm.ingest.checks import Check
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Photo

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Source:
    """A photo with the id of its face, and the person with a pseudonym, `subject`.

    identified_by: what tells who it is, None if nothing does.
    """

    id: str
    subject: str
    person: str
    check: Check
    identified_by: IdentifiedBy | None = None

    @property
    def photo(self) -> Photo:
        return self.check.photo

    @property
    def stratum(self) -> str:
        """The class by which splits are stratified; no class can have the name of the unlabelled."""
        return self.photo.label or "(no label)"


def write_faces(
    sources: Sequence[Source], splits: Mapping[str, str], layout: str, config: IngestConfig, run: RunDir
) -> FaceSet:
    """`splits`: by id. Faces that an earlier run stored are left as they are."""
    writer = FaceSetWriter(run.folder / "faces")
    lesions = {source.id: _lesions(source.check, config) for source in sources}
    if lost := sum(count for _, count in lesions.values()):
        run.log(f"{lost} lesion boxes lie outside the square cut from their photo and are left out")
    todo = [source for source in sources if source.id not in writer.done]
    with run.bar("storing faces", len(sources), done=len(sources) - len(todo)) as bar:
        encoded = in_threads(lambda source: _encode(source, config), todo)
        for source, (data, suffix, mask_HW) in zip(todo, encoded, strict=True):
            face = Face(
                source.id,
                label=source.photo.label,
                subject=source.subject,
                identified_by=source.identified_by,
                split=splits[source.id],
                source=layout,
                licence=config.licence or source.photo.licence,
                lesion_types=source.photo.lesion_types,
            ).with_lesions(lesions[source.id][0])
            writer.add_photo(data, suffix, face, mask_HW)
            bar.advance()
    return writer.finish()


def _encode(source: Source, config: IngestConfig) -> tuple[bytes, str, Mask | None]:
    """The image file of a face, its suffix, and the skin mask."""
    photo, check = source.photo, source.check
    mask_HW = resize_mask(photo.mask_HW(), check.width, check.height) if photo.masks else None
    if config.whole:
        return photo.read(), photo.place.suffix, mask_HW
    image_HWC = resize(square(photo.pixels()), config.size)
    if mask_HW is not None:
        mask_HW = resize_mask(square(mask_HW), config.size, config.size)
    return encode_png(image_HWC), ".png", mask_HW


def _lesions(check: Check, config: IngestConfig) -> tuple[tuple[Lesion, ...] | None, int]:
    """Boxes in the stored picture, and how many were lost by cropping."""
    if config.whole:
        return check.photo.lesions, 0
    side = min(check.width, check.height)
    left, top = (check.width - side) // 2, (check.height - side) // 2
    cut = crop_and_scale(left, top, side, side, (config.size, config.size))
    return map_known_lesions(check.photo.lesions, cut, (config.size, config.size))
