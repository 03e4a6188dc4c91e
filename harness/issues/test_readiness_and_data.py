"""Readiness that lied, and calls whose odd arguments nobody had tried."""

import pytest

from harness.lib import peers
from harness.lib.ports import wait_listening

from harness.issues.conftest import SECRET


def test_sets_and_their_mistakes(same):
    """libvma #1037, #219, #816, #243: MOD of what was never added, cascaded sets, one socket in
    two of them, EBADF. Sets are the kernel's to keep."""
    same("sets_and_their_mistakes")


def test_end_of_file_is_told_once(same):
    """libvma #33, PR 559: a spin after the peer had gone, and events told twice."""
    same("end_of_file_is_told_once")


def test_everybody_has_a_turn(same):
    """libvma PR 236: with room for one event, some sockets starved."""
    same("everybody_has_a_turn")


def test_one_shot_and_edge(same):
    """libvma CHANGES 969: EPOLLONESHOT together with EPOLLET."""
    same("one_shot_and_edge")


def test_told_after_own_shutdown(same):
    """libvma CHANGES 194815: no EPOLLIN after the program's own shutdown()."""
    same("told_after_own_shutdown")


def test_errors_are_told_unasked(same):
    """libxlio CHANGES 2801220: EPOLLERR only for those who had asked for something."""
    same("errors_are_told_unasked")


def test_lengths_of_nothing(same):
    """libvma CHANGES 560835, libxlio 2838719: receiving no bytes, and vectors of no pieces."""
    same("lengths_of_nothing")


def test_time_limit_of_zero(same):
    """libvma CHANGES 197925: SO_RCVTIMEO of zero returned at once; it means no limit."""
    same("time_limit_of_zero")


def test_flags_of_one_call(same):
    """libvma CHANGES 6961, 122159: MSG_TRUNC and MSG_DONTWAIT hold for the one call."""
    same("flags_of_one_call")


def test_select_beyond_its_table(same):
    """libvma CHANGES 675823: select() with more than 1024 descriptors wrote past its own table."""
    same("select_beyond_its_table")


def test_epoll_pwait2(same):
    """onload #174: epoll_pwait2() was missing, or gave EFAULT for what the kernel takes."""
    same("epoll_pwait2_as_the_kernel_has_it")


def test_vectors_out_of_bounds(same):
    """onload 131c02d8, e47aa058: a vector was read unchecked, an array overrun."""
    same("vectors_out_of_bounds")


def test_lengths_of_options(same):
    """vpp 55c699e, 4c1f178: getsockopt() did not heed the room that it was given."""
    same("lengths_of_options")


def test_registered_before_bind(same):
    """ip2unix #6, #13, 2.1.1, torsocks 67d9b1a: a socket in an epoll set before bind() and
    connect() became another one; accept() without an address crashed."""
    same("registered_before_bind", wired=False)


def test_accepted_by_number(same):
    """rdma-core PR 1717, samba 77110bc, mirrord PR 32: sendmmsg, dup, raw accept4 were missing."""
    same("accepted_by_number")


def test_rights_are_peeked_at(same):
    """torsocks #40001: looking at passed descriptors with MSG_PEEK blocked Qt and Wayland."""
    same("rights_are_peeked_at")


def test_first_bytes_with_the_connect(same):
    """torsocks bd6ae94, proxychains-ng 8dd08e2: sendto(MSG_FASTOPEN) went past connect()."""
    same("first_bytes_with_the_connect")


def test_other_system_calls(same):
    """telepresence #1488, dino #1107, parcimonie #8, monero-gui #931: unknown numbers of
    syscall() were refused."""
    same("other_system_calls")


def test_byte_by_byte(same):
    """libevent #690, redis PR 7305, eggdrop PR 1501, nefarious2 PR 111: what TLS had buffered
    above the descriptor was forgotten until more came."""
    same("byte_by_byte")


def test_wishes_that_come_and_go(same):
    """libevent #854, redis #15080, #15099, stud PR 149: stale wishes to write kept the loop at
    100 % of a processor."""
    same("wishes_that_come_and_go")


def test_flags_that_stay(same):
    """proxychains-ng: F_SETFL with !O_NONBLOCK cleared every flag, and event loops blocked."""
    same("flags_that_stay")


TLS_IN_TLS = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as inner:
    with context.wrap_socket(inner, server_hostname="localhost") as tls:
        tls.sendall(sys.argv[3].encode())
        print(tls.recv(100).decode(), tls.version())
"""


@pytest.mark.tls_only
def test_the_programs_own_openssl(processes, ports, relay, server_side, client_side, place, ca,
                                  pki):
    """libvma #969: a crash in the library's readv(), called from the program's own OpenSSL."""
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(peers.openssl_server(port, pki.server.files(place, "own"), "1.3"),
                             environment=server_side.environment())
    wait_listening(port, server)
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    done = processes.run([peers.PYTHON, "-I", "-c", TLS_IN_TLS, wire.port, ca, SECRET + "\n"],
                         environment=client_side.environment())
    assert done.text.split("\n")[0] == SECRET[::-1]
    wire.prove(connections=1)
    client_side.secured(1)
