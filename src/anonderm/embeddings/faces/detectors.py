"""The detectors by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from anonderm.core import weights
from anonderm.core.errors import MissingExtra, MissingWeights
from anonderm.core.files import sha256_bytes, sha256_file
from anonderm.core.images import Pixels
from anonderm.embeddings.faces.detected import DetectedFace, Detector
from anonderm.embeddings.faces.dlib_detector import FIVE_POINTS, DlibFaces, load_dlib, model_path

DetectorName = Literal["dlib", "yunet"]
DETECTORS: tuple[str, ...] = get_args(DetectorName)
"""The names, in the order in which `auto` asks them (measured: docs/decisions.md)."""


class FirstThatFinds:
    """Several detectors: the faces of the first with a certain one, or else of the first with any."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = detectors

    def find(self, photo_HWC: Pixels) -> list[DetectedFace]:
        """See Detector."""
        first: list[DetectedFace] = []
        for detector in self._detectors:
            found = detector.find(photo_HWC)
            if any(face.certain for face in found):
                return found
            first = first or found
        return first


def detector(
    name: Literal["auto"] | DetectorName = "auto", *, every: bool = False, parts: bool = False
) -> Detector:
    """The detector of this name; auto: all that are installed, one after the other.

    every: also look for small faces beside a large one. parts: also for a face of which the photo shows half,
    by mirroring the photo at its edges. Raises MissingExtra, MissingWeights or BrokenArtefact.
    """
    made = [_make(each, every, parts) for each in (installed() if name == "auto" else (name,))]
    return made[0] if len(made) == 1 else FirstThatFinds(made)


def installed() -> tuple[str, ...]:
    """The detectors that can be used here, in their order. Raises MissingExtra if there is none."""
    found = tuple(name for name in DETECTORS if _is_installed(name))
    if not found:
        raise MissingExtra(
            "No face detector is installed.",
            "Fetch YuNet with `anonderm weights fetch yunet`, or install dlib with "
            "`pip install 'anonderm[faces]'`.",
        )
    return found


def detector_digest() -> str:
    """Changes when the faces that detector("auto", parts=True) finds could.

    Raises MissingExtra or BrokenArtefact.
    """
    return sha256_bytes("parts".join(sha256_file(_file(name)) for name in installed()).encode())


def _make(name: str, every: bool, parts: bool) -> Detector:
    if name == "yunet":
        from anonderm.embeddings.faces.yunet import YuNet

        return YuNet(_file(name), every, parts)
    return DlibFaces(every=every, parts=parts)


def _is_installed(name: str) -> bool:
    try:
        return bool(_file(name))
    except (MissingExtra, MissingWeights):
        return False


def _file(name: str) -> Path:
    """The detector's weights. Raises MissingExtra, MissingWeights or BrokenArtefact."""
    if name == "yunet":
        return weights.locate("yunet")
    load_dlib()
    return model_path(FIVE_POINTS)
