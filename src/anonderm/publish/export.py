"""export: a FaceSet of synthetic faces -> a folder that the usual tools load as a data set.

release/
  train/<class>/<id>.png    every face, marked as made by a trained algorithm
  train/metadata.csv        a row a face; Hugging Face's imagefolder loader reads both together
  stylegan/dataset.zip      on request: the same faces for NVIDIA's StyleGAN programs
  README.md, LICENSE        the data set card, and the terms
  checksums.sha256          written last: a release that has it is whole (check with `sha256sum -c`)
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anonderm.core.errors import BadLabel, InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_file, storage_errors, write_bytes, write_text
from anonderm.core.images import Pixels
from anonderm.core.names import is_plain
from anonderm.core.records import Face, Scores
from anonderm.core.rundir import RunDir
from anonderm.publish.card import card
from anonderm.publish.config import ExportConfig
from anonderm.publish.stylegan_zip import write_stylegan_zip

_NO_LICENCE = "No licence was stated for the photos: all rights reserved."

# IPTC's word for pictures made by a trained model, in the place where IPTC's photo metadata standard puts it.
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def export(config: ExportConfig, faces: FaceSet, scores: tuple[Scores, ...], run: RunDir) -> Path:
    """Write the release below run.folder/"release"; returns its list of checksums.

    Only pixels, label and how the face was made are written: no person, parent, source or file name.
    An export that was cut short goes on with the files it has. Raises InputError for a face that is not
    purely synthetic, TooFewImages for an empty set, StorageError.
    """
    refuse_real(faces)
    release = run.folder / "release"
    for face in run.progress(faces.faces, "exporting faces"):
        path = release / file_of(face)
        if not path.exists():
            write_bytes(path, marked_png(faces.image(face)))
    archive = release / "stylegan" / "dataset.zip"
    if config.stylegan_zip and not archive.exists():
        write_stylegan_zip(faces, archive, marked_png)
    licence = config.licence or faces.licence or _NO_LICENCE
    write_text(release / "train" / "metadata.csv", _metadata(faces))
    write_text(release / "LICENSE", f"{config.title}\n\n{licence}\n")
    write_text(release / "README.md", card(config, faces, scores, licence))
    write_text(release / "checksums.sha256", _checksums(release))
    run.log(f"{len(faces)} synthetic faces in {len(faces.labels)} classes: {release}")
    return release / "checksums.sha256"


def refuse_real(faces: FaceSet) -> None:
    """Raise InputError, naming the first face that is, or may be, made from a photo."""
    if not faces.faces:
        raise TooFewImages(f"{faces.folder}: no faces to export.", "Generate or keep more faces.")
    for face in faces:
        if reason := _not_synthetic(face):
            raise InputError(
                f"{faces.folder}: face {face.id} {reason}: only synthetic faces are exported.",
                "Give the output of generate, screen or grade.",
            )
        if face.label is None:
            raise BadLabel(f"{faces.folder}: face {face.id} has no label.", "Grade the faces first.")
        for name in (face.id, face.label):
            if not is_plain(name):
                raise InputError(f"{faces.folder}: face {face.id}: {name!r} cannot name a file or folder.")


def _not_synthetic(face: Face) -> str:
    if face.checkpoint is None or face.seed is None:
        return "was not drawn by a generator (no checkpoint or seed)"
    if face.subject is not None or face.split is not None:
        return f"belongs to a person or a split of photos ({face.subject or face.split})"
    if face.parents:
        return "was made from other pictures (it has parents)"
    return ""


def file_of(face: Face) -> Path:
    """Where the face lies in the release."""
    return Path("train") / str(face.label) / f"{face.id}.png"


def marked_png(image_HWC: Pixels) -> bytes:
    """The pixels as PNG, with nothing else in it but the mark that a trained algorithm made them."""
    mark = PngInfo()
    mark.add_itxt("XML:com.adobe.xmp", _XMP)
    buffer = io.BytesIO()
    Image.fromarray(image_HWC).save(buffer, format="PNG", compress_level=6, pnginfo=mark)
    return buffer.getvalue()


def _metadata(faces: FaceSet) -> str:
    """CSV of what each face is and how it was made; columns that are empty throughout are left out."""
    rows = [
        {
            "file_name": file_of(face).relative_to("train").as_posix(),
            "label": face.label,
            "seed": face.seed,
            "psi": face.psi,
            "confidence": face.confidence,
            "generator": face.checkpoint,
        }
        for face in faces
    ]
    columns = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()


def _checksums(release: Path) -> str:
    with storage_errors(release):
        files = sorted(p for p in release.rglob("*") if p.is_file() and p.name != "checksums.sha256")
    return "".join(f"{sha256_file(path)}  {path.relative_to(release).as_posix()}\n" for path in files)
