"""C2PA: signed with a chain made for the test, read back by the package, and broken by any change."""

from __future__ import annotations

import datetime
import io
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_release import unpacked, write_release
from PIL import Image

from anonderm.core.errors import InputError, MissingExtra, MissingPath
from anonderm.core.faceset import FaceSet
from anonderm.publish.release import signing
from anonderm.publish.release.marks import fault_of, is_signed, marked_png
from anonderm.publish.release.signing import Signer, fault_of_signature
from anonderm.publish.release.verify.command import verify

c2pa = pytest.importorskip("c2pa")
x509 = pytest.importorskip("cryptography.x509")
PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


@dataclass(frozen=True)
class Chain:
    """PEM files of a signer's certificate with that of its root, and of the signer's key."""

    certificates: Path
    key: Path
    root: str


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(common: str) -> Any:
        parts = {NameOID.ORGANIZATION_NAME: "A clinic", NameOID.COMMON_NAME: common}
        return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts.items()])

    def certificate(common: str, public: Any, is_root: bool) -> Any:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        usage |= {"digital_signature": not is_root, "key_cert_sign": is_root, "crl_sign": is_root}
        made = (
            x509.CertificateBuilder(name("root"), name(common), public, x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(is_root, None), True)
            .add_extension(x509.KeyUsage(**usage), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False)
        )
        if not is_root:
            made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        return made.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    folder = tmp_path_factory.mktemp("chain")
    root = certificate("root", root_key.public_key(), True)
    (folder / "chain.pem").write_bytes(certificate("signer", key.public_key(), False) + root)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return Chain(folder / "chain.pem", folder / "key.pem", root.decode())


@pytest.fixture
def signed(chain: Chain) -> bytes:
    return Signer(chain.certificates, chain.key).sign(marked_png(PICTURE))


def test_a_reader_that_trusts_the_root_trusts_the_picture(chain: Chain, signed: bytes) -> None:
    settings = {"version": 1, "verify": {"verify_trust": True}, "trust": {"user_anchors": chain.root}}
    with c2pa.Reader("image/png", io.BytesIO(signed), context=c2pa.Context.from_dict(settings)) as reader:
        assert reader.get_validation_state() == "Trusted"
        manifest = reader.get_active_manifest()
    assert manifest["signature_info"]["issuer"] == "A clinic"
    (actions,) = (each for each in manifest["assertions"] if each["label"].startswith("c2pa.actions"))
    (action,) = actions["data"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("trainedAlgorithmicMedia")
    assert "thumbnail" not in manifest


def test_a_signed_picture_keeps_its_pixels_and_its_mark(signed: bytes) -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(signed))), PICTURE)
    assert (fault_of(signed), fault_of_signature(signed), is_signed(signed)) == ("", "", True)


def test_a_change_after_signing_is_found(signed: bytes) -> None:
    other = marked_png(255 - PICTURE)
    start, end = signed.index(b"IDAT") - 4, other.index(b"IDAT") - 4
    swapped = signed[:start] + other[end:]
    assert fault_of(swapped) == ""
    assert "changed after signing" in fault_of_signature(swapped)
    assert "cannot be read" in fault_of_signature(marked_png(PICTURE))


def test_no_network_is_used(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert fault_of_signature(Signer(chain.certificates, chain.key).sign(marked_png(PICTURE))) == ""


def test_a_whole_release_is_signed_in_every_format_and_verified(
    chain: Chain, faces: FaceSet, tmp_path: Path
) -> None:
    settings = {"c2pa_certificate": chain.certificates, "c2pa_key": chain.key}
    formats = ("imagefolder", "parquet", "webdataset", "stylegan")
    release = write_release(tmp_path / "export", faces, formats=formats, **settings)
    pictures = [data for data in unpacked(release).values() if data.startswith(b"\x89PNG")]
    assert len(pictures) == 4 * len(faces)
    assert all(is_signed(each) for each in pictures)
    assert [check.faults for check in verify(release)] == [()] * len(verify(release))

    face = release / "train" / "healthy" / "face-00001.png"
    face.write_bytes(marked_png(PICTURE))
    found = {
        fault.what for check in verify(release) for fault in check.faults if fault.file.endswith(face.name)
    }
    assert found == {"was changed", "is not signed, although the release states that it is"}


def test_files_that_cannot_sign_are_refused_by_name(chain: Chain, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    for signer, error, said in (
        (Signer(chain.certificates, rubbish), InputError, "rubbish.pem: not a usable private key"),
        (Signer(rubbish, chain.key), InputError, "rubbish.pem: C2PA cannot sign"),
        (Signer(tmp_path / "gone.pem", chain.key), MissingPath, "gone.pem"),
    ):
        with pytest.raises(error, match=said):
            signer.sign(marked_png(PICTURE))


def test_without_the_package_the_error_names_the_extra_and_verify_reports_what_it_left_out(
    chain: Chain, faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"c2pa_certificate": chain.certificates, "c2pa_key": chain.key}
    release = write_release(tmp_path / "export", faces, **settings)

    def missing() -> Any:
        raise MissingExtra("C2PA needs the package c2pa-python.", "pip install 'anonderm[c2pa]'")

    monkeypatch.setattr(signing, "_c2pa", missing)
    checks = verify(release)
    assert [check.faults for check in checks] == [()] * len(checks)
    assert any("signatures were not checked" in check.note for check in checks)
    with pytest.raises(MissingExtra, match="anonderm\\[c2pa\\]"):
        write_release(tmp_path / "again", faces, **settings)
