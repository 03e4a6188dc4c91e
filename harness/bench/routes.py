"""The ways from a client to a server: plain, the program's own TLS, Gaiter, stunnel."""

import re
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from .bench import SUITE
from .process import Server, run
from .row import GAITER, OWN_TLS, STUNNEL, Failure


@dataclass(frozen=True)
class Program:
    """Command lines: server(port), client(port, ...), and the same of the program with TLS."""

    server: Callable
    client: Callable
    tls_server: Callable
    tls_client: Callable
    tls_environment: dict = field(default_factory=dict)


class Route:
    """Servers that run, and the client that reaches them through `port`."""

    def __init__(self, bench, stack):
        self.bench = bench
        self.port = bench.free_port()
        self.client = None
        self.client_environment = {}
        self.peer_says = ""  # what a foreign peer negotiated with the server's end
        self.log = None  # Gaiter's, of the first run
        self._stack = stack
        self._servers = []

    def serve(self, command, port, environment=None):
        server = Server(self.bench, command, environment)
        self._stack.callback(server.close)
        server.wait_until_listening(port)
        self._servers.append(server)

    def run(self, *arguments):
        """Runs the client: (what it printed, CPU seconds of the client and of all servers)."""
        before = sum(server.cpu_seconds() for server in self._servers)
        command = self.client(self.port, *arguments)
        output, cpu = run(self.bench, command, self.client_environment)
        return output, cpu + sum(server.cpu_seconds() for server in self._servers) - before

    def secured(self):
        """What Gaiter's log tells of each secured connection: [{"suite": ..., ...}]."""
        lines = self.log.read_text().splitlines() if self.log and self.log.exists() else []
        return [{key: value.strip('"') for key, value in re.findall(r'(\w+)=("[^"]*"|\S+)', line)}
                for line in lines if " secured " in line]

    def secured_by(self):
        """Protocol and suite in words, with Gaiter's own account if it logged; "" if plain."""
        told = {" ".join(connection.get(key, "?") for key in ("version", "suite", "aead"))
                for connection in self.secured()}
        return ", ".join(sorted(told)) or self.peer_says


@contextmanager
def open_route(bench, variant, program, first, foreign_client=False, resume=True):
    """A Route that lasts as long as the `with` block.

    `first`: also find out what is negotiated. `foreign_client`: a server under Gaiter, the
    client with its own TLS. `resume`: stunnel may resume sessions.
    """
    with ExitStack() as stack:
        route = Route(bench, stack)
        tls_port = route.port
        if variant == OWN_TLS:
            route.serve(program.tls_server(route.port), route.port, program.tls_environment)
            route.client = program.tls_client
            route.client_environment = program.tls_environment
        elif variant == GAITER:
            route.log = bench.scratch / f"gaiter-{route.port}.log" if first else None
            environment = bench.gaiter_environment(route.port, route.log)
            route.serve(program.server(route.port), route.port, environment)
            route.client = program.tls_client if foreign_client else program.client
            route.client_environment = program.tls_environment if foreign_client else environment
        else:
            route.serve(program.server(route.port), route.port)
            route.client = program.client
            if variant == STUNNEL:
                tls_port = add_stunnels(route, resume)
        if first and variant in (OWN_TLS, GAITER, STUNNEL):
            route.peer_says = negotiated(bench, tls_port)
        yield route


def add_stunnels(route, resume):
    """Two stunnels between the client and the server; gives the port between them."""
    bench, server_port = route.bench, route.port
    tls_port, route.port = bench.free_port(), bench.free_port()
    shared = (
        "foreground = yes", "debug = err", "syslog = no", "pid =",
        "socket = l:TCP_NODELAY=1", "socket = r:TCP_NODELAY=1",
        "[bench]", "sslVersionMin = TLSv1.3", f"ciphersuites = {SUITE}",
        f"sessionResume = {'yes' if resume else 'no'}", "sessionCacheSize = 1000")
    server = (f"accept = 127.0.0.1:{tls_port}", f"connect = 127.0.0.1:{server_port}",
              f"cert = {bench.certificate}", f"key = {bench.key}")
    client = ("client = yes", f"accept = 0.0.0.0:{route.port}", f"connect = 127.0.0.1:{tls_port}",
              f"CAfile = {bench.ca}", "verifyChain = yes", "checkHost = localhost")
    for side, lines, port in (("server", server, tls_port), ("client", client, route.port)):
        configuration = bench.scratch / f"stunnel-{side}-{port}.conf"
        configuration.write_text("\n".join(shared + lines) + "\n")
        route.serve(["stunnel", str(configuration)], port)
    return tls_port


def negotiated(bench, port):
    """Protocol and suite as a foreign peer sees them, which also proves that TLS is spoken."""
    answer = subprocess.run(
        ["openssl", "s_client", "-brief", "-connect", f"127.0.0.1:{port}", "-CAfile", bench.ca,
         "-servername", "localhost", "-verify_hostname", "localhost", "-verify_return_error"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=15)
    protocol = re.search(r"Protocol version: (\S+)", answer.stderr)
    suite = re.search(r"Ciphersuite: (\S+)", answer.stderr)
    if answer.returncode != 0 or not protocol or not suite:
        raise Failure("openssl s_client: " + " / ".join(answer.stderr.split("\n")[:3]))
    return f"{protocol[1]} {suite[1]}"
