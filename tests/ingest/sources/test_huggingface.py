from __future__ import annotations

import json
from pathlib import Path

import pytest

from anonderm.core.errors import AnondermError, InputError
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


CLASSES = ("mild", "severe")


@pytest.fixture
def write(tmp_path, draw):
    """Writes a Parquet or Arrow file of rows {name of a column: values}; `images` makes pictures for it."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    def images(count: int, start: int = 0) -> list[dict]:
        paths = [draw(tmp_path / "raw" / f"{start + n}.png", start + n) for n in range(count)]
        return [{"bytes": path.read_bytes(), "path": path.name} for path in paths]

    def table(name: str, columns: dict, features: dict | None = None, types: dict | None = None):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {key: pa.array(each, (types or {}).get(key)) for key, each in columns.items()}
        made = pa.table(arrays)
        if features:
            made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        if name.endswith(".parquet"):
            parquet.write_table(made, path, row_group_size=2)
        else:
            file = name.startswith("file")
            with (pa.ipc.new_file if file else pa.ipc.new_stream)(str(path), made.schema) as out:
                out.write_table(made)
        return tmp_path / "set"

    table.images = images
    return table


def labels(root) -> list:
    return [photo.label for photo in find(IngestConfig(root)).photos]


CLASS = {"_type": "ClassLabel", "names": list(CLASSES)}


@pytest.mark.parametrize("name", ["label", "labels", "severity", "acne_level", "y"])
def test_the_column_of_classes_is_the_label_whatever_its_name(write, name):
    columns = {"image": write.images(3), name: [0, 1, None]}
    root = write("train.parquet", columns, {"image": {"_type": "Image"}, name: CLASS})
    assert labels(root) == ["mild", "severe"]


def test_several_columns_of_classes_are_named(write):
    columns = {"image": write.images(2), "fine": [0, 1], "coarse": [0, 0]}
    root = write("train.parquet", columns, {"fine": CLASS, "coarse": CLASS})
    with pytest.raises(AnondermError, match="several columns of classes: fine, coarse"):
        labels(root)
    found = find(IngestConfig(root, columns=("label=coarse",)))
    assert [photo.label for photo in found.photos] == ["mild", "mild"]


KIND = {"_type": "ClassLabel", "names": ["papule", "pustule"]}
TYPES = {"_type": "Sequence", "feature": KIND}


def test_types_are_known_only_if_each_is_a_class_and_the_row_has_one_picture(write):
    pictures = write.images(5)
    columns = {
        "image": [pictures[:1], pictures[1:2], pictures[2:3], pictures[3:]],
        "labels": [[1, 0], [], [0, 7], [0]],
    }
    found = find(IngestConfig(write("train.parquet", columns, {"labels": TYPES})))
    types = [photo.lesion_types for photo in found.photos]
    assert types == [("papule", "pustule"), (), None, None, None]
    assert {item.kind for item in found.skipped} == {"label unknown", "box unusable"}


BOX = {"_type": "Sequence", "feature": {"dtype": "float32", "_type": "Value"}}


@pytest.mark.parametrize(
    ("objects", "feature"),
    [
        (
            {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "category": [1, 0]},
            {"_type": "Sequence", "feature": {"bbox": BOX, "category": KIND}},
        ),
        (
            {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "category": [1, 0]},
            {"bbox": {"_type": "List", "feature": BOX}, "category": {"_type": "List", "feature": KIND}},
        ),
        (
            [{"bbox": [1, 2, 3, 4], "category": 1}, {"bbox": [5, 6, 7, 8], "category": 0}],
            [{"bbox": BOX, "category": KIND}],
        ),
        (
            [{"bbox": [1, 2, 3, 4], "category": 1}, {"bbox": [5, 6, 7, 8], "category": 0}],
            {"_type": "List", "feature": {"bbox": BOX, "category": KIND}},
        ),
    ],
)
def test_kinds_of_lesion_have_the_names_of_their_classes_at_any_depth(write, objects, feature):
    root = write("train.parquet", {"image": write.images(1), "objects": [objects]}, {"objects": feature})
    (photo,) = find(IngestConfig(root)).photos
    assert [(each.kind, each.x0, each.y1) for each in photo.lesions] == [("pustule", 1, 6), ("papule", 5, 14)]


def test_datasets_itself_writes_what_is_read(tmp_path, write):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "labels": datasets.ClassLabel(names=list(CLASSES)),
            "objects": [
                {
                    "bbox": datasets.Sequence(datasets.Value("float32"), 4),
                    "category": datasets.ClassLabel(names=["papule"]),
                }
            ],
        }
    )
    rows = {
        "image": write.images(4),
        "labels": [0, 1, 0, 1],
        "objects": [[{"bbox": [1, 2, 3, 4], "category": 0}], [], [], []],
    }
    made = datasets.Dataset.from_dict(rows, features=features)
    splits = datasets.DatasetDict({"train": made.select(range(2)), "validation": made.select(range(2, 4))})
    splits.save_to_disk(str(tmp_path / "disk"))
    made.to_parquet(str(tmp_path / "one" / "train-00000-of-00001.parquet"))
    for root in ("disk", "one", "one/train-00000-of-00001.parquet"):
        layout, _ = recognise(IngestConfig(tmp_path / root))
        assert layout == "huggingface"
        photos = find(IngestConfig(tmp_path / root)).photos
        assert [photo.label for photo in photos] == ["mild", "severe", "mild", "severe"]
        assert photos[0].lesions[0].kind == "papule"
        assert photos[1].lesions == ()
        assert [photo.split for photo in photos][2:] == (["val"] * 2 if root == "disk" else ["train"] * 2)
        assert photos[3].read() == rows["image"][3]["bytes"]


@pytest.mark.parametrize(
    "kind", ["binary", "large_binary", "struct", "large_struct", "no_path", "nested", "list", "mask_first"]
)
@pytest.mark.parametrize("file", ["train.parquet", "stream.arrow", "file.arrow"])
def test_pictures_are_read_from_every_kind_of_column(write, kind, file):
    import pyarrow as pa

    given = write.images(3)
    data, expected = [each["bytes"] for each in given], {"label": ["mild", "severe", "mild"]}
    large = pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())])
    columns, types = {
        "binary": ({"image": data}, {}),
        "large_binary": ({"photo_of_face": data}, {"photo_of_face": pa.large_binary()}),
        "struct": ({"image": given}, {}),
        "large_struct": ({"image": given}, {"image": large}),
        "no_path": ({"image": [{"bytes": each} for each in data]}, {}),
        "nested": (
            {
                "sample": [
                    {"image": each, "grade": label}
                    for each, label in zip(given, expected["label"], strict=True)
                ]
            },
            {},
        ),
        "list": ({"images": [[each] for each in given]}, {}),
        "mask_first": ({"mask": [{"bytes": b"x", "path": "m"}] * 3, "image": given}, {}),
    }[kind]
    root = write(file, columns | ({} if kind == "nested" else expected), types=types)
    found = find(IngestConfig(root))
    assert [photo.read() for photo in found.photos] == data
    assert [photo.label for photo in found.photos] == expected["label"]


def test_pictures_of_one_row_count_as_one_person(write):
    pictures = write.images(4)
    root = write("train.parquet", {"images": [pictures[:3], pictures[3:]], "label": CLASSES})
    photos = find(IngestConfig(root)).photos
    assert len({photo.name for photo in photos}) == 4
    assert [photo.original for photo in photos] == ["train.parquet/0-0"] * 3 + [None]


def test_a_cell_that_holds_only_a_path_is_the_file_beside_it(write, draw):
    import pyarrow as pa

    columns = {"image": [{"bytes": None, "path": "/home/x/a.png"}], "label": ["mild"]}
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    root = write("data.parquet", columns, types={"image": struct})
    draw(root / "faces" / "a.png", 3)
    (photo,) = find(IngestConfig(root)).photos
    assert (photo.name, photo.label) == ("faces/a.png", "mild")


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("default/train/0000.parquet", "train"),
        ("default/partial-train/0000.parquet", "train"),
        ("default/validation/0000.parquet", "val"),
        ("data/test-00000-of-00002-abcdef.parquet", "test"),
        ("acne_dev.parquet", "val"),
        ("evaluation/a.parquet", "test"),
        ("faces.parquet", None),
    ],
)
def test_the_split_is_that_of_the_folder_or_file(write, file, split):
    root = write(file, {"image": write.images(1), "label": ["mild"]})
    assert [photo.split for photo in find(IngestConfig(root)).photos] == [split]


@pytest.mark.parametrize(
    "files",
    [
        ("plain/train/0000.parquet", "cropped/train/0000.parquet"),
        ("plain/train-00000-of-00001.parquet", "cropped/train-00000-of-00001.parquet"),
        ("set/plain/train.parquet", "set/cropped/train.parquet"),
    ],
)
def test_several_configurations_are_named_and_one_can_be_given(write, files):
    for start, file in enumerate(files):
        root = write(file, {"image": write.images(1, start), "label": ["mild"]})
    with pytest.raises(InputError, match=r"cropped.*plain") as caught:
        find(IngestConfig(root))
    given = caught.value.hint.split("--source ")[1].split(". If")[0]
    assert len(find(IngestConfig(Path(given))).photos) == 1


def test_a_cache_of_datasets_is_no_data(write):
    root = write("data-00000-of-00001.arrow", {"image": write.images(2), "label": CLASSES})
    write("cache-0123.arrow", {"image": write.images(2), "label": CLASSES})
    (root / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    assert labels(root) == list(CLASSES)


@pytest.mark.parametrize("column", ["file_name", "file_names", "image_file_name", "image_file_names"])
def test_metadata_name_their_files_as_datasets_allows(tmp_path, draw, column):
    files = [draw(tmp_path / "train" / f"{n}.jpg", n).name for n in range(2)]
    several = column.endswith("s")
    rows = (
        [{column: files, "label": "mild"}] if several else [{column: file, "label": "mild"} for file in files]
    )
    (tmp_path / "train" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    photos = find(IngestConfig(tmp_path)).photos
    assert [(photo.name, photo.label, photo.split) for photo in photos] == [
        ("train/0.jpg", "mild", "train"),
        ("train/1.jpg", "mild", "train"),
    ]


@pytest.mark.parametrize("archive", ["train.zip", "data/train.zip", "images.tar.gz"])
def test_an_archive_beside_metadata_is_named(tmp_path, archive):
    (tmp_path / "data").mkdir()
    (tmp_path / "metadata.csv").write_text("file_name,label\na.jpg,mild\n")
    (tmp_path / archive).write_bytes(b"PK")
    with pytest.raises(InputError, match=archive) as caught:
        find(IngestConfig(tmp_path))
    assert "npack" in caught.value.hint


def test_class_numbers_of_a_parquet_table_of_names_become_classes(write, draw):
    root = write("metadata.parquet", {"file_name": ["a.jpg", "b.jpg"], "label": [1, 0]}, {"label": CLASS})
    for n, name in enumerate("ab"):
        draw(root / f"{name}.jpg", n)
    assert labels(root) == ["severe", "mild"]


README = """---
license: cc-by-4.0
dataset_info:
  features:
  - name: image
    dtype: image
  - name: severity
    dtype:
      class_label:
        names:
          '0': mild
          '1': severe
  - name: objects
    sequence:
    - name: bbox
      sequence: float32
      length: 4
    - name: category
      dtype:
        class_label:
          names:
            '0': papule
---
# Acne
"""


def test_class_names_and_licence_of_the_card_are_taken_where_the_table_states_none(write):
    objects = [{"bbox": [[1, 2, 3, 4]], "category": [0]}, {"bbox": [], "category": []}]
    root = write("train.parquet", {"image": write.images(2), "severity": [1, 0], "objects": objects})
    (root / "README.md").write_text(README)
    one, two = find(IngestConfig(root)).photos
    assert (one.label, two.label) == ("severe", "mild")
    assert (one.lesions[0].kind, two.lesions) == ("papule", ())
    assert {one.licence, two.licence} == {"cc-by-4.0"}


@pytest.mark.parametrize("text", ["", "# Acne", "---\n[\n---\n", "---\na: &x [*x]\n---\n", "---\n- 3\n---\n"])
def test_a_card_that_states_nothing_does_no_harm(write, text):
    root = write("train.parquet", {"image": write.images(2), "label": [1, 0]})
    (root / "README.md").write_text(text)
    assert labels(root) == ["1", "0"]


def test_numbers_of_folds_are_no_splits(write):
    root = write("train.parquet", {"image": write.images(2), "label": CLASSES, "fold": [0, 1]})
    assert [photo.split for photo in find(IngestConfig(root)).photos] == ["train", "train"]


def test_columns_that_could_all_be_the_picture_are_named(write):
    data = [each["bytes"] for each in write.images(2)]
    root = write("train.parquet", {"left": data, "right": data[::-1], "label": CLASSES})
    with pytest.raises(InputError, match="left, right"):
        find(IngestConfig(root))
    assert find(IngestConfig(root, columns=("file=right",))).photos[0].read() == data[1]


def test_a_parquet_table_of_labels_beside_photos_is_never_passed_over(write, draw):
    root = write("train.parquet", {"path": ["img/a.png", "img/b.png"], "label": CLASSES})
    for n, name in enumerate("ab"):
        draw(root / "img" / f"{name}.png", n)
    with pytest.raises(InputError, match=r"train\.parquet"):
        recognise(IngestConfig(root))
    assert recognise(IngestConfig(root / "train.parquet"))[0] == "table"


def test_damaged_offsets_of_an_arrow_file_are_an_error_and_not_the_end_of_the_program(write):
    root = write("stream.arrow", {"image": write.images(3), "label": ["mild", "severe", "mild"]})
    path = root / "stream.arrow"
    offsets = b"".join(value.to_bytes(4, "little") for value in (0, 4, 10, 14))  # of the labels
    assert path.read_bytes().count(offsets) == 1
    path.write_bytes(path.read_bytes().replace(offsets, offsets[:-4] + (1 << 30).to_bytes(4, "little")))
    with pytest.raises(InputError, match="its rows cannot be read"):
        find(IngestConfig(root))
