"""The matchers by name."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import get_args

from anonderm.core.errors import AnondermError, ConfigError, MissingExtra, MissingWeights
from anonderm.core.faceset import FaceSet
from anonderm.core.parallel import in_threads
from anonderm.core.results.base import LeftOut
from anonderm.core.rundir import RunDir
from anonderm.embeddings.extractors import embed, embed_both_sides
from anonderm.embeddings.matchers.matcher import IdentityMatcher, Matcher, MatcherName, Rows, Templates
from anonderm.embeddings.near_duplicates.edge_histograms import (
    DIGEST,
    VIEWS,
    WIDTH,
    describe,
    describe_views,
)
from anonderm.embeddings.store import Store

MATCHERS: tuple[str, ...] = get_args(MatcherName)


@dataclass(frozen=True)
class CopyMatcher:
    """Finds copies of a picture and recognises no faces, by near_duplicates.edge_histograms."""

    name: str = "copy"
    recognises_people: bool = False

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment never fails."""
        described = describe_views if views else describe
        store = Store("copy-views" if views else "copy", DIGEST, (VIEWS if views else 1, WIDTH))

        def compute(missing: list[int]) -> Iterable[Rows]:
            todo = [faces.faces[position] for position in missing]
            with run.bar(f"describing pictures of {len(todo)} faces", len(todo)) as bar:
                for rows_VD in in_threads(lambda face: described(faces.image(face)), todo):
                    yield rows_VD[None]
                    bar.advance()

        return Templates(store.rows([face.sha256 for face in faces], compute))


@dataclass(frozen=True)
class EncoderMatcher:
    """The phantom encoder, trained on drawn faces and uninformative on most photos. Raises MissingWeights."""

    name: str = "encoder"
    recognises_people: bool = True

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment never fails."""
        name = "phantom-encoder"
        return Templates.of(embed_both_sides(faces, name) if views else embed(faces, name)[:, None])


def make_matcher(name: str, arcface: str = "arcface-onnx") -> Matcher:
    """dlib, sface and arcface (people), copy (copies of a picture) or encoder (drawn faces).

    arcface: its ONNX file, or registered weights. Raises ConfigError, MissingExtra, MissingWeights,
    MissingPath, BrokenArtefact or InputError.
    """
    match name:
        case "dlib" | "sface" | "arcface":
            return identity_matcher(arcface if name == "arcface" else name)
        case "copy":
            return CopyMatcher()
        case "encoder":
            return EncoderMatcher()
    raise ConfigError(f"unknown matcher {name!r}.", f"Known matchers: {', '.join(MATCHERS)}.")


def identity_matcher(name: str = "auto") -> IdentityMatcher:
    """The matcher of people of this name, or of the network in an ONNX file (format of ArcFace).

    Names: dlib, sface, arcface (the registered weights arcface-onnx), and auto: the first of arcface, sface
    and dlib that is installed. Raises as make_matcher.
    """
    if name == "dlib":
        from anonderm.embeddings.matchers.dlib_person import dlib_matcher

        return dlib_matcher()
    if name == "sface":
        from anonderm.embeddings.matchers.sface import sface_matcher

        return sface_matcher()
    if name == "auto":
        return _best_identity_matcher()
    from anonderm.embeddings.matchers.arcface import arcface_matcher

    return arcface_matcher("arcface-onnx" if name == "arcface" else name)


def _best_identity_matcher() -> IdentityMatcher:
    for name in ("arcface", "sface"):
        with suppress(MissingExtra, MissingWeights):
            return identity_matcher(name)
    try:
        return identity_matcher("dlib")
    except MissingExtra as error:
        raise MissingExtra(
            "No matcher of people is installed.",
            "Fetch the best free one with `anonderm weights fetch sface` and `anonderm weights fetch yunet`, "
            "or install dlib with `pip install 'anonderm[faces]'`.",
        ) from error


def installed_matchers(
    names: Iterable[str], arcface: str = "arcface-onnx"
) -> tuple[list[Matcher], list[LeftOut]]:
    """The matchers that can be used here, and why the others cannot.

    Raises the last one's MissingExtra or MissingWeights if none can.
    """
    found, left_out, errors = list[Matcher](), list[LeftOut](), list[AnondermError]()
    for name in names:
        try:
            found.append(make_matcher(name, arcface))
        except (MissingExtra, MissingWeights) as error:
            left_out.append(LeftOut(name, error.message))
            errors.append(error)
    if not found:
        raise errors[-1]
    return found, left_out
