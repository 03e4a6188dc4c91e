"""One end of a connection under Gaiter: its policy, keyring, log and environment."""

import os

from harness.lib.keyrings import write_keyring
from harness.lib.logs import Log
from harness.lib.policies import PolicyDirectory

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARY = os.path.join(REPOSITORY, "build", "libgaiter.so")
COMMAND = os.path.join(REPOSITORY, "build", "gaiter")


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
