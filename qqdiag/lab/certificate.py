"""A self-signed certificate for loopback, made when the lab starts and gone with it."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
from pathlib import Path

from qqdiag.errors import QqdiagError
from qqdiag.model import Say


def make_certificate(folder: Path, host: str) -> Path:
    """A private key and its certificate for `host`, both in one PEM file in `folder`.

    :raises QqdiagError: without the `openssl` program
    """
    kind = "IP" if _is_address(host) else "DNS"
    pem = folder / "lab.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=qqdiag lab", "-addext", f"subjectAltName={kind}:{host}"]
    try:
        subprocess.run(
            [*command, "-keyout", str(pem), "-out", str(folder / "lab.crt")], check=True, capture_output=True
        )
    except FileNotFoundError as error:
        message = Say("The lab needs the openssl program to make a certificate for TLS.")
        raise QqdiagError(message, Say("Install it: apt-get install openssl")) from error
    with pem.open("a") as file:
        file.write((folder / "lab.crt").read_text())
    return pem


def server_context(pem: Path, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """The server's side; `newest` TLSv1_2 shows what an older peer leaves in a socket's queue (failures.md 4.3)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.maximum_version = newest
    return context


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
