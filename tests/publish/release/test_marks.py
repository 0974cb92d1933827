"""The mark: in every picture of every format, and nothing besides it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_release import unpacked
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anonderm.publish.release.marks import MARK, SOURCE_TYPE, fault_of, is_signed, marked_png

PICTURE = np.full((8, 8, 3), 120, np.uint8)


def png(exif: Any = None, **texts: str) -> bytes:
    """The picture with these texts (names with __ for :) and nothing else."""
    info, buffer = PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_itxt(name.replace("__", ":").replace("_", "."), text)
    Image.fromarray(PICTURE).save(buffer, "PNG", pnginfo=info, **({"exif": exif} if exif else {}))
    return buffer.getvalue()


def xmp(attributes: str = "", inside: str = "", source: str = SOURCE_TYPE) -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:I="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" I:DigitalSourceType="{source}" {attributes}>{inside}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def test_every_picture_of_every_format_is_marked_and_contains_nothing_else(whole: Path) -> None:
    pictures = {name: data for name, data in unpacked(whole).items() if data.startswith(b"\x89PNG")}
    assert len(pictures) == 4 * 30
    for name, data in pictures.items():
        assert fault_of(data) == "", name
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert set(image.info) <= {"XML:com.adobe.xmp", "xmp"}
            assert SOURCE_TYPE in image.info["XML:com.adobe.xmp"]
            assert not image.getexif()


def test_a_mark_keeps_the_pixels() -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(marked_png(PICTURE)))), PICTURE)
    assert not is_signed(marked_png(PICTURE))


def gps() -> Any:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (51.0, 30.0, 0.0)}
    return exif


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(), "not marked"),
        (
            png(XML__com_adobe_xmp=xmp(source=SOURCE_TYPE.replace("trained", "un"))),
            "not",
        ),
        (png(XML__com_adobe_xmp=xmp('dc:creator="Jane Doe"')), "more in its mark than the source type"),
        (
            png(XML__com_adobe_xmp=xmp(inside="<dc:title>Jane Doe</dc:title>")),
            "more in its mark than the source type",
        ),
        (
            png(XML__com_adobe_xmp=xmp()),
            "more in its mark than the source type",
        ),  # another form of the packet
        (png(XML__com_adobe_xmp=MARK.replace("<rdf:RDF", "<!-- Jane Doe --><rdf:RDF")), "more in its mark"),
        (png(XML__com_adobe_xmp="<x:xmpmeta"), "not marked"),
        (png(XML__com_adobe_xmp=xmp(), Comment="Jane Doe"), "text besides its mark"),
        (png(Comment="Jane Doe"), "text besides its mark"),
        (png(gps(), XML__com_adobe_xmp=xmp()), "contains more than the picture"),
        (marked_png(PICTURE)[:-20], "truncated"),
        (marked_png(PICTURE) + b"Jane Doe", "data after the picture"),
        (marked_png(PICTURE).replace(b"IDATx", b"IDATy", 1), "damaged"),
        (b"\xff\xd8\xff\xe0 a JPEG", "not a PNG"),
    ],
)
def test_a_picture_without_the_mark_or_with_more_is_a_fault(data: bytes, expected: str) -> None:
    assert expected in fault_of(data)
