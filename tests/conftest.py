"""Shared fixtures: the real images, if available, and a classifier with known behaviour."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from anonderm.models.classifier.heads import Head
    from anonderm.models.classifier.network import Classifier

# Test machines are shared: a slow example is not a failure.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

os.environ.setdefault("HF_HUB_OFFLINE", "1")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _restored_signal_handler() -> Iterator[None]:
    """The command line replaces the handler of SIGTERM."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session", autouse=True)
def _no_user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Embeddings are not stored in the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANONDERM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real face images; tests that need it are skipped if it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real face images in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def red_classifier() -> Callable[..., Classifier]:
    """`red_classifier(classes, head)`: the redder an image, the higher the outputs of the later classes."""
    import torch

    from anonderm.models.classifier.network import Classifier

    class Red(torch.nn.Module):
        feature_info = ({"module": "conv"},)

        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 1, 4, stride=4, bias=False)
            with torch.no_grad():
                self.conv.weight.zero_()[:, 0] = 1 / 16

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x).mean((2, 3))

    def make(classes: tuple[str, ...], head: Head | None = None) -> Classifier:
        classifier = Classifier("test_resnet", classes, 64, head_type=head)
        classifier.backbone, classifier.head = Red(), torch.nn.Linear(1, len(classes))
        classifier.normalise((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        with torch.no_grad():
            classifier.head.weight.copy_(torch.arange(len(classes)).float()[:, None])
        return classifier.eval()

    return make
