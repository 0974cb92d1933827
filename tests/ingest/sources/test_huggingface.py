from __future__ import annotations

import json

import pytest

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.huggingface import find
from anonderm.ingest.sources.layouts import recognise


def test_class_folders_in_split_folders_are_read(tmp_path, draw, ingest):
    root = tmp_path / "set"
    for number, split in enumerate(("train", "validation", "test")):
        for label in ("healthy", "rosacea"):
            for n in range(2):
                draw(root / split / label / f"{n}.jpg", 100 * number + 10 * (label == "rosacea") + n)
    assert recognise(IngestConfig(root))[0] == "split-folders"
    done = ingest(root, "--splits", "given")
    assert done.faces.label_counts == {"healthy": 6, "rosacea": 6}
    assert done.face("validation/rosacea/1.jpg").split == "val"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_metadata_beside_the_photos_are_read(tmp_path, draw, ingest, form):
    root = tmp_path / "set"
    for number, split in enumerate(("train", "test")):
        rows = []
        for n in range(3):
            draw(root / split / "faces" / f"{n}.jpg", 10 * number + n)
            rows.append({"file_name": f"faces/{n}.jpg", "label": "mild", "patient": f"{split}{n // 2}"})
        draw(root / split / "faces" / "extra.jpg", 90 + number)
        rows.append({"file_name": "faces/gone.jpg", "label": "mild", "patient": "x"})
        path = root / split / f"metadata.{form}"
        if form == "csv":
            path.write_text("\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]))
        else:
            rows[0]["objects"] = {"bbox": [[4, 8, 10, 20]], "categories": ["papule"]}
            rows[1]["objects"] = {"bbox": [[4, 8, 10, 20], "x"], "categories": ["papule", 3]}
            path.write_text("\n".join(map(json.dumps, rows)))
    assert recognise(IngestConfig(root))[0] == "huggingface"
    done = ingest(root, "--splits", "given", "--val-share", "0", "--whole")
    assert len(done.faces) == 6
    assert done.faces.people == 4
    assert done.skipped["train/faces/extra.jpg"] == "not named by any label file"
    assert f"train/metadata.{form}:5" in done.skipped or f"train/metadata.{form}:4" in done.skipped
    if form == "jsonl":
        (lesion,) = done.face("train/faces/0.jpg").lesions
        assert (lesion.kind, lesion.x0, lesion.y1) == ("papule", 4, 28)
        assert done.face("train/faces/1.jpg").lesions is None
        assert "object 1" in done.skipped["train/faces/1.jpg"]


@pytest.fixture
def shards(tmp_path, draw):
    """What `Dataset.to_parquet` and the hub write."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["healthy", "rosacea"])}
    )
    for split, count in (("train", 7), ("test", 3)):
        paths = [draw(tmp_path / "raw" / split / f"{n}.jpg", 10 * count + n) for n in range(count)]
        images = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
        labels = [n % 2 if n else -1 for n in range(count)]
        made = datasets.Dataset.from_dict({"image": images, "label": labels}, features=features)
        file = tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        made.to_parquet(str(file), batch_size=2)
    return tmp_path / "hub"


def test_images_inside_parquet_are_read_with_their_class_names(shards, tmp_path, ingest):
    assert recognise(IngestConfig(shards))[0] == "huggingface"
    done = ingest(shards, "--splits", "given", "--whole", "--val-share", "0")
    assert done.faces.label_counts == {"healthy": 4, "rosacea": 4}
    assert list(done.skipped.values()) == ["its label -1 is none of the classes"] * 2
    for name, id in done.files.items():
        face = done.face(name)
        split, number = name.split("/")[1].split("-")[0], name.rpartition("/")[2]
        assert face.split == split
        assert (done.faces.folder / face.file).read_bytes() == (
            tmp_path / "raw" / split / number
        ).read_bytes()
        assert face.file == f"images/{id}.jpg"


def test_a_cell_without_an_image_is_named(tmp_path, draw):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    data = draw(tmp_path / "a.png", 0).read_bytes()
    images = [{"bytes": data, "path": None}, {"bytes": None, "path": "x.jpg"}]
    (tmp_path / "set").mkdir()
    table = pa.table({"image": images, "severity": ["mild", "mild"]})
    parquet.write_table(table, tmp_path / "set" / "train-00000-of-00001.parquet")
    first, second = find(IngestConfig(tmp_path / "set")).photos
    assert first.pixels().shape == (40, 40, 3)
    assert (first.place.suffix, first.label) == (".png", "mild")
    with pytest.raises(InputError, match="no image in this cell"):
        second.pixels()


@pytest.mark.parametrize("data", [b"", b"PAR1xxxxPAR1"])
def test_a_broken_shard_is_named(tmp_path, data):
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(data)
    with pytest.raises(InputError, match="not a readable table"):
        find(IngestConfig(tmp_path))


def test_a_table_of_something_else_is_named(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.table({"fruit": ["apple"]}), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(InputError, match="no column of images"):
        find(IngestConfig(tmp_path))


def test_metadata_without_file_names_are_named(tmp_path):
    (tmp_path / "metadata.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no column file_name"):
        find(IngestConfig(tmp_path))
