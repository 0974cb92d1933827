"""The released pictures: every face as a marked PNG, made once for all formats."""

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
    """`folder` keeps the PNGs until the release is complete, so a resumed export does not repeat them."""

    faces: FaceSet
    folder: Path
    signer: Signer | None = None

    def path(self, face: Face) -> Path:
        """The PNG of a face. Raises BrokenArtefact if its image is not the one that was audited."""
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

    def _audited(self, face: Face) -> bytes:
        """The image's bytes, which must match the checksum in the manifest that was audited."""
        path = self.faces.folder / face.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BrokenArtefact(
                f"{path}: cannot be read ({error.strerror}).", "Generate the set again."
            ) from error
        if sha256_bytes(data) != face.sha256:
            raise BrokenArtefact(
                f"{path}: this is not the image that was audited; its checksum differs from the manifest.",
                "Generate the set again, and repeat the audit.",
            )
        return data
