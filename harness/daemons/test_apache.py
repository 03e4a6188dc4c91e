"""Apache, as prefork (a process for each connection) and as event (threads and epoll)."""

import signal

import pytest

from harness.lib.bulk import checksum, make_file

CONFIGURATION = """
ServerRoot {place}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {place}/apache.pid
Mutex posixsem
ErrorLog {place}/apache-error.log
User www-data
Group www-data
LoadModule mpm_{mpm}_module /usr/lib/apache2/modules/mod_mpm_{mpm}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
StartServers 2
MaxKeepAliveRequests 0
DocumentRoot {place}/www
EnableSendfile {sendfile}
EnableMMAP {mmap}
"""


@pytest.fixture
def data(folder):
    return make_file(folder("www") + "/file", 5 << 20)


@pytest.fixture
def apache(serve, ports, place, write):
    def start(mpm, sendfile="on", mmap="off"):
        port = ports.free()
        conf = write("apache.conf", CONFIGURATION.format(place=place, port=port, mpm=mpm,
                                                         sendfile=sendfile, mmap=mmap))
        return serve(port, "apache2", "-D", "FOREGROUND", "-f", conf), port
    return start


@pytest.mark.parametrize("mpm", ["prefork", "event"])
@pytest.mark.parametrize("sendfile,mmap", [("on", "off"), ("off", "on"), ("off", "off")],
                         ids=["sendfile", "mmap", "read"])
def test_a_file_is_sealed(apache, reach, client, place, data, mpm, sendfile, mmap):
    _, port = apache(mpm, sendfile, mmap)
    wire = reach(port, data)
    base = f"http://localhost:{wire.port}/file"
    client("curl", "-sSf", "-o", place + "/got", "-o", place + "/again", base, base)
    assert checksum(place + "/got") == checksum(place + "/again") == checksum(data)
    wire.prove(connections=1)


@pytest.mark.parametrize("mpm", ["prefork", "event"])
def test_clients_are_served_while_it_restarts_gracefully(apache, reach, client, processes,
                                                         client_side, data, mpm):
    """A child that ends may close connections that no request has come on: those try again."""
    server, port = apache(mpm)
    wire = reach(port, data)
    url = f"http://localhost:{wire.port}/file"
    load = processes.start(["wrk", "-t", "1", "-c", "8", "-d", "3s", url],
                           environment=client_side.environment())
    client_side.secured(1)
    for _ in range(2):
        server.send_signal(signal.SIGUSR1)
        got = client("curl", "-sSf", "--retry", "9", "--retry-all-errors", url)
        assert len(got.stdout) == len(data)
    assert load.wait() == 0, load.describe()
    assert b"Non-2xx" not in load.stdout(), load.describe()
    wire.prove(whole=False)
    client_side.nothing_refused(but="peer_closed")
