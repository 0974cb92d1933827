"""Frames -> MP4 (VP9), which browsers play and which needs no patented or GPL encoder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from anonderm.core.errors import MissingExtra, StorageError
from anonderm.core.files import atomic_path
from anonderm.core.images import read_image


def write_video(path: Path, frames: Iterable[Path], fps: int) -> None:
    """Write images of one size as a video. Raises MissingExtra if OpenCV has no encoder, StorageError."""
    import cv2

    with atomic_path(path) as temporary:
        writer = None
        try:
            for file in frames:
                image_HWC = read_image(file)
                if writer is None:
                    size = (image_HWC.shape[1], image_HWC.shape[0])
                    writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"vp09"), fps, size)
                    if not writer.isOpened():
                        raise MissingExtra(
                            f"{path}: this OpenCV cannot write VP9.", "pip install opencv-python-headless"
                        )
                writer.write(image_HWC[:, :, ::-1])
        finally:
            if writer is not None:
                writer.release()
        if not temporary.exists() or temporary.stat().st_size == 0:
            raise StorageError(f"{path}: the video could not be written.", "Check whether the disk is full.")
