"""The `gaiter` command as a user types it, kept away from the machine's own policy and keyring."""

import os
import subprocess

from harness.lib import gaiter

# In place of /etc/gaiter, so that a test means the same on every machine.
NO_POLICY = 'unmatched = "pass";'


def environment(**more):
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith("GAITER_") and name != "LD_PRELOAD"}
    # Programs that are started to say something do not listen where they are told to.
    return {**inherited, "GAITER_POLICY_TEXT": NO_POLICY, "GAITER_LOG": "error", **more}


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def refused(self, *words, code=2):
        """Asserts one line "gaiter: ..." on standard error that has all these words."""
        assert self.code == code, (self.code, self.out, self.err)
        lines = self.err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("gaiter: "), self.err
        for word in words:
            assert word in lines[0], f"{word!r} is not in: {lines[0]}"

    def variable(self, name):
        """A variable of the environment that `env` printed."""
        lines = [line for line in self.out.splitlines() if line.startswith(name + "=")]
        return lines[0][len(name) + 1:] if lines else None


def run(*arguments, cwd=None, user=None, **more):
    return Result(subprocess.run(
        [gaiter.COMMAND, *(str(argument) for argument in arguments)], env=environment(**more),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, cwd=cwd, user=user))
