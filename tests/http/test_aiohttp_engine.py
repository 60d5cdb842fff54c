"""What the engine does on the network and what it never does, against a bare socket that answers as told."""

import datetime as dt
import gzip
import ipaddress
import socketserver
import ssl
import threading

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clio_nb import errors
from clio_nb.http import aiohttp_engine, httpx_engine, loop, transport


class Teller(socketserver.ThreadingTCPServer):
    """Answers each request with the next of what it was told to say; None breaks the connection instead."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *answers):
        self.answers = list(answers)
        self.heard = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Conversation)

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A refused handshake is what a test is about."""


class Conversation(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.connections += 1
        while head := self.request_head():
            self.server.heard.append(head)
            answer = self.server.answers.pop(0)
            if answer is None:
                return
            self.wfile.write(answer)

    def request_head(self):
        lines = list(iter(self.rfile.readline, b"\r\n")) if self.rfile.peek(1) else []
        return b"".join(lines).decode()


@pytest.fixture
def tell():
    """Start a server that gives these answers, one after the other."""
    servers = []

    def start(*answers):
        servers.append(Teller(*answers))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ok(body=b"{}", *headers):
    lines = ["HTTP/1.1 200 OK", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def get(server, path="/"):
    return loop.run(transport.exchange, "GET", server.origin + path, deadline=10.0)


def test_l10_a_get_whose_connection_broke_is_never_sent_again_by_the_engine(tell):
    server = tell(ok(), None, ok())
    get(server)
    with pytest.raises(errors.NetworkError):
        get(server, "/api/v4/matters/1?custom_action_nonce=abcdefgh")
    assert server.connections == 1, "the second request should have met a connection that was in use before"
    assert [head.split()[1] for head in server.heard] == ["/", "/api/v4/matters/1?custom_action_nonce=abcdefgh"]


def test_connections_are_used_again(tell):
    server = tell(ok(), ok(), ok())
    for _ in range(3):
        get(server)
    assert server.connections == 1


def test_a_path_and_query_are_sent_as_they_were_built(tell):
    server = tell(ok())
    get(server, "/api/v4/users?fields=id%2Caccount%7Bname%7D&x=a%2Bb+c%20d")
    assert server.heard[0].split()[1] == "/api/v4/users?fields=id%2Caccount%7Bname%7D&x=a%2Bb+c%20d"


def test_a_cookie_is_not_kept_for_the_next_user(tell):
    server = tell(ok(b"{}", "set-cookie: session=of-one-user"), ok())
    get(server)
    get(server)
    assert not [head for head in server.heard if "cookie" in head.lower()]


def test_h12_a_proxy_in_the_environment_is_not_used(tell, monkeypatch):
    server, proxy = tell(ok()), tell(ok())
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.origin)
    get(server)
    assert not proxy.heard


def test_h14_a_compressed_answer_is_read_and_its_whole_size_counts(tell, monkeypatch):
    packed = ok(gzip.compress(b"x" * 5000), "content-encoding: gzip")
    assert get(tell(packed)).body == b"x" * 5000
    monkeypatch.setattr(httpx_engine, "BODY_CAP", 4999)
    with pytest.raises(errors.NetworkError, match="too large"):
        get(tell(packed))


@pytest.fixture
def own_authority(tmp_path):
    """A certificate for 127.0.0.1 that vouches for itself, as a firm's network may have one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1)
    )
    for extension in (
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
        x509.BasicConstraints(ca=True, path_length=None),
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
    ):
        built = built.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    pem = tmp_path / "own.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    certificate = built.sign(key, hashes.SHA256()).public_bytes(encoding)
    pem.write_bytes(certificate + key.private_bytes(encoding, form, serialization.NoEncryption()))
    return pem


@pytest.fixture
def tell_privately(own_authority):
    """Start a server that gives one answer over TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own_authority)
    server = Teller(ok())
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


async def over_tls(server):
    """Send a GET with an engine that was made just now."""
    fresh = aiohttp_engine.Engine()
    url = server.origin.replace("http:", "https:")
    try:
        return await fresh.handle_async_request(
            httpx.Request("GET", url, stream=httpx.ByteStream(b""), extensions={"timeout": {"read": 10.0}})
        )
    finally:
        await fresh.aclose()


def test_h12_a_certificate_that_nobody_vouches_for_is_refused(tell_privately):
    with pytest.raises(httpx.NetworkError):
        loop.run(over_tls, tell_privately)
    assert not tell_privately.heard


def test_h12_an_authority_of_this_machine_is_trusted(tell_privately, own_authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(own_authority))
    assert loop.run(over_tls, tell_privately).status_code == 200
