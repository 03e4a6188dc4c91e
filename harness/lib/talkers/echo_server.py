"""An echo server that knows nothing of TLS, in each way that servers are built.

    echo_server.py PORT threads|fork|epoll|edge

It prints "closed" for each connection that ended with end of file and "error NAME" for each that
ended with an errno. "threads" and "fork" block; "epoll" is one thread, level-triggered; "edge" is
one thread, edge-triggered, and reads until EAGAIN.
"""

import errno
import os
import select
import signal
import socket
import sys
import threading

CHUNK = 1 << 16


def say(text):
    os.write(1, (text + "\n").encode())


def serve(connection):
    with connection:
        try:
            while data := connection.recv(CHUNK):
                connection.sendall(data)
            say("closed")
        except OSError as error:
            say("error " + errno.errorcode.get(error.errno, "?"))


def threads(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def fork(listener):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            serve(connection)
            os._exit(0)
        connection.close()


class EventLoop:
    """One thread, non-blocking sockets, all that cannot be sent at once kept in memory."""

    def __init__(self, listener, edge):
        self.epoll = select.epoll()
        self.edge = select.EPOLLET if edge else 0
        self.listener = listener
        listener.setblocking(False)
        self.epoll.register(listener, select.EPOLLIN)
        self.peers = {}   # fd -> socket
        self.unsent = {}  # fd -> bytearray
        self.ending = set()

    def run(self):
        while True:
            for fd, events in self.epoll.poll():
                if fd == self.listener.fileno():
                    self.accept()
                elif fd in self.peers:
                    self.step(fd, events)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setblocking(False)
            fd = connection.fileno()
            self.peers[fd] = connection
            self.unsent[fd] = bytearray()
            interest = select.EPOLLIN | (self.edge | select.EPOLLOUT if self.edge else 0)
            self.epoll.register(fd, interest)

    def step(self, fd, events):
        try:
            if events & ~select.EPOLLOUT:
                self.read(fd)
            self.write(fd)
        except BlockingIOError:
            pass
        except OSError as error:
            say("error " + errno.errorcode.get(error.errno, "?"))
            self.drop(fd)
            return
        if fd in self.ending and not self.unsent[fd]:
            say("closed")
            self.drop(fd)
        elif not self.edge:
            self.epoll.modify(fd, (select.EPOLLIN if fd not in self.ending else 0) |
                              (select.EPOLLOUT if self.unsent[fd] else 0))

    def read(self, fd):
        while True:
            try:
                data = self.peers[fd].recv(CHUNK)
            except BlockingIOError:
                return
            if not data:
                self.ending.add(fd)
                return
            self.unsent[fd] += data
            if not self.edge:
                return

    def write(self, fd):
        waiting = self.unsent[fd]
        while waiting:
            sent = self.peers[fd].send(waiting)
            del waiting[:sent]

    def drop(self, fd):
        self.epoll.unregister(fd)
        self.peers.pop(fd).close()
        self.unsent.pop(fd)
        self.ending.discard(fd)


def main(port, model):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(1024)
    if model in ("epoll", "edge"):
        EventLoop(listener, model == "edge").run()
    else:
        {"threads": threads, "fork": fork}[model](listener)


main(sys.argv[1], sys.argv[2])
