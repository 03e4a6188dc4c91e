"""lighttpd: one process, epoll, files by sendfile, writev or mmap."""

import pytest

from harness.lib.bulk import checksum, make_file


@pytest.mark.parametrize("backend", ["sendfile", "writev"])
def test_files_and_kept_connections(serve, reach, client, ports, place, write, folder, secret,
                                    backend):
    port = ports.free()
    root = folder("www")
    data = make_file(root + "/file", 10 << 20)
    write("www/small", secret)
    conf = write("lighttpd.conf", f"""
server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {port}
server.network-backend = "{backend}"
server.errorlog = "{place}/lighttpd-error.log"
server.max-keep-alive-requests = 1000
""")
    serve(port, "lighttpd", "-D", "-f", conf)
    wire = reach(port, data, secret)
    base = f"http://localhost:{wire.port}"
    client("curl", "-sSf", "-o", place + "/got", base + "/file")
    assert checksum(place + "/got") == checksum(data)
    several = client("curl", "-sSf", *[base + "/small"] * 5)
    assert several.text == secret * 5
    wire.prove(connections=2)
