from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch) -> None:
    """Each test starts without stored embeddings."""
    monkeypatch.setenv("ANONDERM_CACHE", str(tmp_path / "cache"))
