"""A proxy on this machine: HTTP (CONNECT and plain), over TLS too, and SOCKS 5, with a password or without.

Every host that it is asked for is this machine, so that a test can give its servers names that are not loopback.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import ssl
import struct
import threading
from urllib.parse import urlsplit


class Proxy(socketserver.ThreadingTCPServer):
    """Counts what it was asked for in ``asked``. ``answer`` is the status of each answer instead of doing it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, login="", answer=None, tls=None):
        self.login, self.answer, self.tls = login, answer, tls
        self.asked = []
        self.heads = []
        self.handshakes = 0
        super().__init__(("127.0.0.1", 0), None)

    @property
    def port(self):
        return self.server_address[1]

    def finish_request(self, request, client_address):
        self.handshakes += 1
        request.settimeout(20)
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        with request:
            first = request.recv(65536)
            if first[:1] == b"\x05":
                self.socks(request, first)
            elif first:
                self.http(request, first)

    def handle_error(self, request, client_address):
        """A connection that breaks is what a test is about."""

    def http(self, sock, head):
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)
        self.heads.append(head)
        lines, _, body = head.partition(b"\r\n\r\n")
        method, target, _ = lines.split(b"\r\n")[0].decode().split()
        self.asked.append(f"{method} {target}")
        given = [line for line in lines.split(b"\r\n") if line.lower().startswith(b"proxy-authorization:")]
        expected = b"Basic " + base64.b64encode(self.login.encode())
        if self.answer == "close":
            return
        if self.answer == "hang":
            sock.recv(1)
            return
        status = self.answer or (407 if self.login and not (given and given[0].endswith(expected)) else None)
        if status:
            sock.sendall(f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            return
        if method == "CONNECT":
            with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as there:
                sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                relay(sock, there)
            return
        parts = urlsplit(target)
        with socket.create_connection(("127.0.0.1", parts.port or 80)) as there:
            path = parts._replace(scheme="", netloc="").geturl() or "/"
            kept = [line for line in lines.split(b"\r\n")[1:] if not line.lower().startswith(b"proxy-")]
            there.sendall(b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), *kept, b"connection: close", b"", body]))
            relay(sock, there)

    def socks(self, sock, first):
        if self.answer == "nonsense":
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        wants = b"\x02" if self.login else b"\x00"
        if wants not in first[2:]:
            sock.sendall(b"\x05\xff")
            return
        sock.sendall(b"\x05" + wants)
        if self.login:
            said = sock.recv(600)
            user, password = said[2 : 2 + said[1]], said[3 + said[1] :]
            if f"{user.decode()}:{password.decode()}" != self.login:
                sock.sendall(b"\x01\x01")
                return
            sock.sendall(b"\x01\x00")
        want = sock.recv(600)
        host, (port,) = want[5:-2].decode("latin-1"), struct.unpack("!H", want[-2:])
        self.asked.append(f"SOCKS {host}:{port}")
        if self.answer == "close":
            return
        if self.answer == "hang":
            sock.recv(1)
            return
        if self.answer:
            sock.sendall(b"\x05" + (b"\x02" if self.answer < 500 else b"\x04") + b"\x00\x01" + bytes(6))
            return
        with socket.create_connection(("127.0.0.1", port)) as there:
            sock.sendall(b"\x05\x00\x00\x01" + bytes(6))
            relay(sock, there)


def relay(one, other):
    """Carry bytes both ways until both sides have ended."""

    def carry(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=carry, args=(other, one), daemon=True)
    back.start()
    carry(one, other)
    back.join()


class Front(socketserver.ThreadingTCPServer):
    """Speaks TLS in front of a server on this machine that does not; ``handshakes`` counts who came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, tls, port):
        self.tls, self.behind = tls, port
        self.handshakes = 0
        super().__init__(("127.0.0.1", 0), None)

    @property
    def port(self):
        return self.server_address[1]

    def finish_request(self, request, client_address):
        self.handshakes += 1
        request.settimeout(20)
        with (
            self.tls.wrap_socket(request, server_side=True) as secure,
            socket.create_connection(("127.0.0.1", self.behind)) as there,
        ):
            relay(secure, there)

    def handle_error(self, request, client_address):
        """A refused handshake is what a test is about."""


@contextlib.contextmanager
def running(server):
    """Run a server for as long as a block."""
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def server_context(certificate):
    """Return what a server shows: a certificate that trustme issued."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
