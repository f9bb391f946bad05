"""What is sent to users' addresses: which addresses are, and that the one that was checked is the one that is met."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.addresses import OutgoingRules, is_public
from swath_marketplace.domain.errors import AddressRefused
from swath_marketplace.executors.outgoing import Outgoing, OutgoingFailed
from swath_marketplace.hook_testing import receiving

HERE = OutgoingRules.of(networks="127.0.0.0/8", ports="1-65535", allow_http=True)

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_however_it_is_written(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    outgoing = Outgoing(OutgoingRules(), resolve=lambda *_: ["1.1.1.1", address])
    with pytest.raises(AddressRefused) as refused:
        outgoing.check("https://hooks.example/x")
    assert address not in refused.value.message
    with pytest.raises(AddressRefused):
        outgoing.post("https://hooks.example/x", b"{}")


@pytest.mark.parametrize("address", [*PUBLIC, "64:ff9b::808:808"])
def test_a_public_one_is_not(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    Outgoing(OutgoingRules(), resolve=lambda *_: [address]).check("https://hooks.example/x")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://[fe80::1%25eth0]/",
    ],
)
def test_other_ways_to_write_loopback_lead_nowhere_else(url: str) -> None:
    with pytest.raises(AddressRefused):
        Outgoing(OutgoingRules()).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "http://hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "https://",
        "https:///x",
        "https://user:word@hooks.example/",
        "https://user@hooks.example/",
        "https://hooks.example:22/",
        "https://hooks.example:0/",
        "https://hooks.example:x/",
        "https://hooks.example:99999/",
        "https://hooks.example/#top",
        "https://hooks.example/a b",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example/\r\nX: y",
        "https://höoks.example/",
        "https://[::1/",
        "https://hooks.example/" + "x" * 2000,
    ],
)
def test_what_is_no_address_to_send_to(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        Outgoing(OutgoingRules(), resolve=lambda *_: ["1.1.1.1"]).check(url)
    assert refused.value.findings[0]["field"] == "url"


def test_what_an_operator_allows() -> None:
    rules = OutgoingRules.of(networks="10.0.0.0/8, fd00::/8", ports="443, 9000-9002", allow_http=False)
    Outgoing(rules, resolve=lambda *_: ["10.9.8.7", "fd00::5", "::ffff:10.1.1.1"]).check("https://in.example:9001/")
    with pytest.raises(AddressRefused):
        Outgoing(rules, resolve=lambda *_: ["192.168.0.1"]).check("https://in.example/")
    with pytest.raises(AddressRefused):
        Outgoing(rules, resolve=lambda *_: ["10.9.8.7"]).check("https://in.example:9003/")
    with pytest.raises(ValueError, match="host bits"):
        OutgoingRules.of(networks="10.0.0.1/8", ports="443", allow_http=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("NETWORKS", "10.0.0.1/8"), ("PORTS", "web"), ("AUTHORITIES", "ca.pem"), ("AUTHORITIES", "/nowhere/ca.pem")],
)
def test_what_an_operator_got_wrong_is_named_at_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SWATH_MARKETPLACE_OUTGOING_{name}", value)
    with pytest.raises(ValidationError, match=f"(?i)outgoing_{name}"):
        Settings()


def test_addresses_in_messages_follow_from_the_operators() -> None:
    for told, expected in {
        "https://swath.example.org": "https://swath.example.org/services/marketplace",
        "http://127.0.0.1:8000/": "http://127.0.0.1:8000/services/marketplace",
        "": "",
    }.items():
        assert Settings(SWATH_URL=told).service_url("/services/marketplace/") == expected  # type: ignore[call-arg]


def test_a_name_that_leads_elsewhere_a_moment_later_gains_nothing() -> None:
    with receiving() as receiver:
        answers = iter([["1.1.1.1"], ["127.0.0.1"], ["127.0.0.1"]])
        asked: list[str] = []

        def resolve(host: str, _: int) -> list[str]:
            asked.append(host)
            return next(answers)

        outgoing = Outgoing(OutgoingRules.of(networks="", ports="1-65535", allow_http=True), resolve=resolve)
        url = f"http://rebinding.example:{receiver.port}/"
        outgoing.check(url)
        with pytest.raises(AddressRefused):
            outgoing.post(url, b"{}")
        # Once for each look, and never again between the check and the connection.
        assert (len(asked), receiver.received) == (2, [])


def test_what_was_checked_is_what_is_met_under_the_name_that_was_given() -> None:
    with receiving() as receiver:
        outgoing = Outgoing(HERE, resolve=lambda *_: ["127.0.0.1"])
        answer = outgoing.post(f"http://Hooks.Example:{receiver.port}/a?b=1", b"{}", headers={"webhook-id": "m"})
        (got,) = receiver.received
    assert (answer.status, answer.ok) == (204, True)
    assert (got.path, got.headers["host"], got.body) == ("/a?b=1", f"hooks.example:{receiver.port}", b"{}")
    assert got.headers["webhook-id"] == "m"
    assert {"cookie", "authorization"}.isdisjoint(got.headers)


def test_a_redirect_is_not_followed() -> None:
    with receiving() as receiver:
        receiver.answer = lambda got: (302, {"Location": "/elsewhere"})
        answer = Outgoing(HERE).post(receiver.url, b"{}")
        assert (answer.status, answer.ok, len(receiver.received)) == (302, False, 1)


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with receiving() as receiver:
        assert Outgoing(HERE).post(receiver.url, b"{}").ok


@contextmanager
def talking(*pieces: bytes, pause: float = 0.0) -> Iterator[int]:
    """A server that says `pieces` to whoever comes, one after the other."""
    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                for piece in pieces:
                    if ending.is_set():
                        return
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return
                    ending.wait(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        ending.set()
        thread.join()


def test_a_slow_drip_ends_at_the_deadline() -> None:
    outgoing = Outgoing(HERE, seconds=0.4)
    header = [b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 1000]
    with talking(*header, pause=0.05) as port, pytest.raises(OutgoingFailed, match="in time"):
        outgoing.post(f"http://127.0.0.1:{port}/", b"{}")


def test_a_long_answer_is_cut_off_and_its_status_counts() -> None:
    outgoing = Outgoing(HERE, answer_bytes=1000)
    with talking(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 10_000] * 100) as port:
        answer = outgoing.post(f"http://127.0.0.1:{port}/", b"{}")
    assert (answer.status, len(answer.content)) == (200, 1000)


@pytest.mark.parametrize("said", [b"", b"\x00\x01garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_a_failure_in_words(said: bytes) -> None:
    with talking(said) as port, pytest.raises(OutgoingFailed, match="not HTTP") as failed:
        Outgoing(HERE).post(f"http://127.0.0.1:{port}/", b"{}")
    assert "127.0.0.1" not in str(failed.value)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OutgoingFailed, match="nobody answers"):
        Outgoing(HERE).post(f"http://127.0.0.1:{port}/", b"{}")


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for `name`, its own authority, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "authority.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, private)
    return pem, context


def test_tls_goes_by_the_name_and_not_by_the_address(tmp_path: Path) -> None:
    authority, context = certificate(tmp_path, "hooks.example")
    named: list[Any] = []
    context.sni_callback = lambda _, name, __: named.append(name)
    given: dict[str, Any] = {"resolve": lambda *_: ["127.0.0.1"], "seconds": 5}
    with receiving(context=context) as receiver:
        url = f"https://hooks.example:{receiver.port}/"
        assert Outgoing(HERE, authorities=authority, **given).post(url, b"{}").ok
        assert named == ["hooks.example"]
        with pytest.raises(OutgoingFailed, match="certificate"):
            Outgoing(HERE, **given).post(url, b"{}")
        with pytest.raises(OutgoingFailed, match="certificate"):
            Outgoing(HERE, authorities=authority, **given).post(url.replace("hooks.", "others."), b"{}")
        assert len(receiver.received) == 1
