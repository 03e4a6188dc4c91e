"""`make demo`: a real Redis, unmodified, over TLS, and the proof of it.

Ends with status 0 only if everything that it shows was so.
"""

import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness.lib.gaiter import COMMAND, REPOSITORY  # noqa: E402
from harness.lib.logs import Log  # noqa: E402
from harness.lib.ports import Ports, wait_listening  # noqa: E402
from harness.lib.processes import Processes, adopt_orphans, end_strays  # noqa: E402
from harness.lib.relay import Relay  # noqa: E402

SECRET = "the-password-is-" + secrets.token_hex(12)


def title(text):
    print(f"\n{text}\n")


def show(label, text):
    print(f"  {label:<10} {text}")


def shell(place, *command):
    """Prints a command as a person would type it."""
    words = " ".join(str(word) for word in command)
    print("  $ " + words.replace(COMMAND, os.path.relpath(COMMAND, REPOSITORY))
          .replace(place, "$DEMO"))


class Demo:
    def __init__(self, place, ports, processes, cleanup):
        self.place = place
        self.ports = ports
        self.processes = processes
        self.cleanup = cleanup
        self.keyring = os.path.join(place, "keyring")
        self.server_log = Log(os.path.join(place, "server.log"))
        self.client_log = Log(os.path.join(place, "client.log"))

    def under_gaiter(self, option, port, command):
        return [COMMAND, "run", "--keyring", self.keyring, option, port, "--", *command]

    @staticmethod
    def redis_server(port):
        return ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "''",
                "--loglevel", "warning"]

    def start(self, command, port, log=None):
        command = ["" if word == "''" else word for word in command]
        server = self.processes.start(
            command, environment={"GAITER_LOG": f"info:{log.path}"} if log else None)
        wait_listening(port, server)
        return server

    def relay(self, target):
        one = Relay(self.ports.free(), target, [SECRET.encode()])
        self.cleanup.callback(one.stop)
        return one

    def redis_cli(self, port, *words, protected=True):
        command = ["redis-cli", "-h", "localhost", "-p", port, *words]
        if protected:
            command = self.under_gaiter("--connect", port, command)
        shell(self.place, *command)
        answer = self.processes.run(
            command, environment={"GAITER_LOG": f"info:{self.client_log.path}"}).text.strip()
        print(f"  {answer}")
        return answer

    def sealed(self):
        title("Redis, client and server under Gaiter, a recording relay between them")
        port = self.ports.free()
        command = self.under_gaiter("--listen", port, self.redis_server(port))
        shell(self.place, *command, "&")
        self.start(command, port, self.server_log)
        relay = self.relay(port)
        assert self.redis_cli(relay.port, "PING") == "PONG"
        assert self.redis_cli(relay.port, "SET", "secret", SECRET) == "OK"
        assert self.redis_cli(relay.port, "GET", "secret") == SECRET
        print()
        event = self.client_log.wait("secured", 3)[-1]
        for label, key in (("version", "version"), ("suite", "suite"), ("back end", "aead"),
                           ("peer", "peer"), ("handshake", "handshake_ms")):
            assert event.get(key), event.text
            show(label, event[key] + (" ms" if key == "handshake_ms" else ""))
        assert event["version"] == "TLSv1.3", event.text
        assert len(self.server_log.wait("secured", 3)) == 3
        proof = relay.prove(connections=3)
        show("wire", f"{proof.bytes} bytes in {proof.connections} connections, every one of them "
             f"in {proof.records} TLS records;")
        show("", "no 8-byte piece of the secret among them")
        return port

    def clear(self):
        title("The same without Gaiter")
        port = self.ports.free()
        self.start(self.redis_server(port), port)
        relay = self.relay(port)
        assert self.redis_cli(relay.port, "SET", "secret", SECRET, protected=False) == "OK"
        assert self.redis_cli(relay.port, "GET", "secret", protected=False) == SECRET
        found = relay.found()
        assert found, "the secret crossed in clear and was not seen: the wire proof is worthless"
        print()
        show("wire", f"{sum(relay.crossed())} bytes, and the secret among them: {found}")

    def foreign(self, port):
        title("OpenSSL's own client and the protected Redis")
        ca = os.path.join(self.keyring, "gaiter-ca", "certificate.pem")
        command = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", ca,
                   "-verify_hostname", "localhost", "-connect", f"localhost:{port}"]
        shell(self.place, "echo PING |", *command)
        client = self.processes.start(command, stdin="pipe")
        client.write(b"PING\r\n")
        client.wait_output(b"+PONG\r\n")
        client.stop()
        print("  +PONG")

    def refused(self, port):
        title("A client that speaks no TLS")
        shell(self.place, f"echo PING | nc localhost {port}")
        got = b""
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"PING\r\n")
            with contextlib.suppress(ConnectionResetError):
                while data := connection.recv(1000):
                    got += data
        assert b"PONG" not in got and (not got or (got[0] == 21 and len(got) == 7)), got
        event = self.server_log.wait("refused")[0]
        assert event["cause"] == "not_tls", event.text
        show("client got", f"a TLS alert ({got.hex()}) and the end" if got else "nothing")
        show("log", event.text)


def main():
    adopt_orphans()
    place = tempfile.mkdtemp(prefix="gaiter-demo-")
    ports, processes = Ports(), Processes(place)
    try:
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(processes.stop)
            demo = Demo(place, ports, processes, cleanup)
            port = demo.sealed()
            demo.foreign(port)
            demo.refused(port)
            demo.clear()
            processes.stop()
        left = end_strays()
        assert not left, f"left running: {left}"
    except AssertionError as error:
        print(f"\nNot shown: {error}", file=sys.stderr)
        return 1
    finally:
        processes.stop()
        ports.release()
        shutil.rmtree(place, ignore_errors=True)
    title("All of it was so.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
