"""The released pictures: every face as a marked PNG, made once and then read by each format."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from anonderm.core.errors import BrokenArtefact
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_bytes, write_bytes
from anonderm.core.images import decode_image
from anonderm.core.records import Face
from anonderm.publish.release.marks import marked_png
from anonderm.publish.release.signing import Signer


@dataclass(frozen=True)
class Pictures:
    """`folder` keeps what was made until the release is whole, so that a resumed export makes none twice."""

    faces: FaceSet
    folder: Path
    signer: Signer | None = None

    def path(self, face: Face) -> Path:
        """The PNG of a face. Raises BrokenArtefact where its image is not the one that was audited."""
        path = self.folder / f"{face.id}.png"
        if not path.exists():
            png = marked_png(decode_image(self._audited(face), str(self.faces.folder / face.file)))
            write_bytes(path, self.signer.sign(png) if self.signer else png)
        return path

    def png(self, face: Face) -> bytes:
        return self.path(face).read_bytes()

    def size(self) -> tuple[int, int]:
        """Width and height of the first face."""
        height, width = self.faces.image(self.faces.faces[0]).shape[:2]
        return width, height

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _audited(self, face: Face) -> bytes:
        """The image's bytes, which must be those that the manifest, and so the audit, knows."""
        path = self.faces.folder / face.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BrokenArtefact(
                f"{path}: cannot be read ({error.strerror}).", "Make the set again."
            ) from error
        if sha256_bytes(data) != face.sha256:
            raise BrokenArtefact(
                f"{path}: not the image that the manifest and the audit are about.",
                "Somebody changed it. Make the set again, and audit it.",
            )
        return data
