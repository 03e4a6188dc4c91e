"""Programs that keep addresses, look up in children, or have many names for one address: each talks
to whom it means, or is refused with the line that mends it."""

import os

import pytest

from harness.names.conftest import A, B, HERE, MANY, PORT

pytestmark = pytest.mark.tls_only


def url(name):
    return f"http://{name}:{PORT}/"


def ambiguous(world, *names, count=1):
    for event in world.side.refused("ambiguous_name", "EKEYREJECTED", count=count):
        assert all(name in event["reason"] for name in names), event.text
        assert "server_name" in event["advice"] and "interchangeable" in event["advice"]


@pytest.mark.parametrize("program", [
    ["lftp", "-c", "set net:max-retries 1; set net:timeout 5; cat {url}"],
    ["links2", "-source", "{url}"],
    ["curl", "-sS", "{url}"],
    ["php", "-r", "$s = fsockopen(gethostbyname('{name}'), {port}); if (!$s) exit(1); "
                  "fwrite($s, \"GET / HTTP/1.0\\r\\n\\r\\n\"); echo stream_get_contents($s);"],
], ids=lambda argv: argv[0])
def test_one_name(world, program):
    """lftp and links2 look up in a child, PHP looks the number up that it was given."""
    world.web(A)
    words = [word.replace("{url}", url(A)).replace("{name}", A).replace("{port}", str(PORT))
             for word in program]
    assert f"hello from {A}" in world.run(*words, HOME=world.place)
    world.side.nothing_refused()


def test_curl_with_several_urls(world):
    world.web(A)
    assert f"hello from {A}" in world.run("curl", "-sS", url(A), url(B))
    ambiguous(world, A, B)
    world.policy(interchangeable=["*.apps.internal"])
    # Each of the two is right by itself: the last look-up is the one that connects.
    assert f"hello from {A}" in world.run("curl", "-sS", url(B), url(A))


def test_node_with_two_requests_at_once(world):
    world.web(A)
    two = [os.path.join(HERE, "programs", "two_names.js"), str(PORT), A, B]
    assert "hello" not in world.run("node", *two)
    ambiguous(world, A, B)  # the second, which is alike, is counted only


def test_node_with_a_certificate_for_both(world):
    world.web("*.apps.internal")
    two = [os.path.join(HERE, "programs", "two_names.js"), str(PORT), A, B]
    assert world.run("node", *two).count("hello") == 2
    world.side.nothing_refused()


@pytest.mark.limit(120)
def test_java_that_keeps_all_look_ups(world):
    world.bind("hosts", f"127.0.0.1 localhost {A}\n" + "".join(
        f"127.2.{i // 200}.{i % 200 + 1} h{i}.internal\n" for i in range(300)))
    world.web(A)
    program = os.path.join(HERE, "programs", "Kept.java")
    assert world.run("java", program, str(PORT), A, "300", timeout=90).strip() == "connected"


NGINX = """
daemon off;
user www-data;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/nginx-error.log info;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{ listen 127.0.0.1:8080; {locations} }}
}}
"""


def nginx(world, locations):
    path = os.path.join(world.place, "nginx.conf")
    with open(path, "w", encoding="ascii") as out:
        out.write(NGINX.format(place=world.place, locations=locations))
    world.start("nginx", "-e", "stderr", "-c", path, name="nginx")
    return lambda where: world.run("curl", "-sS", "--retry", "20", "--retry-connrefused",
                                   "--retry-delay", "1", "-w", "%{http_code}",
                                   f"http://127.0.0.1:8080/{where}", gaiter=False, timeout=50)


def upstreams(names):
    return "".join(f"location = /{name} {{ proxy_pass {url(name)}; }}" for name in names)


def test_nginx_with_300_names_and_a_certificate_for_all(world):
    world.web("*.apps.internal")
    get = nginx(world, upstreams(MANY))
    for name in MANY[0], MANY[7], MANY[299]:
        assert get(name).endswith("200")
    world.side.nothing_refused()


def test_nginx_with_300_names_and_a_certificate_for_one(world):
    world.web(MANY[7])
    get = nginx(world, upstreams(MANY))
    assert get(MANY[7]).endswith("502")
    for event in world.side.refused("ambiguous_name", "EKEYREJECTED"):
        assert "296 others" in event["reason"]
        assert 'interchangeable = [ "*.apps.internal" ]' in event["advice"]


# ---- who asks the name server himself ----

def test_nginx_with_a_resolver_at_run_time(world):
    world.resolver(a_apps_internal="c.internal", c_internal="127.0.0.1", evil_test="127.0.0.1")
    world.web(A)
    get = nginx(world, f"resolver 127.0.0.1 ipv6=off; set $name {A}; set $evil evil.test;"
                       f"location = /a {{ proxy_pass http://$name:{PORT}; }}"
                       f"location = /evil {{ proxy_pass http://$evil:{PORT}; }}")
    assert get("a").endswith("200")
    assert get("evil").endswith("502")
    ambiguous(world, A, "evil.test")


HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 9s
  timeout server 9s
resolvers own
  nameserver one 127.0.0.1:53
  accepted_payload_size 4096
  resolve_retries 3
  timeout resolve 1s
  timeout retry 1s
listen front
  bind 127.0.0.1:8080
  server one {name}:{port} resolvers own resolve-prefer ipv4 init-addr none
"""


def test_haproxy_with_a_resolver_at_run_time(world):
    world.resolver(a_apps_internal="127.0.0.1")
    world.web(A)
    path = os.path.join(world.place, "haproxy.cfg")
    with open(path, "w", encoding="ascii") as out:
        out.write(HAPROXY.format(name=A, port=PORT))
    world.start("haproxy", "-db", "-f", path, name="haproxy")
    got = world.run("curl", "-sS", "--retry", "20", "--retry-all-errors", "--retry-delay", "1",
                    "-f", "http://127.0.0.1:8080/", gaiter=False, timeout=50)
    assert f"hello from {A}" in got
    world.side.nothing_refused()


def test_node_that_asks_with_c_ares(world):
    world.resolver(a_apps_internal="127.0.0.1", evil_test="127.0.0.1")
    world.web(A)
    script = os.path.join(HERE, "programs", "resolve.js")
    assert world.run("node", script, str(PORT), A) == "connected\n"
    assert "connected" not in world.run("node", script, str(PORT), "evil.test")


RAW = """
import socket, struct, sys
name, how = sys.argv[1:]
query = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"".join(
    bytes([len(l)]) + l.encode() for l in name.split(".")) + bytes([0, 0, 1, 0, 1])
server = ("127.0.0.1", 53)
if how == "tcp":
    s = socket.create_connection(server)
    s.sendall(struct.pack("!H", len(query)) + query)
    s.recv(2); s.recv(4096)
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if how == "sendto": s.sendto(query, server); s.recvfrom(4096)
    elif how == "sendmsg": s.sendmsg([query], [], 0, server); s.recvmsg(4096)
    else:
        s.connect(server); s.send(query)
        getattr(s, how)(4096) if how != "read" else __import__("os").read(s.fileno(), 4096)
s.close()
with socket.socket() as c:
    c.settimeout(9)
    try: c.connect(("127.0.0.1", 7000)); print("connected")
    except OSError as error: print(error.strerror)
"""


@pytest.mark.parametrize("how", ["recv", "recvfrom", "recvmsg", "read", "sendto", "sendmsg", "tcp"])
def test_each_call_that_an_answer_comes_by(world, how):
    world.resolver(a_apps_internal="127.0.0.1")
    world.web(A)
    assert world.run("/usr/bin/python3", "-c", RAW, A, how) == "connected\n"
