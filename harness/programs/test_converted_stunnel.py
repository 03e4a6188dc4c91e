"""A service of stunnel's, converted: Redis under Gaiter in place of one of the two stunnels."""

import os
import re

import pytest

from harness.cli.command import run
from harness.lib import gaiter
from harness.lib.logs import Log
from harness.lib.peers import stunnel
from harness.lib.ports import wait_listening
from harness.programs.test_redis import SECRET, cli, start_redis

pytestmark = pytest.mark.tls_only

SERVER = """\
pid = {place}/stunnel.pid

[redis]
accept = 0.0.0.0:6390
connect = 127.0.0.1:{port}
cert = {cert}
key = {key}
CAfile = {ca}
verifyChain = yes
requireCert = yes
checkHost = client.harness
sslVersionMin = TLSv1.2
ciphers = ECDHE-ECDSA-AES256-GCM-SHA384
"""

CLIENT = """\
[to-redis]
client = yes
accept = 127.0.0.1:6380
connect = 127.0.0.1:{port}
cert = {cert}
key = {key}
CAfile = {ca}
verifyChain = yes
checkHost = localhost
"""


@pytest.fixture
def converted(place, ca):
    """converted(text, identity, port) converts, imports what the policy names, and gives the
    environment for a program under it, and its log."""
    def convert(text, identity, port):
        cert, key = identity.files(place, "own")
        conf = os.path.join(place, "stunnel.conf")
        with open(conf, "w", encoding="ascii") as out:
            out.write(text.format(place=place, port=port, cert=cert, key=key, ca=ca))
        result = run("policy", "convert", conf)
        assert result.code == 0, result.err  # all of it has a counterpart
        policy, keyring = os.path.join(place, "gaiter.conf"), os.path.join(place, "keyring")
        with open(policy, "w", encoding="ascii") as out:
            out.write(f'keyring = "{keyring}";\n' + result.out)
        for command in re.findall(r"^#   gaiter (keyring import .*)$", result.out, re.MULTILINE):
            assert run(*command.split(), "--keyring", keyring).code == 0
        checked = run("check", policy)
        assert checked.code == 0, checked.out
        log = Log(os.path.join(place, "gaiter.log"))
        return {"LD_PRELOAD": gaiter.LIBRARY, "GAITER_POLICY": policy,
                "GAITER_LOG": f"info:{log.path}"}, log
    return convert


def start_stunnel(processes, *arguments, **options):
    process = processes.start(stunnel(*arguments, **options))
    wait_listening(arguments[2], process)
    return arguments[2]


def test_the_server_is_converted(converted, processes, ports, relay, place, ca, pki):
    port = ports.free()
    under, log = converted(SERVER, pki.server, port)
    wait_listening(port, start_redis(processes, port, under))
    wire = relay(port, [SECRET])
    client = pki.client.files(place, "client")
    clear = start_stunnel(processes, place, "good", ports.free(), wire.port, client=True, ca=ca,
                          identity=client, check_host="localhost")
    processes.run(cli(clear, "SET", "key", SECRET.decode()))
    assert processes.run(cli(clear, "GET", "key")).stdout.strip() == SECRET
    wire.prove(connections=2)
    for event in log.wait("secured", 2):
        assert event["rule"] == "redis" and "client.harness" in event["peer"]

    nobody = start_stunnel(processes, place, "nobody", ports.free(), port, client=True, ca=ca)
    refused = processes.run(cli(nobody, "PING"), check=False)
    assert b"PONG" not in refused.stdout
    assert log.wait("refused", 1)[0]["rule"] == "redis"


def test_the_client_is_converted(converted, processes, ports, relay, place, ca, pki):
    redis = ports.free()
    wait_listening(redis, start_redis(processes, redis))
    server = pki.server.files(place, "server")
    tls = start_stunnel(processes, place, "server", ports.free(), redis, client=False, ca=ca,
                        identity=server)
    wire = relay(tls, [SECRET])
    under, log = converted(CLIENT, pki.client, wire.port)
    processes.run(cli(wire.port, "SET", "key", SECRET.decode()), environment=under)
    done = processes.run(cli(wire.port, "GET", "key"), environment=under)
    assert done.stdout.strip() == SECRET
    wire.prove(connections=2)
    for event in log.wait("secured", 2):
        assert event["rule"] == "to-redis" and event["peer"] == "localhost"


def test_a_server_that_the_converted_client_does_not_believe(converted, processes, ports, place,
                                                             ca, pki):
    redis = ports.free()
    wait_listening(redis, start_redis(processes, redis))
    tls = start_stunnel(processes, place, "server", ports.free(), redis, client=False,
                        identity=pki.misnamed_server.files(place, "server"))
    under, log = converted(CLIENT, pki.client, tls)
    refused = processes.run(cli(tls, "PING"), environment=under, check=False)
    assert b"PONG" not in refused.stdout
    assert log.wait("refused", 1)[0]["errno"] == "EKEYREJECTED"
