"""Python's http.server and urllib."""

import http.server
import os
import threading

import pytest

from harness.lib.peers import PYTHON, VERSIONS, curl, server_context
from harness.lib.ports import wait_listening

BODY = os.urandom(1 << 20).hex().encode()

FETCH = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for url in sys.argv[1:]:
    with opener.open(url, timeout=20) as answer:
        sys.stdout.buffer.write(answer.read())
"""


def fetch(*urls):
    return [PYTHON, "-I", "-c", FETCH, *urls]


@pytest.fixture
def www(place):
    root = os.path.join(place, "www")
    os.mkdir(root)
    with open(os.path.join(root, "secret-file-name"), "wb") as out:
        out.write(BODY)
    return root


@pytest.fixture
def protected(processes, ports, www, server_side):
    """http.server under Gaiter; gives its port."""
    def with_policy(**settings):
        port = ports.free()
        server_side.inbound(port, **settings)
        server = processes.start([PYTHON, "-I", "-m", "http.server", "--bind", "127.0.0.1",
                                  "--directory", www, port], environment=server_side.environment())
        wait_listening(port, server)
        return port
    return with_policy


@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_urllib_fetches_from_http_server(protected, relay, processes, server_side, client_side,
                                         client_auth):
    wire = relay(protected(client_auth=client_auth), [BODY, b"GET /secret-file-name"])
    client_side.outbound(wire.port,
                         **({"certificate": "client"} if client_auth == "required" else {}))
    url = f"http://localhost:{wire.port}/secret-file-name"
    done = processes.run(fetch(url, url), environment=client_side.environment())
    assert done.stdout == BODY + BODY
    wire.prove(connections=2)
    first, second = client_side.secured(2, version="TLSv1.3") or [{}, {}]
    assert first.get("resumed") != "yes"
    server_side.secured(2)


def test_urllib_by_address_needs_no_name(protected, relay, processes, client_side):
    wire = relay(protected(), [BODY])
    client_side.outbound(wire.port)
    done = processes.run(fetch(f"http://127.0.0.1:{wire.port}/secret-file-name"),
                         environment=client_side.environment())
    assert done.stdout == BODY
    wire.prove(connections=1)


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_curl_with_https_from_http_server(protected, relay, processes, ca, server_side, version):
    wire = relay(protected(), [BODY])
    done = processes.run(curl(f"https://localhost:{wire.port}/secret-file-name", ca, version))
    assert done.stdout == BODY
    wire.prove(connections=1)
    server_side.secured(1, version=f"TLSv{version}")


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_urllib_from_an_https_server(ports, relay, processes, place, ca, pki, cleanup, client_side,
                                     version):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_):
            pass

    port = ports.free()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    context = server_context(pki.server.files(place, "server"), version, client_ca=ca)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cleanup.callback(server.server_close)
    cleanup.callback(server.shutdown)
    wire = relay(port, [BODY])
    client_side.outbound(wire.port, certificate="client", truncation="eof")
    url = f"http://localhost:{wire.port}/"
    done = processes.run(fetch(url, url), environment=client_side.environment())
    assert done.stdout == BODY + BODY
    wire.prove()
    client_side.secured(2, version=f"TLSv{version}")
