"""The force's certificate: whatever would keep a browser from the console is said before the start."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appliance.core.clock import utc_now
from appliance.core.errors import SecretError
from appliance.security.tls import check_pair


def certificate(key: EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "van.example")])
    now = utc_now()
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    signed = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.PEM)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    secret = generate_private_key(SECP256R1())
    cert, key = tmp_path / "van.pem", tmp_path / "van.key"
    cert.write_bytes(certificate(secret))
    key.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    return cert, key


def test_a_certificate_with_its_key_is_taken(pair: tuple[Path, Path]) -> None:
    check_pair(*pair)


def test_without_both_there_is_nothing_to_check(pair: tuple[Path, Path]) -> None:
    check_pair(None, None)
    check_pair(pair[0], None)
    check_pair(None, pair[1])


def test_a_key_that_others_may_read_is_refused(pair: tuple[Path, Path]) -> None:
    pair[1].chmod(0o644)
    with pytest.raises(SecretError, match=r"van\.key can be read by others\. Run: chmod 600"):
        check_pair(*pair)


def test_the_key_of_another_certificate_is_told_apart_from_what_is_not_pem(pair: tuple[Path, Path]) -> None:
    cert, key = pair
    cert.write_bytes(certificate(generate_private_key(SECP256R1())))
    with pytest.raises(SecretError, match="the key is another one's"):
        check_pair(cert, key)
    cert.write_text("no certificate")
    with pytest.raises(SecretError, match="one of them is not PEM"):
        check_pair(cert, key)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_file_that_is_missing_is_named(pair: tuple[Path, Path], missing: int) -> None:
    pair[missing].unlink()
    with pytest.raises(SecretError, match=f"{pair[missing].name} cannot be read: No such file"):
        check_pair(*pair)
