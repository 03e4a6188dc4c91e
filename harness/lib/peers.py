"""Foreign TLS peers: OpenSSL's and GnuTLS's tools, stunnel, curl and Python's ssl.

Each function gives the command of a peer, or its configuration. `version` is "1.2" or "1.3";
`identity` a (certificate file, key file) pair, `ca` the file of what the peer trusts.
"""

import contextlib
import os
import socket
import ssl
import threading

VERSIONS = ("1.2", "1.3")
PYTHON = "/usr/bin/python3"
TALKERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "talkers")


# ---- programs without TLS ----

def talk(*steps):
    return [PYTHON, "-I", os.path.join(TALKERS, "talk.py"), *steps]


def echo_server(port, model="threads"):
    return [PYTHON, "-I", os.path.join(TALKERS, "echo_server.py"), port, model]


def talked(completed):
    """What talk.py printed, as {step name: [result, ...]}."""
    results = {}
    for line in completed.text.splitlines():
        step, _, result = line.partition(" ")
        results.setdefault(step, []).append(result)
    return results


# ---- OpenSSL ----

def _openssl_version(version):
    return "-tls" + version.replace(".", "_")


def openssl_client(port, ca, version, identity=None, extra=()):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
               "-CAfile", ca, "-verify_return_error", "-verify_hostname", "localhost",
               _openssl_version(version)]
    if identity:
        command += ["-cert", identity[0], "-key", identity[1]]
    return command + list(extra)


def openssl_server(port, identity, version, client_ca=None, extra=("-rev",)):
    """By default the server answers each line reversed."""
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}",
               "-cert", identity[0], "-cert_chain", identity[0], "-key", identity[1],
               _openssl_version(version)]
    if client_ca:
        command += ["-Verify", "3", "-verify_return_error", "-CAfile", client_ca]
    return command + list(extra)


# ---- GnuTLS ----

def _priority(version):
    return f"NORMAL:-VERS-ALL:+VERS-TLS{version}"


def gnutls_client(port, ca, version, identity=None, extra=()):
    command = ["gnutls-cli", "--x509cafile", ca, "--port", port, "--priority", _priority(version),
               "--sni-hostname", "localhost", "--verify-hostname", "localhost"]
    if identity:
        command += ["--x509certfile", identity[0], "--x509keyfile", identity[1]]
    return command + list(extra) + ["127.0.0.1"]


def gnutls_server(port, identity, version, client_ca=None):
    command = ["gnutls-serv", "--echo", "--port", port, "--priority", _priority(version),
               "--x509certfile", identity[0], "--x509keyfile", identity[1]]
    if client_ca:
        command += ["--require-client-cert", "--verify-client-cert", "--x509cafile", client_ca]
    return command


# ---- stunnel ----

def stunnel(place, name, accept, connect, client, version=None, identity=None, ca=None,
            check_host=None):
    """Writes stunnel's configuration and gives its command. Client or server by `client`; with
    `ca` the other end must present a certificate."""
    lines = ["foreground = yes", "debug = 5", "syslog = no", "pid =", "[service]",
             f"client = {'yes' if client else 'no'}",
             f"accept = 127.0.0.1:{accept}", f"connect = 127.0.0.1:{connect}"]
    if version:
        lines += [f"sslVersionMin = TLSv{version}", f"sslVersionMax = TLSv{version}"]
    if identity:
        lines += [f"cert = {identity[0]}", f"key = {identity[1]}"]
    if ca:
        lines += [f"CAfile = {ca}", "verifyChain = yes"]
        if not client:
            lines.append("requireCert = yes")
    if check_host:
        lines += [f"checkHost = {check_host}", f"sni = {check_host}"]
    path = os.path.join(place, name + ".stunnel.conf")
    with open(path, "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")
    return ["stunnel", path]


# ---- curl ----

def curl(url, ca, version, identity=None, extra=()):
    command = ["curl", "-q", "-sS", "--fail", "--ipv4", "--noproxy", "*", "--cacert", ca,
               "--tlsv" + version, "--tls-max", version]
    if identity:
        command += ["--cert", identity[0], "--key", identity[1]]
    return command + list(extra) + [url]


# ---- Python's ssl, in threads of the harness ----

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def client_context(ca, version="1.3", identity=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    return _finish(context, version, identity)


def server_context(identity, version="1.3", client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return _finish(context, version, identity)


def _finish(context, version, identity):
    context.minimum_version = context.maximum_version = TLS_VERSIONS[version]
    # Python lets a missing close_notify pass as end of file, unless this is taken away too.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if identity:
        context.load_cert_chain(*identity)
    return context


def connect(port, context, session=None, timeout=20):
    """A TLS connection to localhost from this process. A missing close_notify is an error."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    try:
        return context.wrap_socket(raw, server_hostname="localhost", session=session,
                                   suppress_ragged_eofs=False)
    except BaseException:
        raw.close()
        raise


class Server:
    """Runs `serve(socket)` for each connection, each in a thread; keeps what they raise. With a
    context the sockets are TLS, and a missing close_notify is an error."""

    def __init__(self, port, serve, context=None, timeout=20):
        self.errors = []
        self._serve = serve
        self._context = context
        self._timeout = timeout
        self._threads = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(64)
        self._main = threading.Thread(target=self._accept, daemon=True)
        self._main.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(self._timeout)
            thread = threading.Thread(target=self._one, args=(connection,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _one(self, connection):
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True,
                                                       suppress_ragged_eofs=False)
            self._serve(connection)
        except Exception as error:  # whatever it was, the test will look at it
            self.errors.append(error)
        finally:
            connection.close()

    def join(self, timeout=20):
        for thread in self._threads:
            thread.join(timeout)

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._main.join(5)


def echo(connection):
    """A `serve` for Server that sends everything back and closes properly."""
    while data := connection.recv(1 << 16):
        connection.sendall(data)
    if isinstance(connection, ssl.SSLSocket):
        connection.unwrap()
