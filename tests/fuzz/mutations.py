"""Seeded changes of a valid file that break readers: of its bytes, and of the values in a text."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_ODD_BYTES = (
    b"\0",
    b"\xff",
    b"\xff\xfe",
    b"\r",
    b"\n",
    b"\x80",
    b"\xed\xa0\x80",
    b"%!PS",
    b"=1+1",
    b"\x1b[31m",
)
_ODD_VALUES = (
    *(b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"1.5", b"1073741824", b"99999999999999999999999"),
    *(
        b'""',
        b'"x"',
        b'"\\ud800"',
        b'"\\u0000"',
        b'"../../etc/passwd"',
        b"[]",
        b"{}",
        b"[[[[]]]]",
        b'{"a": 1}',
    ),
    *(b"2020-01-01", b"!!int x", b"&a [*a]", b"{?: }", b"1" * 5000, b"[" * 2000, b"'", b'"'),
)
_VALUE = re.compile(rb'"[^"\n]{0,80}"|-?\d+(?:\.\d+)?|true|false|null|[A-Za-z_]+')


def mutated(data: bytes, seed: int) -> bytes:
    """One to four changes, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_CHANGES)(data, rng)
    return data


def _flip(data: bytes, rng: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if found:
            found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)


def _cut_off(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _cut_out(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.randint(1, 200) :]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start : start + rng.randint(1, 400)] * rng.choice((2, 3, 50)) + data[start:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + rng.choice(_ODD_BYTES) * rng.choice((1, 1, 9, 500)) + data[start:]


def _exchange_value(data: bytes, rng: random.Random) -> bytes:
    """Another value, or that of another place."""
    places = list(_VALUE.finditer(data[:200_000]))
    if not places:
        return _flip(data, rng)
    place = rng.choice(places)
    value = rng.choice(places)[0] if rng.random() < 0.3 else rng.choice(_ODD_VALUES)
    return data[: place.start()] + value + data[place.end() :]


def _set_number(data: bytes, rng: random.Random) -> bytes:
    """Four bytes that readers of binary files take for a size or a place."""
    start = rng.randint(0, max(0, len(data) - 4))
    value = rng.choice(
        (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x7f", b"\x00\x10\x00\x00")
    )
    return data[:start] + value + data[start + 4 :]


_Change = Callable[[bytes, random.Random], bytes]
_CHANGES: tuple[_Change, ...] = (
    *(_flip, _cut_off, _cut_out, _repeat, _insert, _set_number),
    *(_exchange_value,) * 4,
)
