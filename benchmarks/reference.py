"""NVIDIA's own code, from a checkout that the user made; none of it is part of this package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any


@cache
def use(reference: Path) -> Any:
    """Their module of networks; small stand-ins for what only their downloads and version checks import.

    reference: a checkout of NVlabs/stylegan3 or NVlabs/stylegan2-ada-pytorch.
    """
    if importlib.util.find_spec("requests") is None:
        sys.modules["requests"] = types.ModuleType("requests")
    if importlib.util.find_spec("pkg_resources") is None:
        from packaging.version import parse

        sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
        sys.modules["pkg_resources"].parse_version = parse  # type: ignore[attr-defined]
    sys.path.insert(0, str(reference))
    newer = (reference / "training/networks_stylegan2.py").exists()
    return importlib.import_module("training.networks_stylegan2" if newer else "training.networks")
