"""Parquet shards in the layout of Hugging Face's data sets.

parquet/faces-00000.parquet    image {bytes, path} and the row of each face; `label` is the name of its
                               class, as in every other table of the release
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from anonderm.core.faceset import FaceSet
from anonderm.core.files import atomic_path
from anonderm.publish.release.pictures import Pictures
from anonderm.publish.release.rows import columns_of, row_of, write_shards

_GROUP = 100  # faces in memory at once


def write_parquet(pictures: Pictures, folder: Path, megabytes: float) -> Iterator[int]:
    """Write the missing shards; yields the number of faces after each step."""
    return write_shards(
        pictures, folder, ".parquet", megabytes, partial(_write, pictures, _schema(pictures.faces))
    )


def _write(pictures: Pictures, schema: Any, faces: FaceSet, _: int, path: Path) -> Iterator[int]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with (
        atomic_path(path) as temporary,
        # PNG and sha256 are incompressible, so only the label has a dictionary.
        parquet.ParquetWriter(temporary, schema, compression="snappy", use_dictionary=["label"]) as writer,
    ):
        for group in faces.batches(_GROUP):
            rows = [
                row_of(face) | {"image": {"bytes": pictures.png(face), "path": f"{face.id}.png"}}
                for face in group
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=_GROUP)
            yield len(group)


def _schema(faces: FaceSet) -> Any:
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    types = {"label": pa.string(), "seed": pa.int64(), "generator": pa.string()}
    columns = [(name, types.get(name, pa.float64())) for name in columns_of(faces)]
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    for name, kind in columns:
        features[name] = {"dtype": str(kind).replace("double", "float64"), "_type": "Value"}
    metadata = json.dumps({"info": {"features": features}})
    return pa.schema([("image", image), *columns], metadata={"huggingface": metadata})
