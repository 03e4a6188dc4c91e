"""One end of a connection under Gaiter: its policy, keyring, log and environment."""

import os

from harness.lib.keyrings import write_keyring
from harness.lib.logs import Log
from harness.lib.policies import PolicyDirectory

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Another tree of objects may be tested, or one that nobody rebuilds meanwhile.
BUILD = os.environ.get("HARNESS_BUILD") or os.path.join(REPOSITORY, "build")
LIBRARY = os.path.join(BUILD, "libgaiter.so")
CORE = os.path.join(BUILD, "libgaiter-core.so")
COMMAND = os.path.join(BUILD, "gaiter")


class Side:
    """What a program needs to run under Gaiter. `identities` are label -> pki.Identity, the first
    is the default; `trusted` are label -> pki.Identity of CAs. `owner` is the user the program
    runs as, if it is not the tests' own. With plain=True the environment holds no preload: the
    program then runs as if Gaiter did not exist."""

    def __init__(self, place, name, identities=None, trusted=None, owner=None, plain=False):
        self.name = name
        self.plain = plain
        self.keyring = os.path.join(place, name + ".keyring")
        write_keyring(self.keyring, identities or {}, trusted or {}, owner=owner)
        self.policy = PolicyDirectory(os.path.join(place, name + ".policy"), self.keyring)
        self.log = Log(os.path.join(place, name + ".log"))
        self.inbound = self.policy.inbound
        self.outbound = self.policy.outbound

    def environment(self, level="info", **more):
        if self.plain:
            return more
        return {"LD_PRELOAD": LIBRARY, "GAITER_POLICY": self.policy.path,
                "GAITER_LOG": f"{level}:{self.log.path}", **more}

    def secured(self, count=1, **wanted):
        """Waits until the log tells of `count` secured connections, and asserts of each what is
        wanted: version="TLSv1.3", resumed="no", ... Returns the lines."""
        if self.plain:
            return []
        events = self.log.wait("secured", count)
        for event in events:
            assert not event.garbled, f"not key=value: {event.garbled!r} in: {event.text}"
            for key in ("rule", "local", "remote", "suite", "aead", "handshake_ms"):
                assert event.get(key), f"no {key} in: {event.text}"
            for key, value in wanted.items():
                assert event.get(key) == value, f"{key} is not {value!r} in: {event.text}"
        return events

    def refused(self, cause, errno, count=1, **wanted):
        """Waits for `count` refusals and asserts that each has this cause and errno, and reads as
        a person needs it. Returns the lines."""
        events = self.log.wait("refused", count)
        for event in events:
            assert not event.garbled, f"not key=value: {event.garbled!r} in: {event.text}"
            assert event.get("cause") == cause, f"cause is not {cause} in: {event.text}"
            assert event.get("errno") == errno, f"errno is not {errno} in: {event.text}"
            assert event.get("reason"), f"no reason in: {event.text}"
            for key, value in wanted.items():
                assert event.get(key) == value, f"{key} is not {value!r} in: {event.text}"
        return events

    def nothing_refused(self, but=None):
        """`but`: a cause that may be."""
        refused = [] if self.plain else [event for event in self.log.refused()
                                         if event.get("cause") != but]
        assert not refused, "\n".join(event.text for event in refused)
