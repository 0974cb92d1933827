"""The matchers by name."""

from __future__ import annotations

from typing import get_args

from anonderm.audit.config import MatcherName
from anonderm.audit.matchers.copies import CopyMatcher
from anonderm.audit.matchers.described import Matcher
from anonderm.audit.matchers.encoder import EncoderMatcher
from anonderm.audit.matchers.identity import dlib_matcher
from anonderm.core.errors import ConfigError

MATCHERS: tuple[str, ...] = get_args(MatcherName)


def make_matcher(name: str, arcface: str = "arcface-onnx") -> Matcher:
    """dlib (the person), arcface (the person), copy (the same picture) or encoder (a drawn face).

    arcface: its ONNX file, or registered weights. Raises ConfigError, MissingExtra, MissingWeights,
    MissingPath or InputError.
    """
    match name:
        case "dlib":
            return dlib_matcher()
        case "arcface":
            from anonderm.audit.matchers.arcface import arcface_matcher

            return arcface_matcher(arcface)
        case "copy":
            return CopyMatcher()
        case "encoder":
            return EncoderMatcher()
    raise ConfigError(f"unknown matcher {name!r}.", f"Known matchers: {', '.join(MATCHERS)}.")
