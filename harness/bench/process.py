"""Processes with their output in files and their CPU time to the microsecond."""

import os
import re
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

    def wait_until_it_says(self, words):
        deadline = time.monotonic() + START_TIMEOUT
        while words not in tail(self.output, lines=20):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{self.name} does not say {words!r}: {tail(self.output)}")
            time.sleep(0.005)

    def cpu_seconds(self):
        """User and system time so far of the process and of all that descend from it."""
        return sum(cpu_seconds(pid) for pid in descendants(self.process.pid))

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


class Conversation:
    """A process that answers each line with a line."""

    def __init__(self, bench, command, environment=None):
        self.name = os.path.basename(command[0])
        bench.show(command, environment)
        self.process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)

    def hear(self):
        alarm = threading.Timer(CLIENT_TIMEOUT, self.process.kill)
        alarm.start()
        try:
            answer = self.process.stdout.readline()
        finally:
            alarm.cancel()
        if not answer:
            raise Failure(f"{self.name} does not answer")
        return answer

    def ask(self, line=""):
        self.process.stdin.write(line + "\n")
        return self.hear()

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def close(self):
        self.process.kill()
        self.process.communicate()


def descendants(pid):
    """The process itself, its children, their children, ..."""
    found = [pid]
    for one in found:
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as children:
                    found += map(int, children.read().split())
        except OSError:
            continue  # it has ended
    return found


def cpu_seconds(pid):
    """Of the process's threads (clock_getcpuclockid(3)) and of its children that have ended."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        children = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime((~pid << 3) | 2) + children
    except OSError:
        return 0


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


def found(pattern, text):
    """The groups of the first match."""
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise Failure(f"{pattern} is not in what it printed: {text[-300:]!r}")
    return match.groups()


def tail(file, lines=4):
    """The last words of a process, on one line."""
    said = os.pread(file.fileno(), 1 << 16, 0).decode(errors="replace")
    return " / ".join(said.split("\n")[-lines:]).strip(" /")


def as_shell(command, environment):
    """A command line that does the same when pasted into a shell."""
    assignments = [f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    return " ".join(assignments + [shlex.quote(str(word)) for word in command])
