"""One photo that cannot be read never ends a run, starts a program or stops it for ever."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anonderm.cli import main
from anonderm.core import colour
from anonderm.core.decode import MOST_MEGAPIXELS
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json_lines


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for label in ("mild", "severe"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for index in range(4):
            rng = np.random.default_rng([index, ord(label[0])])
            pixels = rng.integers(0, 256, (80, 90, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{index}.jpg")
    return tmp_path / "photos"


def ingest(source: Path, *flags: str) -> int:
    return main(
        ["ingest", "--source", str(source), "--out", str(source.parent / "run"), "--size", "16", *flags]
    )


def listed(source: Path) -> dict[str, str]:
    return {row["file"]: row["reason"] for row in read_json_lines(source.parent / "run" / "skipped.jsonl")}


def broken(folder: Path) -> dict[str, str]:
    """Photos that cannot be read -> what is said about each."""
    whole = (folder / "0.jpg").read_bytes()
    files = {
        "eps.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "unknown format"),
        "cut.jpg": (whole[: len(whole) // 2], "truncated"),
        "empty.png": (b"", "unknown format"),
        "damaged.avif": (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(200), "not a readable image"),
        "damaged.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\xff" * 200, "as JPEG"),
        "page.jpeg": (b"<!doctype html><title>403</title>", "unknown format"),
    }
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    Image.new("1", (20_000, 200)).save(folder / "large.png")
    Image.fromarray(np.full((80, 80), 3.5, np.float32)).save(folder / "float.tif")
    return {name: said for name, (_, said) in files.items()} | {
        "large.png": "20000 x 200 pixels, 4 megapixels; the limit is 2: raise it with --max-megapixels",
        "float.tif": "its values range from 3.5 to 3.5",
    }


def test_all_unreadable_photos_are_named_at_once(source, capsys):
    said = broken(source / "mild")
    assert ingest(source, "--max-megapixels", "2") == 2
    message = capsys.readouterr().err
    for name, reason in said.items():
        assert any(name in line and reason in line for line in message.splitlines()), name
    assert "Warning:" not in message


def test_unreadable_photos_are_listed_and_the_others_used(source):
    said = broken(source / "mild")
    assert ingest(source, "--max-megapixels", "2", "--skip-unreadable") == 0
    reasons = listed(source)
    assert reasons.keys() == {f"mild/{name}" for name in said}
    assert all(reason in reasons[f"mild/{name}"] for name, reason in said.items())
    assert len(FaceSet.load(source.parent / "run" / "faces").faces) == 8


def test_the_error_about_a_class_without_usable_photos_says_what_is_wrong_with_them(source, capsys):
    (source / "moderate").mkdir()
    (source / "moderate" / "IMG_1.HEIC").write_bytes(bytes(900))
    assert ingest(source, "--skip-unreadable") == 2
    message = capsys.readouterr().err
    assert "no usable photo of class moderate" in message
    assert "moderate/IMG_1.HEIC: not a readable HEIC picture (damaged): export it as JPEG" in message
    (source / "moderate" / "IMG_1.HEIC").rename(source / "moderate" / "IMG_1.CR2")
    assert ingest(source, "--skip-unreadable") == 2
    message = capsys.readouterr().err
    assert "moderate: no image in this class" in message
    assert "Export its photos (.cr2) as JPEG." in message


def test_pictures_of_formats_that_are_not_read_are_listed(source):
    for name in ("a.DNG", "b.gif", "c.psd"):
        (source / "mild" / name).write_bytes(b"")
    (source / "mild" / "notes.txt").write_text("x")
    assert ingest(source) == 0
    assert listed(source) == {
        f"mild/{name}": "a picture of a format that is not read; export it as JPEG"
        for name in ("a.DNG", "b.gif", "c.psd")
    }


def test_a_photo_that_ingest_accepted_is_read_by_every_later_stage_whatever_its_size(source):
    Image.new("L", (3000, 1000), 90).save(source / "mild" / "wide.png")
    assert ingest(source, "--max-megapixels", "4", "--whole") == 0
    faces = FaceSet.load(source.parent / "run" / "faces")
    assert (1000, 3000, 3) in {faces.image(face).shape for face in faces}


def test_ingest_accepts_no_photo_that_later_stages_refuse(source, capsys):
    assert ingest(source, "--max-megapixels", f"{MOST_MEGAPIXELS:g}") == 0
    assert ingest(source, "--max-megapixels", f"{MOST_MEGAPIXELS + 1:g}") == 2
    assert "at most 2000" in capsys.readouterr().err


def test_whole_photos_keep_their_bytes_and_are_read_in_srgb(source):
    profile = colour._matrix_profile(colour._PRIMARIES[12], None)
    path = source / "mild" / "p3.png"
    Image.new("RGB", (80, 90), (192, 152, 124)).save(path, icc_profile=profile)
    assert ingest(source, "--whole") == 0
    faces = FaceSet.load(source.parent / "run" / "faces")
    kept = [face for face in faces if (faces.folder / face.file).read_bytes() == path.read_bytes()]
    assert faces.image(kept[0])[0, 0].tolist() == [200, 150, 120]


def run_apart(source: Path, *flags: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "anonderm.cli",
        "ingest",
        "--source",
        str(source),
        "--size",
        "16",
        *flags,
    ]
    command += ["--out", str(source.parent / "run")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def special(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    (folder / "link.jpg").symlink_to("pipe.jpg")
    (folder / "zeros.jpg").symlink_to("/dev/zero")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "labels.csv")
    here = Path.cwd()
    os.chdir(folder)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind("socket.jpg")
    finally:
        os.chdir(here)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_pipes_devices_and_sockets_are_not_opened(source):
    special(source / "mild")
    process = run_apart(source)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert len(FaceSet.load(source.parent / "run" / "faces").faces) == 8


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_signal_stops_the_reading_of_photos_and_keeps_what_was_read(source):
    large = source / "mild" / "large.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(large, quality=80)
    for index in range(60):
        large.with_name(f"large_{index}.jpg").write_bytes(large.read_bytes() + bytes([index]))
    journal = source.parent / "run" / ".checked.jsonl"
    process = run_apart(source)
    wait_for(lambda: journal.exists() and journal.stat().st_size > 0, process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped. To resume" in output
    assert "Traceback" not in output
    assert 0 < len(read_json_lines(journal)) < 69
