"""A small valid file of every kind that anonderm reads, and how it is read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features

from anonderm.cli import main
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.decode import decode_image
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face, Lesion

_SIDE = 24
_GREY = 128


@dataclass(frozen=True)
class Subject:
    """`make` writes the valid files into an empty folder and returns the one to change; `read` reads the
    folder as a user's command does."""

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]


def picture(seed: int = 0, form: str = "JPEG", **settings: Any) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **settings)
    return buffer.getvalue()


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- pictures -----------------------------------------------------------------------------------------------


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    return exif.tobytes()


def _of_picture(data: bytes) -> Subject:
    def read(folder: Path) -> None:
        decode_image((folder / "photo").read_bytes(), "photo", 64)

    return Subject(lambda folder: write(folder / "photo", data), read)


def _deep(mode: type, scale: float, form: str) -> bytes:
    values = np.random.default_rng(0).random((_SIDE, _SIDE)) * scale
    buffer = io.BytesIO()
    Image.fromarray(values.astype(mode)).save(buffer, form)
    return buffer.getvalue()


PICTURES: dict[str, Subject] = {
    "jpeg": _of_picture(picture(exif=_exif())),
    "png": _of_picture(picture(form="PNG")),
    "png-16": _of_picture(_deep(np.uint16, 4095, "PNG")),
    "webp": _of_picture(picture(form="WEBP")),
    "bmp": _of_picture(picture(form="BMP")),
    "tiff": _of_picture(picture(form="TIFF", compression="tiff_lzw")),
    "tiff-float": _of_picture(_deep(np.float32, 1, "TIFF")),
    "gif": _of_picture(picture(form="GIF")),
}
if find_spec("pi_heif"):
    PICTURES["heic"] = _of_picture((Path(__file__).parents[1] / "core/heic/turned_p3.heic").read_bytes())
if features.check("avif"):
    PICTURES["avif"] = _of_picture(picture(form="AVIF"))


# --- sources of ingest --------------------------------------------------------------------------------------


def _ingest(folder: Path, *flags: str, source: str = "") -> int:
    given = ["--source", str(folder / "source" / source), "--out", str(folder / "run"), *flags]
    return main(["ingest", *given, "--size", "16", "--min-side", "8", "--skip-unreadable"])


def _of_source(
    file: str, content: bytes | str, *flags: str, name: str = "a{}.jpg", itself: bool = False, count: int = 4
) -> Subject:
    """A label file beside photos; `itself`: given as the source."""

    def make(folder: Path) -> Path:
        for index in range(count):
            write(folder / "source" / name.format(index), picture(index))
        return write(folder / "source" / file, content)

    return Subject(make, lambda folder: _ingest(folder, *flags, source=file if itself else ""))


def _coco() -> str:
    images = [
        {"id": n, "file_name": f"a{n}.jpg", "width": _SIDE, "height": _SIDE, "license": 1} for n in range(4)
    ]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [2, 3, 8, 9], "iscrowd": 0} for n in range(4)]
    kinds, licences = [{"id": 1, "name": "papule"}], [{"id": 1, "name": "CC BY 4.0", "url": ""}]
    return json.dumps({"images": images, "annotations": boxes, "categories": kinds, "licenses": licences})


_VOC = (
    f"<annotation><filename>a0.jpg</filename><size><width>{_SIDE}</width><height>{_SIDE}</height></size><object>"
    "<name>papule</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
)
_ROWS = "".join(f"a{n}.jpg,{'mild' if n % 2 else 'severe'},p{n},train\n" for n in range(4))
_BOXES = "".join(f"a{n}.jpg,{_SIDE},{_SIDE},papule,2,3,9,9\n" for n in range(4))
_FFHQ = {
    str(n): {
        "category": "training",
        "metadata": {"author": "A", "license": "CC BY 2.0", "license_url": "u", "photo_url": "v"},
        "image": {"file_path": f"images1024x1024/00000/0000{n}.png"},
    }
    for n in range(4)
}


def _zip(folder: Path) -> Path:
    path = folder / "source" / "faces.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(4):
            archive.writestr(f"00000/img{index}.png", picture(index, "PNG"))
        labels = [[f"00000/img{index}.png", index % 2] for index in range(4)]
        archive.writestr("dataset.json", json.dumps({"labels": labels, "class_names": ["mild", "severe"]}))
    return path


def _parquet(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    about = {"info": {"features": {"label": {"names": ["mild", "severe"], "_type": "ClassLabel"}}}}
    rows = [{"image": {"bytes": picture(n), "path": f"{n}.jpg"}, "label": n % 2} for n in range(4)]
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(about)})
    path = folder / "source" / "data" / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)
    return path


def _arrow(folder: Path) -> Path:
    import pyarrow as pa

    rows = [{"image": {"bytes": picture(n), "path": None}, "label": "mild"} for n in range(4)]
    table, path = pa.Table.from_pylist(rows), folder / "source" / "train" / "data-00000-of-00001.arrow"
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table)
    return path


def _beside(folder: Path, other: str, content: str, file: Callable[[Path], Path]) -> Path:
    write(folder / "source" / other, content)
    return file(folder)


def _yolo_card(folder: Path) -> Path:
    for index in range(4):
        write(folder / "source" / "images" / f"a{index}.jpg", picture(index))
        write(folder / "source" / "labels" / f"a{index}.txt", "0 .5 .5 .2 .2\n1 .3 .3 .1 .1\n")
    return write(folder / "source" / "data.yaml", "train: images\nnc: 2\nnames: [papule, pustule]\n")


def _yolo_text(folder: Path) -> Path:
    _yolo_card(folder)
    return folder / "source" / "labels" / "a0.txt"


def _acne04(folder: Path) -> Path:
    root = folder / "source" / "Classification"
    for level in range(2):
        for n in range(3):
            write(root / "JPEGImages" / f"levle{level}_{n}.jpg", picture(10 * level + n))
    lines = [f"levle{level}_{n}.jpg {level} {n}\n" for level in range(2) for n in range(3)]
    write(root / "NNEW_test_0.txt", "".join(lines[2::3]))
    return write(root / "NNEW_trainval_0.txt", "".join(line for n, line in enumerate(lines) if n % 3 < 2))


SOURCES: dict[str, Subject] = {
    "coco": _of_source("annotations.json", _coco()),
    "voc": _of_source("a0.xml", _VOC),
    "yolo-card": Subject(_yolo_card, _ingest),
    "yolo-text": Subject(_yolo_text, _ingest),
    "box-table": _of_source("_annotations.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n" + _BOXES),
    "keras-text": _of_source("_annotations.txt", "".join(f"a{n}.jpg 2,3,9,9,0\n" for n in range(4))),
    "multilabel": _of_source(
        "_classes.csv", "filename, papule\n" + "".join(f"a{n}.jpg, 1\n" for n in range(4))
    ),
    "table": _of_source("table.csv", "file,label,patient,split\n" + _ROWS, itself=True),
    "table-lines": _of_source(
        "table.jsonl", "".join(f'{{"file": "a{n}.jpg", "label": "mild"}}\n' for n in range(4)), itself=True
    ),
    "metadata": _of_source("metadata.csv", "file_name,label,patient,split\n" + _ROWS),
    "stylegan-folder": _of_source(
        "dataset.json", json.dumps({"labels": [[f"a{n}.jpg", n % 2] for n in range(4)]})
    ),
    "stylegan-zip": Subject(_zip, lambda folder: _ingest(folder, source="faces.zip")),
    "parquet": Subject(_parquet, _ingest),
    "arrow": Subject(_arrow, _ingest),
    "ffhq": _of_source("ffhq-dataset-v2.json", json.dumps(_FFHQ), name="images1024x1024/00000/0000{}.png"),
    "acne04": Subject(_acne04, _ingest),
    "unread": _of_source("notes.txt", "a0.jpg shows acne"),
}


# --- artefacts ----------------------------------------------------------------------------------------------


def _faces(folder: Path) -> Path:
    writer = FaceSetWriter(folder / "faces")
    for n in range(4):
        pixels = np.full((16, 16, 3), _GREY + n, np.uint8)
        face = Face(f"f{n}", label="mild" if n % 2 else "severe", subject=f"p{n}", split="train")
        writer.add(pixels, Face(**{**_fields(face), "lesions": (Lesion("papule", 1, 2, 5, 6),)}))
    writer.finish()
    return folder / "faces" / "manifest.parquet"


def _fields(face: Face) -> dict[str, Any]:
    return {name: getattr(face, name) for name in Face.__slots__}


def _read_faces(folder: Path) -> None:
    FaceSet.load(folder / "faces").pixels()


def _run(folder: Path) -> Path:
    """A small finished run."""
    quiet = [
        "--people",
        "4",
        "--size",
        "32",
        "--classes",
        "healthy",
        "severe",
        "--test-share",
        "0",
        "--val-share",
        "0",
    ]
    assert main(["phantom", *quiet, "--out", str(folder / "run")]) == 0
    return folder / "run" / "run.json"


def _settings(folder: Path) -> Path:
    _run(folder)
    return folder / "run" / "config.toml"


def _mask_and_crop(folder: Path) -> int:
    return main(["mask-and-crop", str(folder / "run"), "--out", str(folder / "cropped")])


def _continue(folder: Path) -> int:
    return main(["phantom", "--people", "4", "--size", "32", "--out", str(folder / "run")])


def _gan(folder: Path) -> Checkpoint:
    import torch

    from anonderm.models.stylegan2.architecture import Architecture
    from anonderm.models.stylegan2.checkpoint import save_gan
    from anonderm.models.stylegan2.discriminator import Discriminator
    from anonderm.models.stylegan2.generator import Generator

    small = Architecture(resolution=8, channel_base=64, channel_max=8, z_dim=4, w_dim=4, mapping_layers=1)
    card = CheckpointCard("gan", small.to_card(), 8)
    return save_gan(folder / "gan.safetensors", Generator(small), Discriminator(small), torch.zeros(()), card)


def _card(folder: Path) -> Path:
    return _gan(folder).path.with_suffix(".json")


def _generate(folder: Path) -> int:
    return main(
        ["generate", str(folder / "gan.safetensors"), "--seeds", "0-1", "--out", str(folder / "faces")]
    )


_RECIPE = """
title = "Two steps"
classes = ["healthy", "severe"]
[steps.photos]
stage = "phantom"
people = 8
size = 32
classes = ["healthy", "severe"]
[steps.gan]
stage = "train-gan"
from = { faces = "photos" }
kimg = 0.1
"""


def _read_recipe(folder: Path) -> None:
    from anonderm.recipe.plan import read_recipe

    read_recipe(folder / "recipe.toml")


def _read_result(folder: Path) -> None:
    from anonderm.core.results.base import load_result

    load_result(folder / "results.json")


def _result(folder: Path) -> Path:
    from made_up_audit import audited

    audited(FaceSet(folder, ())).save(folder / "results.json")
    return folder / "results.json"


_PLACES = ("left_eye", "right_eye", "mouth_left", "mouth_right")
_POINTS = ",".join(["photo", *(f"{place}_{axis}" for place in _PLACES for axis in "xy")]) + "\n"


def _read_points(folder: Path) -> None:
    from anonderm.ingest.align.point_file import read_points

    read_points(folder / "points.csv")


def _weights(folder: Path) -> Path:
    import torch

    path = folder / "weights.pth"
    torch.save({"layer.weight": torch.zeros(3, 3), "layer.bias": torch.zeros(3)}, path)
    return path


def _read_weights(folder: Path) -> None:
    from anonderm.core.tensorfiles import read_weights

    read_weights(folder / "weights.pth", "Download it again.")


ARTEFACTS: dict[str, Subject] = {
    "manifest": Subject(_faces, _read_faces),
    "run": Subject(_run, _mask_and_crop),
    "settings": Subject(_settings, _continue),
    "card": Subject(_card, _generate),
    "tensors": Subject(lambda folder: _gan(folder).path, _generate),
    "recipe": Subject(lambda folder: write(folder / "recipe.toml", _RECIPE), _read_recipe),
    "result": Subject(_result, _read_result),
    "points": Subject(
        lambda folder: write(folder / "points.csv", _POINTS + "a.jpg,1,2,3,4,5,6,7,8\n"), _read_points
    ),
    "weights": Subject(_weights, _read_weights),
}


# --- a release ----------------------------------------------------------------------------------------------


def release(whole: Path, file: str) -> Subject:
    """One file of a release in every format."""
    import shutil

    def make(folder: Path) -> Path:
        shutil.copytree(whole, folder / "release")
        return folder / "release" / file

    return Subject(make, lambda folder: main(["verify", str(folder / "release")]))


RELEASED = (
    *("evidence.json", "croissant.json", "README.md", "checksums.sha256", "train/metadata.csv"),
    *("parquet/faces-00000.parquet", "webdataset/faces-00000.tar", "stylegan/dataset.zip"),
)

SUBJECTS: Mapping[str, Subject] = {**PICTURES, **SOURCES, **ARTEFACTS}
