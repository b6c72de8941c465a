"""The console's process: TLS, the demonstration's one-time sign-in, its end, and what it refuses to start with."""

import datetime as dt
import ipaddress
import socket
import ssl
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_stage import Stage
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.console import server
from appliance.console.request_guard import hosts_of
from appliance.console.settings import ConsoleSettings
from appliance.core.errors import ConfigError, SecretError


def certificate(folder: Path) -> Any:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "van-7.police.example")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("van-7.police.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "console.pem", folder / "console.key"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    secret.chmod(0o600)
    return cert, secret


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    return ConsoleSettings("127.0.0.1:0", f"ipc://{tmp_path}/p", f"ipc://{tmp_path}/r", tmp_path / "users.json")


def test_with_tls_the_cookie_is_secure_and_bound_to_the_host_and_the_demo_token_works_once(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(cert))
    with (
        tempfile.TemporaryDirectory(prefix="lfr-", dir="/tmp") as short,
        httpx.Client(verify=trust, timeout=30) as client,
    ):
        stage = Stage(Path(short), tls_cert=cert, tls_key=key, demo_token="once-only-token")
        client.base_url = stage.url
        stage.start_console(trust)
        try:
            refused = client.get("/", params={"demo": "wrong"})
            assert refused.headers["location"] == "/signin?why=used"
            answer = client.get("/", params={"demo": "once-only-token"})
            session = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("__Host-lfr-session="))
            assert "Secure" in session
            assert "Path=/" in session
            assert "strict-transport-security" in answer.headers
            assert "demonstration" in client.get("/").text
            client.cookies.clear()
            again = client.get("/", params={"demo": "once-only-token"})
            assert again.headers["location"] == "/signin?why=used"
            told = client.get(again.headers["location"]).text
            assert "it has been used" in told
            assert "start the demonstration again" in told
            assert "lfr users add" not in told
        finally:
            assert stage.stop_console() == 0
            stage.close()


def test_the_names_in_the_certificate_are_hosts(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    assert {"van-7.police.example", "127.0.0.1"} <= hosts_of("0.0.0.0:8443", cert)


def test_a_taken_address_is_one_sentence(settings: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match="cannot listen on"):
            server.serve(replace(settings, listen=address))


def test_a_tls_key_that_others_can_read_is_refused(settings: Any, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    key.chmod(0o644)
    with pytest.raises(SecretError, match="chmod 600"):
        server.serve(replace(settings, tls_cert=cert, tls_key=key))


def test_a_certificate_of_another_key_is_refused(settings: Any, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, key = certificate(other)
    with pytest.raises(SecretError, match="do not make a certificate: the key is another one's"):
        server.serve(replace(settings, tls_cert=cert, tls_key=key))


def test_a_certificate_that_is_none_or_is_not_there_is_one_sentence(settings: Any, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    opened = []
    key.write_text("rubbish")
    with pytest.raises(SecretError, match="one of them is not PEM"):
        server.serve(replace(settings, tls_cert=cert, tls_key=key), lambda: opened.append(1))
    cert.unlink()
    with pytest.raises(SecretError, match=r"console\.pem cannot be read: No such file or directory\."):
        server.serve(replace(settings, tls_cert=cert, tls_key=key), lambda: opened.append(1))
    assert opened == []


def test_a_demo_token_is_not_in_the_settings_repr(settings: Any) -> None:
    assert "secret-token" not in repr(replace(settings, demo_token="secret-token"))
