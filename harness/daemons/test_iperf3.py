"""iperf3: a control connection and parallel streams on one port, in both directions, by sendfile
too."""

import json

import pytest


@pytest.mark.parametrize("options", [(), ("-R",), ("-P", "3", "--bidir"), ("-Z",)],
                         ids=["up", "down", "parallel both ways", "sendfile"])
def test_streams_are_sealed(serve, reach, client, ports, client_side, server_side, options):
    port = ports.free()
    serve(port, "iperf3", "-s", "-p", port, "-B", "127.0.0.1", "--forceflush")
    # What it sends is this pattern, and its parameters in JSON.
    wire = reach(port, "0123456789" * 3, '"tcp":true,')
    done = client("iperf3", "-c", "localhost", "-p", wire.port, "-n", "20M", "-J", "-l", "128K",
                  "--repeating-payload", *options)
    assert json.loads(done.text)["end"]["sum_received"]["bytes"] > 0, done.description
    wire.prove(whole=False)
    client_side.nothing_refused()
    server_side.nothing_refused()
