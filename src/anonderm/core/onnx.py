"""A user's own network in an ONNX file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import InputError, MissingExtra, MissingPath


class OnnxNetwork:
    """Runs on one core, as pictures are divided among processes. shape: of the first input.

    Raises MissingExtra, MissingPath with `wanted` as its hint, or InputError if the file is no network.
    """

    def __init__(self, path: Path, wanted: str) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            hint = "Install it with: pip install 'anonderm[onnx]'"
            raise MissingExtra("ONNX needs onnxruntime, which is not installed.", hint) from error
        if not path.is_file():
            raise MissingPath(f"{path}: no such file.", wanted)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common class but this
            raise InputError(
                f"{path}: onnxruntime cannot read it ({error}).", "Download or export it again."
            ) from error
        first = self._session.get_inputs()[0]
        self._name, self.shape, self.path = first.name, list(first.shape), path

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """The first output."""
        return np.asarray(self._session.run(None, {self._name: batch})[0])
