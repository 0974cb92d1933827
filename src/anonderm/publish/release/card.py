"""The data set card: README.md of a release, with the front matter that Hugging Face reads.

Its questions are those of Gebru et al. 2021 (Datasheets for Datasets).
"""

from collections import Counter
from collections.abc import Sequence

from anonderm import __version__
from anonderm.core.faceset import FaceSet
from anonderm.core.records import TONES, tone_of
from anonderm.core.results.audit import AuditResult
from anonderm.core.results.base import Result
from anonderm.publish.blocks import interval
from anonderm.publish.charts import number
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.gate import Decision
from anonderm.publish.release.lineage import Ancestor, licences
from anonderm.publish.templates import environment

# Licences by their names on the hub; any other is "other", with its name in a second field.
_HUB_LICENCES = ("apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0")
_HUB_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
# The files that `load_dataset` reads from the folder: the first of these that exists.
_LOADED = (("imagefolder", "train/**"), ("parquet", "parquet/*.parquet"), ("webdataset", "webdataset/*.tar"))


def card(
    config: ExportConfig,
    faces: FaceSet,
    audit: AuditResult | None,
    scores: tuple[Result, ...],
    licence: str,
    behind: Sequence[Ancestor],
    decision: Decision,
) -> str:
    """Markdown: what the set is, how it was made, its evaluation, and its permitted uses."""
    template = environment().get_template("card.md.jinja")
    results = (*scores, *((audit,) if audit else ()))
    files = next((files for name, files in _LOADED if name in config.formats), None)
    return template.render(
        config=config,
        licence=licence,
        hub_licence=licence.lower() if licence.lower() in _HUB_LICENCES else "other",
        size=next((name for limit, name in _HUB_SIZES if len(faces) < limit), "n>1M"),
        loaded=files,
        counts=list(faces.label_counts.items()),
        tones=_tones(faces),
        total=len(faces),
        pixels=faces.image(faces.faces[0]).shape[0],
        boxes=sum(len(face.boxes) for face in faces),
        unboxed=sum(face.lesions is None for face in faces),
        psis=sorted({face.psi for face in faces if face.psi is not None}),
        behind=behind,
        licences=list(licences(faces, behind).items()),
        decision=decision,
        caveats=audit.caveats if audit else (),
        measured=bool(scores),
        headlines=[
            (label, number(score.value), interval(score), score.n)
            for each in results
            for label, score in each.headline().items()
            if score is not None
        ],
        scores=[
            (name, number(s.value), interval(s), s.n, s.note)
            for each in results
            for name, s in each.scores().items()
        ],
        version=__version__,
    )


def _tones(faces: FaceSet) -> list[tuple[str, list[int]]]:
    """For each class, the number of faces of each skin tone, unmeasured last; empty if none was measured."""
    if all(face.ita is None for face in faces):
        return []
    rows = []
    for label in faces.labels:
        counted = Counter(tone_of(face.ita) for face in faces.where(label=label))
        rows.append((label, [counted[tone] for tone in (*TONES, None)]))
    return rows
