"""A handful of the C cases under memcheck: no error in Gaiter's libraries, nor by them in libc."""

import re
import shutil

import pytest

from harness.parity.test_data import parity  # noqa: F401 (a fixture)

CASES = ["peeks", "gathers", "reset_by_peer", "children", "shared_open", "stream_first"]


@pytest.mark.limit(110)
@pytest.mark.tls_only
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
@pytest.mark.parametrize("case", CASES)
def test_memcheck(processes, ports, side, pki, parity, case):  # noqa: F811
    both = side("both", {"server": pki.server}, {"ca": pki.ca})
    port = ports.free()
    # Valgrind's tools are static; they preload Gaiter into what they run.
    both.policy.configuration('trusted_children = [ "memcheck-*" ];\n')
    # ipsec-mb's AVX-512 is unknown to valgrind.
    both.inbound(port, engine="openssl", handshake_timeout=60)
    both.outbound(port, verify="chain", engine="openssl", handshake_timeout=60)
    done = processes.run(
        ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=no", "--fair-sched=yes",
         "--vgdb=no", parity, case, "client", port], timeout=100, check=False,
        environment=both.environment())
    errors = re.findall(r"^==\d+== (?!Warning|\s*$).*", done.errors, re.MULTILINE)
    assert not errors, "\n".join(errors[:60])
    assert done.status == 0, done.description
    assert both.log.secured(), "nothing was protected"
