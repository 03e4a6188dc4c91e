"""A client of Redis by hand, in clear or in TLS: one connection, kept as long as it is needed."""

import socket
import ssl
import time


class Inline:
    """Speaks Redis's inline protocol. With `ca`, in TLS, which must verify; `identity` is a
    (certificate file, key file) pair. Waits for an answer `timeout` seconds at most."""

    def __init__(self, port, ca=None, identity=None, session=None, version=None, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.context = None
        if ca is None:
            return
        try:
            self.context = session.context if session else ssl.create_default_context(cafile=ca)
            if identity and not session:
                self.context.load_cert_chain(*identity)
            if version and not session:
                self.context.maximum_version = version
            self.socket = self.context.wrap_socket(
                self.socket, server_hostname="localhost",
                session=session.socket.session if session else None)
        except BaseException:
            self.socket.close()
            raise

    def ask(self, command=b"PING"):
        """The first line of the answer; b"" if the server closed."""
        self.socket.sendall(command + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            got = self.socket.recv(4096)
            if not got:
                break
            answer += got
        return answer.split(b"\r\n")[0]

    def serial(self):
        """The serial number of the certificate that the server showed."""
        return int(self.socket.getpeercert()["serialNumber"], 16)

    def resumed(self):
        return self.socket.session_reused

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def pinged(port, **how):
    """One connection, one answer; None if it was refused."""
    try:
        with Inline(port, **how) as client:
            return client.ask() or None
    except OSError:
        return None


def wait_until(condition, timeout=10):
    """Waits for condition() to be true, and gives how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout, f"not so within {timeout} s"
        time.sleep(0.05)
    return time.monotonic() - began
