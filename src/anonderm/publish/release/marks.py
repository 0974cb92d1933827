"""The mark that a trained model made a picture: IPTC's digital source type, machine-readable, in XMP."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anonderm.core.images import Pixels

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_KEYWORD = b"XML:com.adobe.xmp"
MARK = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}"
 Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MANIFEST = b"caBX"  # chunk of C2PA's signed manifest
_ALLOWED = {b"IHDR", b"IDAT", b"IEND", b"iTXt", _MANIFEST}


def marked_png(image_HWC: Pixels) -> bytes:
    """A PNG with the pixels and the mark, and nothing else."""
    mark = PngInfo()
    mark.add_itxt(_KEYWORD.decode(), MARK)
    buffer = io.BytesIO()
    Image.fromarray(image_HWC).save(buffer, format="PNG", compress_level=6, pnginfo=mark)
    return buffer.getvalue()


def is_signed(png: bytes) -> bool:
    """Whether the PNG carries a C2PA manifest. Raises ValueError if it is no PNG."""
    return any(kind == _MANIFEST for kind, _ in _chunks(png))


def fault_of(png: bytes) -> str:
    """What is wrong with the mark of a released picture, or with its other content; empty if nothing."""
    try:
        chunks = list(_chunks(png))
    except ValueError as error:
        return str(error)
    texts = [_xmp(body) for kind, body in chunks if kind == b"iTXt"]
    foreign = {kind for kind, _ in chunks} - _ALLOWED
    if foreign:
        names = sorted(kind.decode("latin-1") for kind in foreign)
        return f"contains more than the picture and its mark ({', '.join(names)})"
    if not texts:
        return "is not marked as made by a trained algorithm"
    if len(texts) > 1 or texts[0] is None:
        return "contains text besides its mark"
    if texts[0] == MARK:
        return ""
    marked = f'DigitalSourceType="{SOURCE_TYPE}"' in texts[0]
    return (
        "has more in its mark than the source type"
        if marked
        else "is not marked as made by a trained algorithm"
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of every chunk."""
    if not png.startswith(_SIGNATURE):
        raise ValueError("is not a PNG")
    at = len(_SIGNATURE)
    while at < len(png):
        if at + 12 > len(png):
            raise ValueError("is truncated")
        (length,) = struct.unpack_from(">I", png, at)
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length
        if at > len(png):
            raise ValueError("is truncated")
        if struct.unpack_from(">I", png, at - 4)[0] != zlib.crc32(kind + body):
            raise ValueError(f"is damaged (chunk {kind.decode('latin-1')})")
        yield kind, body
        if kind == b"IEND" and at < len(png):
            raise ValueError("contains data after the picture")


def _xmp(body: bytes) -> str | None:
    """The XMP packet of an uncompressed iTXt chunk: keyword, flags, language, translated keyword, text."""
    head = _KEYWORD + b"\0\0\0\0\0"
    return body[len(head) :].decode("utf-8", "replace") if body.startswith(head) else None
