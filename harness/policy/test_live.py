"""A running program follows its policy and keyring; a fault of either changes nothing."""

import os
import shutil
import signal
import ssl
import time

import pytest

from harness.lib.inline import Inline, pinged, wait_until
from harness.lib.keyrings import write_crl, write_entry
from harness.lib.pki import HERE, issue, revoke
from harness.lib.policies import Word
from harness.programs.test_nginx import files
from harness.programs.test_postgresql import psql
from harness.programs.test_redis import benchmark, benchmarked

pytestmark = pytest.mark.tls_only

SOON = 2  # seconds, within which a change is followed


def replace_entry(side, label, identity):
    """Exchanges a certificate and its key as a renewal does: the whole entry at once."""
    fresh = os.path.join(side.keyring, "..", "fresh")
    os.mkdir(fresh)
    write_entry(fresh, label, "personal", identity)
    entry = os.path.join(side.keyring, label)
    os.rename(entry, os.path.join(fresh, "old"))
    os.rename(os.path.join(fresh, label), entry)
    shutil.rmtree(fresh)


def not_followed(side):
    return side.log.text().count("policy not followed")


def test_a_port_becomes_protected_while_it_listens(redis, ports, server_side, ca):
    port, other = ports.free(), ports.free()
    server_side.inbound(other)
    redis(port)
    kept = Inline(port)
    assert kept.ask() == b"+PONG"
    server_side.inbound(port)
    time.sleep(SOON)
    assert pinged(port) is None
    assert pinged(port, ca=ca) == b"+PONG"
    assert kept.ask() == b"+PONG"
    kept.close()
    server_side.secured(1, rule=f"{port}.conf:inbound")
    server_side.refused("not_tls", "ECONNRESET")


def test_a_port_becomes_clear_and_a_connection_keeps_its_rule(redis, ports, server_side, ca):
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    kept = Inline(port, ca=ca)
    assert kept.ask() == b"+PONG"
    server_side.inbound(port, tls="off")
    time.sleep(SOON)
    assert pinged(port) == b"+PONG"
    assert kept.ask() == b"+PONG"
    kept.close()
    server_side.inbound(port, tls="block")
    time.sleep(SOON)
    assert pinged(port) is None
    server_side.refused("blocked", "EACCES")


def test_an_error_changes_nothing_and_is_told_once(redis, ports, server_side, ca):
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    assert pinged(port, ca=ca) == b"+PONG"
    server_side.policy.text(port, 'inbound = {\n  tls = "requierd";\n};\n')
    wait_until(lambda: pinged(port, ca=ca) == b"+PONG" and not_followed(server_side))
    for _ in range(3):
        time.sleep(1)  # nothing happens meanwhile, which no condition tells
        assert pinged(port) is None
        assert pinged(port, ca=ca) == b"+PONG"
    text = server_side.log.text()
    assert text.count("policy not followed") == 1
    assert f'{port}.conf:2: tls = "requierd"' in text and '"required"' in text
    server_side.inbound(port, tls="off")
    time.sleep(SOON)
    assert pinged(port) == b"+PONG"


def test_a_label_that_is_not_there_changes_nothing(redis, ports, server_side, ca):
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    assert pinged(port, ca=ca) == b"+PONG"
    server_side.inbound(port, certificate="sever")
    wait_until(lambda: pinged(port, ca=ca) == b"+PONG" and not_followed(server_side))
    assert '"sever"' in server_side.log.text()
    assert pinged(port, ca=ca) == b"+PONG"
    assert pinged(port) is None


def test_what_vanishes_stays_in_force(redis, ports, server_side, ca):
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    assert pinged(port, ca=ca) == b"+PONG"
    shutil.rmtree(server_side.policy.path)
    shutil.rmtree(server_side.keyring)
    wait_until(lambda: pinged(port, ca=ca) == b"+PONG" and not_followed(server_side))
    assert pinged(port) is None
    assert pinged(port, ca=ca) == b"+PONG"
    assert not_followed(server_side) == 1


def test_a_policy_that_comes_to_be_right_is_followed(redis, ports, server_side, ca):
    """The program begins under a policy with a mistake: all is refused until it is mended."""
    port, elsewhere = ports.free(), ports.free()
    server_side.inbound(port, tls=Word('"requierd"'))
    with pytest.raises(AssertionError, match="ended before it listened"):
        redis(port)
    server_side.inbound(port)
    server_side.inbound(elsewhere, certificate="nobody")
    redis(port)
    assert pinged(port, ca=ca) == b"+PONG"


def test_a_renewed_certificate_is_shown_to_the_next_client(redis, ports, server_side, ca, pki):
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    kept = Inline(port, ca=ca)
    assert kept.serial() == pki.server.certificate.serial_number
    renewed = issue("server.harness", pki.ca, HERE)
    replace_entry(server_side, "server", renewed)
    time.sleep(SOON)
    with Inline(port, ca=ca) as client:
        assert client.serial() == renewed.certificate.serial_number
        assert client.ask() == b"+PONG"
    assert kept.ask() == b"+PONG"
    kept.close()


def test_an_unreadable_key_keeps_the_old_certificate(redis, ports, server_side, ca, pki):
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    assert pinged(port, ca=ca) == b"+PONG"
    replace_entry(server_side, "server", issue("server.harness", pki.ca, HERE))
    os.chmod(os.path.join(server_side.keyring, "server", "key.pem"), 0o644)
    wait_until(lambda: pinged(port, ca=ca) == b"+PONG" and not_followed(server_side))
    with Inline(port, ca=ca) as client:
        assert client.serial() == pki.server.certificate.serial_number


def test_trust_that_was_taken_back_counts_from_the_next_client_on(redis, ports, server_side, place,
                                                                  ca, pki):
    port = ports.free()
    server_side.inbound(port, client_auth="required", allow="any-trusted")
    redis(port)
    mine = {"ca": ca, "identity": pki.client.files(place, "mine")}
    with Inline(port, version=ssl.TLSVersion.TLSv1_2, **mine) as first:
        assert first.ask() == b"+PONG"
        with Inline(port, ca=ca, session=first) as second:
            assert second.ask() == b"+PONG"
            assert second.resumed()
        shutil.rmtree(os.path.join(server_side.keyring, "ca"))
        write_entry(server_side.keyring, "other", "ca", pki.stranger_ca)
        time.sleep(SOON)
        with pytest.raises(OSError):
            with Inline(port, ca=ca, session=first) as third:
                assert third.ask() == b""
                raise ConnectionResetError
    assert pinged(port, **mine) is None


def test_a_client_that_was_revoked_is_refused_from_then_on(redis, ports, server_side, place, ca,
                                                           pki):
    port = ports.free()
    server_side.inbound(port, client_auth="required", allow="any-trusted")
    redis(port)
    mine = {"ca": ca, "identity": pki.client.files(place, "mine")}
    assert pinged(port, **mine) == b"+PONG"
    write_crl(server_side.keyring, "ca", revoke(pki.ca, pki.client))
    time.sleep(SOON)
    assert pinged(port, **mine) is None
    assert pinged(port, ca=ca, identity=pki.batch.files(place, "batch")) == b"+PONG"
    server_side.refused("revoked", "ECONNRESET")


@pytest.mark.parametrize("change", ["rule", "certificate"])
def test_a_session_does_not_outlive_what_it_was_made_under(redis, ports, server_side, ca, pki,
                                                           change):
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    with Inline(port, ca=ca, version=ssl.TLSVersion.TLSv1_2) as first:
        assert first.ask() == b"+PONG"
        with Inline(port, ca=ca, session=first) as second:
            assert second.ask() == b"+PONG"
            assert second.resumed()
        if change == "rule":
            server_side.inbound(port, client_auth="optional")
        else:
            replace_entry(server_side, "server", issue("server.harness", pki.ca, HERE))
        time.sleep(SOON)
        with Inline(port, ca=ca, session=first) as third:
            assert third.ask() == b"+PONG"
            assert not third.resumed()


@pytest.mark.limit(150)
def test_load_goes_on_through_changes(redis, ports, processes, pki, server_side, client_side):
    """A new connection for each request, while certificates and rules change under both ends."""
    port = ports.free()
    server_side.inbound(port)
    client_side.outbound(port, session=Word("{ cache = 0; }"))
    redis(port)
    load = processes.start(benchmark(port, "-t", "ping", "-n", 4000, "-c", 8, "-k", 0),
                           environment=client_side.environment())
    changes = 0
    while load.poll() is None and changes < 40:
        changes += 1
        followed = server_side.log.text().count("policy followed")
        version = f"TLSv1.{2 + changes % 2}"
        server_side.inbound(port, min_version=version)
        client_side.outbound(port, min_version=version, session=Word("{ cache = 0; }"))
        replace_entry(server_side, "server", issue("server.harness", pki.ca, HERE))
        wait_until(lambda: server_side.log.text().count("policy followed") > followed
                   or load.poll() is not None)
    load.wait(120)
    assert benchmarked(load_result(load)), load.describe()
    # redis-benchmark leaves its last connections in mid-handshake.
    left = [event for event in server_side.log.refused() if event["cause"] != "peer_closed"]
    assert not left, left
    client_side.nothing_refused()
    assert "policy followed" in server_side.log.text()


def load_result(process):
    class Result:
        text = process.stdout().decode()
        errors = process.stderr().decode()
        description = process.describe()
    return Result


def test_nginx_hands_its_renewed_key_to_its_new_workers(nginx, ports, place, server_side, ca, pki):
    """Those that run already gave up the right to read it, and go on with the old one."""
    port = ports.free()
    server_side.inbound(port)
    master = nginx(port, files(place, port), server_side.environment())
    assert serial(port, ca) == pki.server.certificate.serial_number
    renewed = issue("server.harness", pki.ca, HERE)
    replace_entry(server_side, "server", renewed)
    wait_until(lambda: serial(port, ca) and not_followed(server_side))
    assert "key.pem" in server_side.log.text()
    assert serial(port, ca) == pki.server.certificate.serial_number
    master.send_signal(signal.SIGHUP)
    wait_until(lambda: serial(port, ca) == renewed.certificate.serial_number)
    server_side.nothing_refused()


def serial(port, ca):
    with Inline(port, ca=ca) as client:
        return client.serial()


def test_postgresql_follows(postgresql, ports, processes, side, pki, client_side):
    """A process for each connection, all of them children of one that follows."""
    port = ports.free()
    server = side("server", {"server": pki.server}, {"ca": pki.ca}, owner="postgres")
    server.inbound(port, tls="off")
    postgresql(server.environment(), port)
    query = psql(port, "select 1")
    assert processes.run(query).text == "1\n"
    server.inbound(port)
    time.sleep(SOON)
    assert processes.run(query, check=False).status != 0
    client_side.outbound(port)
    assert processes.run(query, environment=client_side.environment()).text == "1\n"
    server.secured(1)


CLIENT = """
import socket, sys
port = int(sys.argv[1])
for line in sys.stdin:
    try:
        with socket.create_connection(("localhost", port)) as one:
            one.sendall(b"PING\\r\\n")
            print(one.recv(100).decode().strip(), flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


def test_a_client_follows_too(processes, redis, ports, server_side, client_side):
    """No rule of that direction was there when the client began."""
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    client_side.inbound(ports.free())
    client = processes.start(["/usr/bin/python3", "-I", "-u", "-c", CLIENT, port], stdin="pipe",
                             environment=client_side.environment())

    def answer(times):
        client.write(b"go\n")
        return client.wait_output(b"\n", times=times).split(b"\n")[times - 1]

    assert answer(1) != b"+PONG"
    client_side.outbound(port)
    time.sleep(SOON)
    assert answer(2) == b"+PONG"
    client_side.secured(1, rule=f"{port}.conf:outbound")
