"""Processes with their output in files and their CPU time to the microsecond."""

import os
import shlex
import signal
import subprocess
import tempfile
import threading
import time

from .row import Failure

CLIENT_TIMEOUT = 120  # seconds
START_TIMEOUT = 10


class Server:
    """A process in the background; close() ends it."""

    def __init__(self, bench, command, environment=None):
        self.name = os.path.basename(command[0])
        self.output = tempfile.TemporaryFile()
        bench.show(command, environment)
        self.process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True)

    def wait_until_listening(self, port):
        """Looks into /proc instead of connecting, which some servers would take for a client."""
        deadline = time.monotonic() + START_TIMEOUT
        while not is_listening(port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{self.name} does not listen on {port}: {tail(self.output)}")
            time.sleep(0.005)

    def cpu_seconds(self):
        """User and system time of the process so far, all threads (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


def is_listening(port):
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for line in lines:
                fields = line.split()
                if fields[3] == "0A" and fields[1].endswith(wanted):
                    return True
    return False


def run(bench, command, environment=None):
    """Runs a command to its end: (its standard output, CPU seconds of it and its children)."""
    bench.show(command, environment)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=errors)
        alarm = threading.Timer(CLIENT_TIMEOUT, os.kill, (process.pid, signal.SIGKILL))
        alarm.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            alarm.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode == -signal.SIGKILL:
            raise Failure(f"{os.path.basename(command[0])} was killed after {CLIENT_TIMEOUT} s")
        if process.returncode != 0:
            raise Failure(f"{os.path.basename(command[0])} ended with {process.returncode}: "
                          f"{tail(errors)}")
        output.seek(0)
        return output.read().decode(), usage.ru_utime + usage.ru_stime


def tail(file):
    """The last words of a process, on one line."""
    file.seek(0)
    return " / ".join(file.read().decode(errors="replace").split("\n")[-4:]).strip(" /")


def as_shell(command, environment):
    """A command line that does the same when pasted into a shell."""
    assignments = [f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    return " ".join(assignments + [shlex.quote(str(word)) for word in command])
