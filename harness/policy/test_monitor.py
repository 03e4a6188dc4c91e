"""mode = "monitor": clear traffic passes, and the log tells what enforcing would have met."""

import os
import shutil
import ssl

import pytest

from harness.lib.inline import Inline, pinged, wait_until
from harness.lib.peers import PYTHON
from harness.lib.ports import wait_listening
from harness.policy.test_optional import GREETER
from harness.programs.test_postgresql import SECRET, psql
from harness.programs.test_redis import cli, start_redis

pytestmark = pytest.mark.tls_only


def monitored(side, count=1):
    events = side.log.wait("monitor", count)
    for event in events:
        assert not event.garbled, event.text
    return events


def test_a_clear_client_passes_and_is_told(redis, ports, server_side):
    port = ports.free()
    server_side.inbound(port, mode="monitor", client_auth="required", allow="any-trusted")
    redis(port)
    with Inline(port) as client:
        for _ in range(3):
            assert client.ask() == b"+PONG"
    event, = monitored(server_side)
    assert (event["would"], event["cause"], event["errno"]) == ("refused", "not_tls", "ECONNRESET")
    assert event["rule"] == f"{port}.conf:inbound" and event["local"] == f"127.0.0.1:{port}"
    assert "plain text" in event["reason"] and event["advice"]
    server_side.nothing_refused()


def test_a_client_that_speaks_tls_is_served_tls(redis, ports, server_side, ca):
    port = ports.free()
    server_side.inbound(port, mode="monitor")
    redis(port)
    with Inline(port, ca=ca) as client:
        assert client.ask() == b"+PONG"
    server_side.secured(1, rule=f"{port}.conf:inbound")
    assert not server_side.log.events("monitor")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("who, cause", [("nobody", "no_certificate"), ("expired_client", "expired"),
                                        ("stranger_client", "untrusted"), ("batch", "not_allowed"),
                                        ("client", None)])
def test_a_tls_client_that_would_be_refused_is_served(redis, ports, server_side, ca, pki, place,
                                                      who, cause, version):
    port = ports.free()
    rule = {"client_auth": "required", "allow": ["dns:client.harness"]}
    server_side.inbound(port, mode="monitor", **rule)
    redis(port)
    identity = None if who == "nobody" else getattr(pki, who).files(place, who)
    with Inline(port, ca=ca, identity=identity, version=version) as client:
        assert client.ask() == b"+PONG"
        with Inline(port, ca=ca, session=client) as again:
            assert again.ask() == b"+PONG"
            assert not again.resumed()
    server_side.secured(2)
    server_side.nothing_refused()
    if cause is None:
        assert not server_side.log.events("monitor")
        return
    for event in monitored(server_side, 2):
        assert (event["would"], event["cause"]) == ("refused", cause)
        assert event["errno"] == "ECONNRESET" and event["reason"] and event["advice"]
    server_side.inbound(port, **rule)

    def is_refused():
        try:
            with Inline(port, ca=ca, session=client) as again:
                return again.ask() == b""
        except OSError:
            return True

    wait_until(is_refused)
    server_side.refused(cause, "ECONNRESET")


def test_a_missing_certificate_is_no_outage(redis, ports, server_side, ca):
    """Nor is it one to a client that begins TLS: the program hears what it would have heard."""
    port = ports.free()
    server_side.inbound(port, mode="monitor", certificate="nobody")
    redis(port)
    assert monitored(server_side)[0]["cause"] == "local"  # at listen(2) already
    assert pinged(port) == b"+PONG"
    assert '"nobody"' in monitored(server_side, 2)[1]["reason"]
    assert pinged(port, ca=ca, timeout=2) is None  # Redis waits for the end of a line
    assert '"nobody"' in monitored(server_side, 3)[2]["reason"]
    server_side.nothing_refused()


def test_a_program_that_speaks_first_hardly_waits(processes, ports, server_side, ca):
    port = ports.free()
    server_side.inbound(port, mode="monitor", handshake_timeout=60)
    server = processes.start([PYTHON, "-I", "-c", GREETER, port, "poll"],
                             environment=server_side.environment())
    wait_listening(port, server)
    with Inline(port) as clear:
        assert clear.socket.recv(100) == b"220 hello\r\n"
        clear.socket.sendall(b"that")
        assert clear.socket.recv(100) == b"got that"
    with Inline(port, ca=ca) as sealed:
        assert sealed.socket.recv(100) == b"220 hello\r\n"
    assert monitored(server_side)[0]["cause"] == "not_tls"


def test_block_is_only_told(redis, ports, server_side):
    port = ports.free()
    server_side.inbound(port, mode="monitor", tls="block")
    redis(port)
    assert pinged(port) == b"+PONG"
    assert monitored(server_side)[0]["cause"] == "blocked"


def test_a_client_stays_clear(processes, ports, client_side):
    port = ports.free()
    server = start_redis(processes, port)
    wait_listening(port, server)
    client_side.outbound(port, mode="monitor")
    under = client_side.environment()
    assert processes.run(cli(port, "PING"), environment=under).text == "PONG\n"
    event = monitored(client_side)[0]
    assert event["would"] == "handshake" and event["remote"] == f"127.0.0.1:{port}"
    client_side.outbound(port, mode="monitor", certificate="nobody")
    assert processes.run(cli(port, "PING"), environment=under).text == "PONG\n"
    event = monitored(client_side, 2)[1]
    assert (event["would"], event["cause"], event["errno"]) == ("refused", "local", "EACCES")
    shutil.rmtree(os.path.join(client_side.keyring))
    client_side.outbound(port, mode="monitor")
    assert processes.run(cli(port, "PING"), environment=under).text == "PONG\n"
    assert monitored(client_side, 3)[2]["would"] == "refused"


def test_from_monitor_to_enforce_while_it_runs(redis, ports, server_side, ca):
    port = ports.free()
    server_side.inbound(port, mode="monitor")
    redis(port)
    assert pinged(port) == b"+PONG"
    server_side.inbound(port, mode="enforce")
    wait_until(lambda: pinged(port) is None)
    assert pinged(port, ca=ca) == b"+PONG"


def test_postgresql_under_observation(postgresql, processes, ports, side, pki, client_side):
    port = ports.free()
    server = side("server", {"server": pki.server}, {"ca": pki.ca}, owner="postgres")
    server.inbound(port, mode="monitor")
    postgresql(server.environment(), port)
    client_side.outbound(port)
    query = psql(port, f"select '{SECRET}'")
    assert processes.run(query).text == SECRET + "\n"
    assert monitored(server)[0]["would"] == "refused"
    assert processes.run(query, environment=client_side.environment()).text == SECRET + "\n"
    server.secured(1)
    server.nothing_refused()
