"""Starting programs, and leaving none behind.

Every program gets a clean environment, a session of its own, and files for its output. This
process makes itself the reaper of orphans, so that even a daemon's grandchildren (PostgreSQL's back
ends leave their process group) are found and ended.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36

BASE_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}


def adopt_orphans():
    """Makes orphaned descendants children of this process instead of init's."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _parents():
    """pid -> parent's pid, of every live process."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    fields = stat.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z":
                parents[int(name)] = int(fields[1])
    return parents


def descendants(root):
    """Every live process below `root`, parents first."""
    children = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found, queue = [], list(children.get(root, []))
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, []))
    return found


def _read(path, limit=4096):
    try:
        with open(path, "rb") as source:
            return source.read(limit).replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError as error:
        return f"({error.strerror})"


def command_line(pid):
    return _read(f"/proc/{pid}/cmdline")


def stacks(pid):
    """Where each thread of `pid` is: the kernel's view, and gdb's if it is installed."""
    text = [f"pid {pid}: {command_line(pid)}"]
    for thread in sorted(os.listdir(f"/proc/{pid}/task")):
        place = f"/proc/{pid}/task/{thread}"
        text.append(f"  thread {thread} {_read(place + '/comm')}: wchan {_read(place + '/wchan')}"
                    f" syscall {_read(place + '/syscall')}")
    try:
        gdb = subprocess.run(
            ["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "thread apply all bt 16"],
            capture_output=True, timeout=20, check=False, env=BASE_ENVIRONMENT)
        lines = gdb.stdout.decode("utf-8", "replace").splitlines()
        text += ["  " + line for line in lines if line.startswith(("#", "Thread"))]
    except (OSError, subprocess.TimeoutExpired):
        pass
    return "\n".join(text)


class Process:
    """A started program. Its output is in files, so that it can never block on a full pipe."""

    def __init__(self, argv, name, place, environment=None, stdin=None, user=None, cwd=None,
                 stderr=None):
        self.argv = [str(word) for word in argv]
        self.name = name
        self.out_path = os.path.join(place, name + ".out")
        self.err_path = os.path.join(place, name + ".err")
        env = dict(BASE_ENVIRONMENT, HOME=place, TMPDIR=place)
        env.update(environment or {})
        self.environment = env
        opened = None
        if stdin is None:
            source = subprocess.DEVNULL
        elif stdin == "pipe":
            source = subprocess.PIPE
        else:
            opened = source = open(stdin, "rb")
        options = {}
        if user is not None:
            options = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        try:
            with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
                self._popen = subprocess.Popen(
                    self.argv, stdin=source, stdout=out,
                    stderr=err if stderr is None else stderr, env=env, cwd=cwd or place,
                    start_new_session=True, bufsize=0, **options)
        finally:
            if opened is not None:
                opened.close()
        self.pid = self._popen.pid

    def poll(self):
        return self._popen.poll()

    def write(self, data):
        """Gives `data` to the program's standard input (started with stdin="pipe")."""
        self._popen.stdin.write(data)

    def close_stdin(self):
        self._popen.stdin.close()

    def stdout(self):
        with open(self.out_path, "rb") as source:
            return source.read()

    def stderr(self):
        with open(self.err_path, "rb") as source:
            return source.read()

    def output(self):
        return self.stdout() + self.stderr()

    def describe(self):
        tail = self.output()[-2000:].decode("utf-8", "replace")
        preload = self.environment.get("LD_PRELOAD")
        under = f"LD_PRELOAD={preload} " if preload else ""
        return f"{under}{' '.join(self.argv)} (exit {self.poll()})\n{tail}"

    def wait(self, timeout=30):
        """The exit status; fails, naming the command, if it does not end in time."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            where = stacks(self.pid)
            self.stop()
            raise AssertionError(f"still running after {timeout} s: {self.describe()}\n"
                                 f"{where}") from None

    def wait_output(self, wanted, timeout=15, times=1):
        """Waits until the program has printed `wanted` (bytes) so often, and gives all it
        printed."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.poll() is not None
            text = self.output()
            if text.count(wanted) >= times:
                return text
            if ended or time.monotonic() > deadline:
                where = "" if ended else stacks(self.pid)
                raise AssertionError(f"{wanted!r} was not printed by {self.describe()}\n{where}")
            time.sleep(0.01)

    def send_signal(self, number):
        self._popen.send_signal(number)

    def stop(self, first=signal.SIGTERM, patience=3):
        """Ends the program with all its descendants, politely at first."""
        family = [self.pid] + descendants(self.pid)
        if self.poll() is None:
            self.send_signal(first)
            try:
                self._popen.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        family += [pid for pid in descendants(self.pid) if pid not in family]
        if self._popen.stdin is not None:
            try:
                self._popen.stdin.close()
            except OSError:
                pass
        alive = _parents()
        for pid in family:
            if pid in alive:
                _kill(pid)
        self._popen.wait(patience)
        deadline = time.monotonic() + patience
        while not _parents().keys().isdisjoint(family) and time.monotonic() < deadline:
            time.sleep(0.01)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Completed:
    """What a program that ran to its end left."""

    def __init__(self, process, status):
        self.status = status
        self.stdout = process.stdout()
        self.stderr = process.stderr()
        self.text = self.stdout.decode("utf-8", "replace")
        self.errors = self.stderr.decode("utf-8", "replace")
        self.description = process.describe()


class Processes:
    """Every program of one test."""

    def __init__(self, place):
        self.place = place
        self._started = []
        self._count = 0

    def start(self, argv, name=None, **options):
        self._count += 1
        name = f"{self._count:02}-{name or os.path.basename(str(argv[0]))}"
        process = Process(argv, name, self.place, **options)
        self._started.append(process)
        return process

    def run(self, argv, timeout=30, check=True, **options):
        """Runs to the end. With `check`, a status other than 0 fails and shows the output."""
        process = self.start(argv, **options)
        completed = Completed(process, process.wait(timeout))
        if check:
            assert completed.status == 0, completed.description
        return completed

    def alive(self):
        return [process for process in self._started if process.poll() is None]

    def stop(self):
        for process in reversed(self._started):
            process.stop()
        self._started.clear()


def end_strays(patience=2):
    """Ends every descendant of this process that is left and returns their command lines."""
    deadline = time.monotonic() + patience
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        time.sleep(0.05)
    names = [f"{pid} {command_line(pid)}" for pid in left]
    for pid in left:
        _kill(pid)
    deadline = time.monotonic() + 5
    while set(left) & set(descendants(os.getpid())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return names
