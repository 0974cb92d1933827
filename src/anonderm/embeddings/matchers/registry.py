"""The matchers by name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from anonderm.core.errors import AnondermError, ConfigError, MissingExtra, MissingWeights
from anonderm.core.faceset import FaceSet
from anonderm.core.parallel import in_threads
from anonderm.core.results.base import LeftOut
from anonderm.core.rundir import RunDir
from anonderm.embeddings.dlib_faces import DlibPerson, dlib_digest
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
    """dlib and arcface (people), copy (copies of a picture) or encoder (drawn faces).

    arcface: its ONNX file, or registered weights. Raises ConfigError, MissingExtra, MissingWeights,
    MissingPath or InputError.
    """
    match name:
        case "dlib":
            return IdentityMatcher("dlib", dlib_digest(), 128, DlibPerson)
        case "arcface":
            from anonderm.embeddings.matchers.arcface import arcface_matcher

            return arcface_matcher(arcface)
        case "copy":
            return CopyMatcher()
        case "encoder":
            return EncoderMatcher()
    raise ConfigError(f"unknown matcher {name!r}.", f"Known matchers: {', '.join(MATCHERS)}.")


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
