"""Random sequences of socket operations, such that TCP defines what each gives.

A model of what is on its way keeps to that: a blocking read is only made when something will come,
no more is sent than the kernel holds, and nothing is asked that depends on when a segment arrives.
Nor what Gaiter is known to do otherwise (docs/symbols.md): splice; what is sent to an end that has
shut both directions; epoll sets that wake for less than SO_RCVLOWAT, or, within a set, for the end
of a connection whose one-shot has fired.
"""

import random

PEEK, TRUNC, DONTWAIT, WAITALL = 0x2, 0x20, 0x40, 0x100
POLL = (0x1, 0x4, 0x5, 0x2001, 0x2005, 0x0)
ONCE, EDGE = 0x40000000, 0x80000000
EPOLL = (0x1, 0x4, 0x5, 0x2001, ONCE | 0x1, ONCE | 0x5, EDGE | 0x1, EDGE | 0x4, EDGE | 0x5,
         EDGE | 0x2005, EDGE | ONCE | 0x1)
OF_EACH = 4  # slots of a connection
SIZES = (0, 1, 2, 7, 100, 1000, 1460, 4096, 16383, 16384, 16385, 20000, 40000)
MOST = 60000  # bytes on their way, each way


class End:
    def __init__(self, name, first):
        self.name = name
        self.unread = 0  # bytes on their way to here
        self.first, self.slots = first, {first}
        self.registered = {}  # slot: events
        self.waits = True  # not O_NONBLOCK, and no SO_RCVTIMEO
        self.said_end = False  # shutdown(SHUT_WR)
        self.heard_end = False  # the other's
        self.is_deaf = False  # shutdown(SHUT_RD)
        self.least = 1  # SO_RCVLOWAT

    @property
    def is_over(self):
        return self.said_end and (self.heard_end or self.is_deaf)

    @property
    def has_one_shot(self):
        return any(events & ONCE for events in self.registered.values())

    @property
    def said_all(self):
        """TCP answers what comes to such an end with a reset."""
        return self.said_end and self.is_deaf


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.connections = [(End("a", 0), End("b", 0))]
        self.lines = []

    def sequence(self):
        if self.random.random() < 0.3:
            self.lines.append("second")
            self.connections.append((End("a", OF_EACH), End("b", OF_EACH)))
        for _ in range(self.random.randint(3, 30) * len(self.connections)):
            here, there = self.random.sample(self.random.choice(self.connections), 2)
            if here.slots and there.slots:  # else only what follows is asked: see close()
                self.step(here, there)
        return self.lines

    def step(self, here, there):
        pick = self.random.choices(
            (self.send, self.receive, self.look, self.epoll, self.query, self.duplicate,
             self.sleep, self.patience, self.low_water, self.shutdown, self.close),
            (24, 26, 16, 18, 6, 5, 5, 2, 2, 4, 3))[0]
        pick(here, there)

    def has_set(self, here):
        """Whether anything is in this end's epoll set, which all connections share."""
        return any(end.registered for pair in self.connections for end in pair
                   if end.name == here.name)

    def put(self, here, text, everywhere=True):
        """Sometimes by another thread, or by a child that shares the connection."""
        where = self.random.choices(("", "thread ", "fork "), (90, 5, 5))[0] if everywhere else ""
        self.lines.append(f"{here.name} {where}{text}")

    def slot(self, here):
        return self.random.choice(sorted(here.slots))

    def send(self, here, there):
        size = self.random.choice(SIZES)
        if there.unread + size > MOST or there.said_all:
            return
        how = self.random.choice(("send", "write", "writev", "sendmsg", "sendmmsg", "sendfile",
                                  "writev-many", "sendmsg-many"))
        flags = self.random.choice((0, 0, DONTWAIT)) if how.startswith("send") else 0
        self.put(here, f"{how} {self.slot(here)} {size} {flags:#x}")
        if not here.said_end:
            there.unread += size

    def receive(self, here, there):
        size = self.random.choice(SIZES)
        how = self.random.choice(("recv", "read", "readv", "recvmsg", "recvmmsg", "readv-many",
                                  "recvmsg-many"))
        flags = self.random.choice((0, 0, PEEK, DONTWAIT, PEEK | DONTWAIT, WAITALL, TRUNC,
                                    PEEK | TRUNC, PEEK | WAITALL, TRUNC | WAITALL))
        if how.startswith("read"):
            flags = 0
        ends = here.heard_end or here.is_deaf
        certain = (here.unread >= here.least or ends or size == 0 and here.least == 1
                   or not here.waits)
        if flags & WAITALL and here.unread < size and not ends and here.waits:
            flags = DONTWAIT
        if not certain:
            how, flags = "recv", flags | DONTWAIT
        if size == 0 and not (here.unread or ends):
            return  # whether it waits differs between kernels
        self.put(here, f"{how} {self.slot(here)} {size} {flags:#x}")
        if not flags & PEEK:
            here.unread -= min(size, here.unread)

    def look(self, here, there):
        way = self.random.random()
        if way < 0.3:
            self.put(here, f"select {self.slot(here)}")
        elif way < 0.4:
            self.put(here, f"polls 0 {self.random.choice(POLL):#x}")
        else:
            self.put(here, f"poll {self.slot(here)} {self.random.choice(POLL):#x}")

    def epoll(self, here, there):
        what = self.random.choices(("add", "mod", "del", "wait", "outer"), (4, 2, 1, 8, 1))[0]
        slot = self.slot(here)
        if what in ("wait", "outer") and not self.has_set(here):
            what = "add"
        if what == "outer":
            if not any(end.name == here.name and end.is_over and end.has_one_shot
                       for pair in self.connections for end in pair):
                self.put(here, "outer 0")
            return
        if what == "add" and here.least > 1:
            return
        events = self.random.choice(EPOLL)
        said = f" {events:#x}" if what in ("add", "mod") else ""
        self.put(here, f"epoll {what} {slot}{said}", everywhere=what == "wait")
        if what == "mod" and slot in here.registered:
            here.registered[slot] = events
        if what == "add":
            if here.said_end and not here.registered:
                self.put(here, f"settle {slot}", everywhere=False)
            here.registered.setdefault(slot, events)
        if what == "del":
            here.registered.pop(slot, None)

    def query(self, here, there):
        self.put(here, f"query {self.random.choice(('fionread', 'error'))} {self.slot(here)}")

    def patience(self, here, there):
        """Either one, and back, so that a call that would wait for ever ends."""
        how = self.random.choice(("nonblock", "timeout"))
        number = (1 if how == "nonblock" else 20) if here.waits else 0
        if number == 0:
            self.put(here, f"nonblock {self.slot(here)} 0", everywhere=False)
            how = "timeout"
        self.put(here, f"{how} {self.slot(here)} {number}", everywhere=False)
        here.waits = number == 0

    def sleep(self, here, there):
        """A call that waits in a thread of its own, until the other end or a signal ends it."""
        if (not here.waits or here.heard_end or here.is_deaf or there.said_all or here.unread
                or here.least > 1):
            return
        self.random.choice((self.sleeping_read, self.sleeping_read, self.sleeping_look,
                            self.sleeping_send))(here, there)

    def sleeping_read(self, here, there):
        size = self.random.choice(SIZES[1:])
        how = self.random.choice(("recv", "read", "readv", "recvmsg"))
        flags = 0 if how.startswith("read") else self.random.choice((0, PEEK, WAITALL))
        self.begin(here, f"{how} {self.slot(here)} {size} {flags:#x}")
        while True:
            what = self.meanwhile(here, there)
            goes_on = (what == "close" or what == "restart" and not here.unread
                       or what == "data" and flags == WAITALL and here.unread < size)
            if not goes_on:
                break
        if flags != PEEK:
            here.unread -= min(size, here.unread)
        self.put(here, "end", everywhere=False)

    def sleeping_look(self, here, there):
        level = [slot for slot, events in here.registered.items() if events in (0x1, 0x2001)]
        how = self.random.choice(("poll", "select") + (("epoll",) if level else ()))
        slot = self.slot(here)
        self.begin(here, {
            "poll": f"poll {slot} {self.random.choice((0x1, 0x2001)):#x} -1",
            "select": f"select {slot} 1",
            "epoll": f"epoll sleep {level[0] if level else 0}"}[how])
        # A select(2) finds a number that was closed in all its sets, if it is woken.
        while self.meanwhile(here, there, may_close=how != "select") == "close":
            pass
        self.put(here, "end", everywhere=False)

    def sleeping_send(self, here, there):
        if here.said_end or there.unread or there.is_deaf or not there.waits:
            return
        size = self.random.choice((100_000, 400_000, 1_000_000))
        how = self.random.choice(("send", "write", "sendmsg"))
        self.begin(here, f"{how} {self.slot(here)} {size} 0")
        while size:
            part = min(size, self.random.choice((70_000, 300_000, size)))
            self.put(there, f"recv {self.slot(there)} {part} {WAITALL:#x}", everywhere=False)
            size -= part
        self.put(here, "end", everywhere=False)

    def begin(self, here, text):
        self.put(here, f"begin {text}", everywhere=False)
        if self.random.random() < 0.3:  # by a thread that does not sleep
            self.put(here, self.random.choice((
                f"poll {self.slot(here)} 0x5", f"select {self.slot(here)}",
                f"query fionread {self.slot(here)}")), everywhere=False)

    def meanwhile(self, here, there, may_close=True):
        """What may end the sleep: "data", a signal that is to "break" a call or let it "restart",
        the "end" of what comes; but not that a number is closed while another leads there."""
        what = self.random.choices(("data", "signal", "shutdown", "deaf", "close"),
                                   (8, 3, 1, 1, 2))[0]
        may_close &= len(here.slots) > 1
        if what == "data" and there.said_end or what == "close" and not may_close:
            what = "signal"
        if what == "data":
            size = self.random.choice(SIZES[1:10])
            how = self.random.choice(("send", "write", "writev", "sendmsg"))
            self.put(there, f"{how} {self.slot(there)} {size} 0x0", everywhere=False)
            here.unread += size
        elif what == "signal":
            restarts = self.random.randint(0, 1)
            self.put(here, f"signal {restarts}", everywhere=False)
            return "restart" if restarts else "break"
        elif what == "shutdown":
            self.put(there, f"shutdown {self.slot(there)} 1", everywhere=False)
            there.said_end = here.heard_end = True
            if there.registered:
                self.put(there, f"settle {self.slot(there)}", everywhere=False)
            return "end"
        elif what == "close":
            self.forget(here, self.slot(here))
        else:
            self.put(here, f"shutdown {self.slot(here)} 0", everywhere=False)
            here.is_deaf = True
            return "end"
        return what

    def forget(self, here, slot):
        self.put(here, f"close {slot}", everywhere=False)
        here.slots.discard(slot)
        here.registered.pop(slot, None)

    def duplicate(self, here, there):
        free = sorted(set(range(here.first + 1, here.first + OF_EACH)) - here.slots)
        if len(here.slots) > 1 and self.random.random() < 0.3:
            slot, other = self.random.sample(sorted(here.slots), 2)
            self.put(here, f"over {slot} {other}", everywhere=False)
        elif free and here.first in here.slots:
            self.put(here, f"dup {free[0]}", everywhere=False)
            here.slots.add(free[0])

    def low_water(self, here, there):
        if here.registered:
            return
        here.least = 1 if here.least > 1 else self.random.choice((2, 100, 4096, 20000))
        self.put(here, f"lowat {self.slot(here)} {here.least}", everywhere=False)

    def shutdown(self, here, there):
        how = self.random.choice((0, 1, 1, 1, 2))
        self.put(here, f"shutdown {self.slot(here)} {how}", everywhere=False)
        if how != 0:
            here.said_end = there.heard_end = True
            if here.registered:
                self.put(here, f"settle {self.slot(here)}", everywhere=False)
        if how != 1:
            here.is_deaf = True

    def close(self, here, there):
        """The last descriptor: orderly if all was read, else a reset; what the other then sees."""
        slot = self.slot(here)
        if len(here.slots) == 1 and self.random.random() < 0.2:
            self.put(here, f"reset {slot}", everywhere=False)
            there.unread = 0
        self.forget(here, slot)
        if here.slots:
            return
        # A FIN acknowledges all; without one, a close_notify that is reset may be taken for data.
        parts = () if here.said_end else ("shutdown", "settle")
        for _ in range(self.random.randint(1, 6)):
            words = self.random.choice((
                f"recv {self.slot(there)} 50000 0x40", f"poll {self.slot(there)} 0x2001",
                f"query error {self.slot(there)}", f"select {self.slot(there)}",
                *(f"{part} {self.slot(there)} 1" for part in parts)))
            self.put(there, words, everywhere=False)


def sequences(seed, count):
    """[(name, lines)]; a name gives its sequence again: sequences(name's seed, 1)."""
    return [(str(number), Generator(number).sequence()) for number in range(seed, seed + count)]


def as_script(named):
    return "".join(f"sequence {name}\n" + "".join(line + "\n" for line in lines)
                   for name, lines in named)
