"""Programs that limit their own memory: the limit is what they set, and they can use all of it."""

import pytest

from harness.lib import peers
from harness.lib.ports import wait_listening

SECRET = "a line that was never to be seen"

LIMITED = """
import resource, socket, sys
limits = (250 << 20, 300 << 20)
which = getattr(resource, sys.argv[2])
if sys.argv[3] == "early":
    resource.setrlimit(which, limits)
connection = socket.create_connection(("localhost", int(sys.argv[1])))
if sys.argv[3] == "late":
    resource.setrlimit(which, limits)
assert resource.getrlimit(which) == limits, resource.getrlimit(which)
assert resource.prlimit(0, which, limits) == limits
used = bytearray(120 << 20)
connection.sendall(sys.argv[4].encode())
assert connection.recv(100)
resource.setrlimit(which, (limits[0] // 2, limits[0]))
assert resource.getrlimit(which) == (limits[0] // 2, limits[0])
try:
    more = bytearray(200 << 20)
    print("without limit")
except MemoryError:
    print("limited")
"""


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("which", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_limit_is_the_programs_own(processes, ports, relay, server_side, client_side, which,
                                     when):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(peers.echo_server(port), environment=server_side.environment())
    wait_listening(port, server)
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    done = processes.run([peers.PYTHON, "-I", "-c", LIMITED, wire.port, which, when, SECRET],
                         environment=client_side.environment())
    assert done.text == "limited\n"
    wire.prove(connections=1)
