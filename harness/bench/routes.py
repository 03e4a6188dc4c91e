"""The ways from a client to a server: plain, the program's own TLS, Gaiter, through tunnels."""

import re
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from .bench import USUAL
from .process import Conversation, Server, run
from .row import GAITER, OWN_TLS, TUNNELS, Failure
from .tunnels import add_tunnels


@dataclass(frozen=True)
class Program:
    """Command lines: server(port), client(port, ...), and the same of the program with TLS."""

    server: Callable
    client: Callable
    tls_server: Callable
    tls_client: Callable
    tls_environment: dict = field(default_factory=dict)
    owner: str = ""  # the user that the server becomes, if it does
    says: str = ""  # what the server prints once it serves, if listening is too early


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

    def serve(self, command, port, environment=None, says=""):
        server = Server(self.bench, command, environment)
        self._stack.callback(server.close)
        server.wait_until_listening(port)
        if says:
            server.wait_until_it_says(says)
        self._servers.append(server)

    def beside(self, *arguments):
        """Starts another client that goes on while run() is at work."""
        command = self.client(self.port, *arguments)
        client = Server(self.bench, command, self.client_environment)
        self._stack.callback(client.close)
        self._servers.append(client)

    def talk(self, *arguments):
        """Starts a client that is told what to do: a Conversation."""
        command = self.client(self.port, *arguments)
        talk = Conversation(self.bench, command, self.client_environment)
        self._stack.callback(talk.close)
        self._servers.append(talk)
        return talk

    def cpu_seconds(self):
        """So far, of the servers and of the clients beside()."""
        return sum(server.cpu_seconds() for server in self._servers)

    def resident_bytes(self):
        """Of the server that the program is."""
        return self._servers[0].resident_bytes()

    def run(self, *arguments):
        """Runs the client: (what it printed, CPU seconds of the client and of all servers)."""
        before = self.cpu_seconds()
        command = self.client(self.port, *arguments)
        output, cpu = run(self.bench, command, self.client_environment)
        return output, cpu + self.cpu_seconds() - before

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
def open_route(bench, variant, program, first, foreign_client=False, resume=True, tls=USUAL):
    """A Route that lasts as long as the `with` block.

    `first`: also find out what is negotiated. `foreign_client`: a server under Gaiter, the
    client with its own TLS. `resume`: tunnels may resume sessions.
    """
    with ExitStack() as stack:
        route = Route(bench, stack)
        tls_port = route.port
        if variant == OWN_TLS:
            route.serve(program.tls_server(route.port), route.port, program.tls_environment,
                        program.says)
            route.client = program.tls_client
            route.client_environment = program.tls_environment
        elif variant == GAITER:
            route.log = bench.scratch / f"gaiter-{route.port}.log" if first else None
            environment = bench.gaiter_environment(route.port, route.log, tls)
            server = bench.gaiter_environment(route.port, route.log, tls, program.owner)
            route.serve(program.server(route.port), route.port, server, program.says)
            route.client = program.tls_client if foreign_client else program.client
            route.client_environment = program.tls_environment if foreign_client else environment
        else:
            route.serve(program.server(route.port), route.port, says=program.says)
            route.client = program.client
            if variant in TUNNELS:
                tls_port = add_tunnels(route, variant, resume)
        if first and not program.owner and variant in (OWN_TLS, GAITER, *TUNNELS):
            route.peer_says = negotiated(bench, tls_port)
        yield route


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
