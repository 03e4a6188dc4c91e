"""The C cases as programs that a sanitizer checks, with Gaiter preloaded: what Gaiter's hooks do to
the program's memory and threads is as clean as what libc does, and prints the same."""

import subprocess

import pytest

from harness.parity.test_data import CASES, GCC, SOURCES

# The runtime is in the program itself: as a library, it would have to be loaded before Gaiter's.
# Its interceptors find Gaiter's hooks behind them.
SANITIZERS = {
    "address": ["-fsanitize=address,undefined", "-static-libasan", "-static-libubsan",
                "-fno-sanitize-recover=all"],
    "thread": ["-fsanitize=thread", "-static-libtsan"],
}
# Leaks are memcheck's and the unit tests' matter: much is reached from mappings only, where the
# leak check does not look. Gaiter's own atomics are not instrumented here (`make tsan` is for
# them), and a lock that a child makes anew is for ThreadSanitizer still the parent's.
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0",
           "TSAN_OPTIONS": "ignore_noninstrumented_modules=1 report_mutex_bugs=0"}

# A sanitizer keeps signals back until the call that they should interrupt has returned.
ABOUT_SIGNALS = {"interrupted_connect", "jumps_out_of_connect", "jumps_out_of_send",
                 "writes_from_handler"}
# They print the same, but make no connection that lasts.
NEVER_SECURED = {"odd_addresses"}
# A descriptor closed under a reader is the case itself, and a race of the program's; and
# ThreadSanitizer takes a thread that is cancelled in its interceptors for one that never left them.
NOT_FOR_THREADS = {"close_while_blocked", "cancelled_in_send", "cancels", "cancels_send",
                   "second_reader"}


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory):
    """sanitized(name) gives the program that has all cases, built once."""
    programs = {}

    def build(name):
        if name not in programs:
            programs[name] = tmp_path_factory.mktemp(name) / "parity"
            subprocess.run([*GCC, *SANITIZERS[name], "-o", programs[name], *SOURCES, "-lpthread"],
                           check=True)
        return programs[name]
    return build


@pytest.mark.tls_only
@pytest.mark.parametrize("sanitizer, case", [
    (sanitizer, case) for sanitizer in SANITIZERS
    for case in sorted(set(CASES) - ABOUT_SIGNALS)
    if sanitizer != "thread" or case not in NOT_FOR_THREADS])
def test_a_sanitizer_finds_nothing(processes, ports, side, pki, sanitized, sanitizer, case):
    program = sanitized(sanitizer)
    both = side("both", {"server": pki.server}, {"ca": pki.ca})
    port = ports.free()
    both.inbound(port)
    both.outbound(port, verify="chain")
    plain = processes.run([program, case, "client", ports.free()], timeout=50, check=False)
    sealed = processes.run([program, case, "client", port], timeout=50, check=False,
                           environment={**both.environment(), **OPTIONS})
    assert "Sanitizer" not in sealed.errors and "runtime error" not in sealed.errors, sealed.errors
    assert (sealed.status, sealed.text) == (plain.status, plain.text)
    assert case in NEVER_SECURED or both.log.secured(), "nothing was protected"
