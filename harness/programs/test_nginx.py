"""nginx (edge-triggered, sendfile, workers that drop privileges) with curl and wrk, and nginx
as a client of another nginx."""

import hashlib
import os
import re

import pytest

from harness.lib.peers import VERSIONS, curl
from harness.lib.pki import issue
from harness.lib.ports import wait_listening

SECRET = os.urandom(32).hex().encode()
SIZE = 10 << 20
FILE = (os.urandom(1 << 16).hex().encode() * 80)[:SIZE]

CONFIGURATION = """
daemon off;
user www-data;
worker_processes 2;
pid {place}/nginx.pid;
error_log {place}/nginx-error.log info;
events {{ use epoll; worker_connections 512; multi_accept on; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  {http}
}}
"""

FILES = """
  server {{
    listen 127.0.0.1:{port} {tls};
    root {place}/www;
    location = /small {{ return 200 "{secret}"; }}
    {more}
  }}
"""


@pytest.fixture
def www(place):
    """The files that nginx serves."""
    root = os.path.join(place, "www")
    os.mkdir(root, 0o755)
    with open(os.path.join(root, "file"), "wb") as out:
        out.write(FILE)
    return root


@pytest.fixture
def start(processes, place, www):
    def nginx(port, http, environment=None):
        path = os.path.join(place, f"nginx-{port}.conf")
        with open(path, "w", encoding="ascii") as out:
            out.write(CONFIGURATION.format(place=place, http=http))
        server = processes.start(["nginx", "-e", "stderr", "-c", path], environment=environment)
        wait_listening(port, server)
        return server
    return nginx


def files(place, port, tls="", more=""):
    return FILES.format(place=place, port=port, tls=tls, more=more, secret=SECRET.decode())


@pytest.fixture
def protected(start, ports, place, server_side):
    """nginx under Gaiter; gives its port."""
    def with_policy(**settings):
        port = ports.free()
        server_side.inbound(port, **settings)
        start(port, files(place, port), server_side.environment())
        return port
    return with_policy


def plain_curl(url, *extra):
    return ["curl", "-q", "-sS", "--fail", "--ipv4", "--noproxy", "*", *extra, url]


def fetched(place, name="got"):
    with open(os.path.join(place, name), "rb") as got:
        return hashlib.sha256(got.read()).hexdigest()


WHOLE = hashlib.sha256(FILE).hexdigest()


def wrk(url, seconds=2, connections=20):
    return ["wrk", "-t", "2", "-c", connections, "-d", f"{seconds}s", "--timeout", "10s", url]


def assert_served(completed, at_least=1):
    assert "Socket errors" not in completed.text, completed.description
    assert "Non-2xx" not in completed.text, completed.description
    requests = int(re.search(r"(\d+) requests in", completed.text)[1])
    assert requests >= at_least, completed.description


@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_a_file_sent_by_sendfile_is_sealed(protected, relay, processes, place, server_side,
                                           client_side, client_auth):
    wire = relay(protected(client_auth=client_auth), [FILE, b"GET /file HTTP/1.1"])
    certificate = {"certificate": "client"} if client_auth == "required" else {}
    client_side.outbound(wire.port, **certificate)
    processes.run(plain_curl(f"http://localhost:{wire.port}/file", "-o", place + "/got"),
                  environment=client_side.environment())
    assert fetched(place) == WHOLE
    wire.prove(connections=1)
    client_side.secured(1, version="TLSv1.3")
    server_side.secured(1, version="TLSv1.3")


def test_several_requests_share_a_connection(protected, relay, processes, place, client_side):
    wire = relay(protected(), [FILE, SECRET])
    client_side.outbound(wire.port)
    base = f"http://localhost:{wire.port}"
    done = processes.run(plain_curl(f"{base}/small", f"{base}/file", "-o", place + "/got",
                                    "-r", "1000-2999999", f"{base}/small", "--next", "-sS",
                                    f"{base}/small"), environment=client_side.environment())
    assert SECRET in done.stdout
    wire.prove()


def test_wrk_under_gaiter(protected, relay, processes, server_side, client_side):
    wire = relay(protected(), [SECRET])
    client_side.outbound(wire.port)
    done = processes.run(wrk(f"http://localhost:{wire.port}/small"),
                         environment=client_side.environment())
    assert_served(done)
    wire.prove(whole=False)
    server_side.secured(20, version="TLSv1.3")
    client_side.nothing_refused()


def test_wrk_fetches_large_files(protected, processes, client_side):
    port = protected()
    client_side.outbound(port)
    done = processes.run(wrk(f"http://localhost:{port}/file", connections=8),
                         environment=client_side.environment())
    assert_served(done, at_least=1)


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_curl_with_https(protected, relay, processes, place, ca, pki, server_side, version,
                         client_auth):
    wire = relay(protected(client_auth=client_auth), [FILE, SECRET])
    identity = pki.client.files(place, "client") if client_auth == "required" else None
    processes.run(curl(f"https://localhost:{wire.port}/file", ca, version, identity,
                       extra=("-o", place + "/got")))
    assert fetched(place) == WHOLE
    wire.prove(connections=1)
    server_side.secured(1, version=f"TLSv{version}")


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_for_each_name(start, processes, ports, place, ca, pki, side, version):
    """SNI: curl verifies the name, so a wrong certificate would be an error."""
    port = ports.free()
    names = {"one": "one.harness", "two": "two.harness"}
    server_side = side("server", {label: issue(name, pki.ca, [name])
                                  for label, name in names.items()}, {"ca": pki.ca})
    server_side.inbound(port, certificate="one", sni={'"two.harness"': "two"})
    start(port, files(place, port), server_side.environment())
    for name, status in [("one.harness", 0), ("two.harness", 0), ("three.harness", 60)]:
        done = processes.run(
            curl(f"https://{name}:{port}/file", ca, version,
                 extra=("-o", place + "/got", "--resolve", f"{name}:{port}:127.0.0.1")),
            check=False)
        assert done.status == status, done.description
        assert fetched(place) == WHOLE


@pytest.mark.tls_only
def test_wrk_with_https(protected, processes, server_side):
    port = protected()
    done = processes.run(wrk(f"https://localhost:{port}/small"))
    assert_served(done)
    server_side.secured(20)


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_curl_and_wrk_under_gaiter_of_nginx_with_its_own_tls(start, relay, processes, ports, place,
                                                             ca, pki, client_side, version):
    port = ports.free()
    certificate, key = pki.server.files(place, "server")
    start(port, files(place, port, "ssl", f"""
      ssl_protocols TLSv{version};
      ssl_certificate {certificate};
      ssl_certificate_key {key};
      ssl_client_certificate {ca};
      ssl_verify_client on;"""))
    wire = relay(port, [FILE, SECRET])
    client_side.outbound(wire.port, certificate="client")
    under = client_side.environment()
    processes.run(plain_curl(f"http://localhost:{wire.port}/file", "-o", place + "/got"),
                  environment=under)
    assert fetched(place) == WHOLE
    assert_served(processes.run(wrk(f"http://localhost:{wire.port}/small", 1), environment=under))
    wire.prove(whole=False)
    client_side.secured(2, version=f"TLSv{version}")
    client_side.nothing_refused()


def test_nginx_proxies_to_nginx_both_ways_sealed(start, relay, processes, ports, place, side, pki,
                                                 server_side, client_side):
    back, front = ports.free(), ports.free()
    server_side.inbound(back)
    start(back, files(place, back), server_side.environment())
    wire = relay(back, [FILE, SECRET])
    proxy_side = side("proxy", {"server": pki.server}, {"ca": pki.ca})
    proxy_side.inbound(front)
    proxy_side.outbound(wire.port)
    start(front, f"""
      upstream back {{ server 127.0.0.1:{wire.port}; keepalive 8; }}
      server {{
        listen 127.0.0.1:{front};
        location / {{
          proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_max_temp_file_size 0;
        }}
      }}""", proxy_side.environment())
    client_side.outbound(front)
    under = client_side.environment()
    processes.run(plain_curl(f"http://localhost:{front}/file", "-o", place + "/got"),
                  environment=under)
    assert fetched(place) == WHOLE
    assert_served(processes.run(wrk(f"http://localhost:{front}/small", 1), environment=under))
    wire.prove(whole=False)
    proxy_side.secured(2)
    server_side.secured(1)
