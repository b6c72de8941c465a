"""The force's certificate: looked at by the doctor before a deployment, and by the console when it starts."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from appliance.core.errors import SecretError


def check_pair(cert: Path | None, key: Path | None) -> None:
    """Load a certificate chain with its key (both PEM); without the two there is nothing to check.

    Raises
    ------
    SecretError
        One cannot be read or is not PEM, others may read the key, or it is another certificate's.
    """
    if cert is None or key is None:
        return
    try:
        if stat.S_IMODE(key.stat().st_mode) & 0o077:
            raise SecretError(f"{key} can be read by others.", f"Run: chmod 600 {key}")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except ssl.SSLError as error:
        why = "the key is another one's" if error.reason == "KEY_VALUES_MISMATCH" else "one of them is not PEM"
        raise SecretError(
            f"{cert} and {key} do not make a certificate: {why}.", "Give the chain and its key, both PEM."
        ) from None
    except OSError as error:
        path = key if not key.is_file() else cert
        raise SecretError(
            f"{path} cannot be read: {error.strerror}.", "Set console.tls_cert and console.tls_key to files there are."
        ) from None
