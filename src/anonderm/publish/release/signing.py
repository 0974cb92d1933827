"""C2PA: the origin of a picture, signed with the publisher's certificate (extra `c2pa`).

The signature has no timestamp from a server: nothing here uses a network.
"""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from anonderm import __version__
from anonderm.core.errors import InputError, MissingExtra, MissingPath
from anonderm.publish.release.marks import SOURCE_TYPE

_MANIFEST = {
    "claim_generator_info": [{"name": "anonderm", "version": __version__}],
    "format": "image/png",
    "assertions": [
        {
            "label": "c2pa.actions.v2",
            "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}]},
        }
    ],
}
# No embedded thumbnail, no network access; which signers to trust is left to the reader.
_SETTINGS = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Signer:
    """Signs PNGs with a certificate chain (the signer's first) and its private key, both PEM."""

    certificate: Path
    key: Path

    def sign(self, png: bytes) -> bytes:
        """The same picture with a signed manifest of its origin. Raises InputError or MissingPath."""
        c2pa = _c2pa()
        signed = io.BytesIO()
        try:
            with c2pa.Builder(_MANIFEST, self._context) as builder:
                builder.sign(self._signer, "image/png", io.BytesIO(png), signed)
        except c2pa.C2paError as error:
            raise self._not_accepted(error) from error
        return signed.getvalue()

    @cached_property
    def _context(self) -> Any:
        return _c2pa().Context.from_dict(_SETTINGS)

    @cached_property
    def _signer(self) -> Any:
        c2pa = _c2pa()
        certificates, key = _read(self.certificate), _read(self.key)
        try:
            return c2pa.Signer.from_info(c2pa.C2paSignerInfo(self._algorithm(key), certificates, key, None))
        except c2pa.C2paError as error:
            raise self._not_accepted(error) from error

    def _algorithm(self, key: bytes) -> str:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        try:
            private = serialization.load_pem_private_key(key, password=None)
        except (TypeError, ValueError) as error:
            hint = "Give a PEM file of the private key, without a password."
            raise InputError(f"{self.key}: not a usable private key ({error}).", hint) from error
        match private:
            case ec.EllipticCurvePrivateKey() if private.curve.name in _CURVES:
                return _CURVES[private.curve.name]
            case ed25519.Ed25519PrivateKey():
                return "ed25519"
            case rsa.RSAPrivateKey():
                return "ps256"
        raise InputError(
            f"{self.key}: C2PA does not support this type of key.",
            "Use P-256, P-384, P-521, Ed25519 or RSA.",
        )

    def _not_accepted(self, error: Exception) -> InputError:
        return InputError(
            f"{self.certificate}: C2PA cannot sign with this certificate and key ({error}).",
            "C2PA needs the whole certificate chain in one PEM file, the signer's own first, with key usage "
            "digitalSignature and extended key usage emailProtection or documentSigning.",
        )


def fault_of_signature(png: bytes) -> str:
    """What is wrong with the C2PA manifest of a PNG; empty if nothing. Raises MissingExtra."""
    c2pa = _c2pa()
    try:
        with c2pa.Reader("image/png", io.BytesIO(png), context=c2pa.Context.from_dict(_SETTINGS)) as reader:
            state, manifest = reader.get_validation_state(), reader.get_active_manifest() or {}
    except c2pa.C2paError as error:
        return f"has a C2PA manifest that cannot be read ({error})"
    if state not in ("Valid", "Trusted"):
        return "was changed after signing, or its signature is invalid"
    actions = [
        action for each in manifest.get("assertions", ()) for action in each["data"].get("actions", ())
    ]
    made = any(action.get("digitalSourceType") == SOURCE_TYPE for action in actions)
    return "" if made else "is signed, but not as made by a trained algorithm"


def can_read() -> bool:
    """Whether the package that reads manifests is installed."""
    try:
        _c2pa()
    except MissingExtra:
        return False
    return True


def _c2pa() -> Any:
    try:
        import c2pa
    except ImportError as error:
        raise MissingExtra(
            "Signing with C2PA needs the package c2pa-python, which is not installed.",
            "pip install 'anonderm[c2pa]'",
        ) from error
    return c2pa


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MissingPath(f"{path}: cannot be read ({error.strerror}).", "Give a PEM file.") from error
