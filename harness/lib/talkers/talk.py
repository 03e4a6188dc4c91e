"""A TCP program that knows nothing of TLS and says what each call gave it.

    talk.py STEP...

Each step is one call, done in order, also after a call that failed; each prints one line: the
step's name and what came of it, an errno by name. The steps:

    listen:PORT       bind 127.0.0.1 and listen          accept        the next connection
    connect:HOST:PORT blocking; HOST is resolved         connect-nb:HOST:PORT  non-blocking
    send:TEXT         \\n is a new line                   recv          once
    recv-all          until end of file or an error      expect:N      exactly N bytes
    shutdown          SHUT_WR                            close         the connection
    reset             close with RST                     sleep:SECONDS
    timeout:SECONDS   SO_RCVTIMEO                   poll:SECONDS  what poll() says
    wait:PATH         until the file exists              exit          exit(3) with all still open
"""

import ctypes
import errno
import os
import select
import socket
import struct
import sys
import time


def name_of(error):
    return errno.errorcode.get(error.errno, str(error)) if error.errno else str(error)


class Talk:
    def __init__(self):
        self.listener = None
        self.socket = None

    def resolve(self, argument):
        host, _, port = argument.rpartition(":")
        return socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)[0][4]

    def listen(self, port):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", int(port)))
        self.listener.listen(64)

    def accept(self, _):
        self.socket, _ = self.listener.accept()

    def connect(self, argument):
        address = self.resolve(argument)
        self.socket = socket.socket()
        self.socket.connect(address)

    def connect_nb(self, argument):
        address = self.resolve(argument)
        self.socket = socket.socket()
        self.socket.setblocking(False)
        result = self.socket.connect_ex(address)
        if result not in (0, errno.EINPROGRESS):
            raise OSError(result, os.strerror(result))
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        if not poll.poll(30_000):
            return "never writable"
        result = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.socket.setblocking(True)
        if result:
            raise OSError(result, os.strerror(result))
        return None

    def send(self, text):
        data = text.encode().replace(b"\\n", b"\n")
        self.socket.sendall(data)
        return str(len(data))

    def recv(self, _):
        data = self.socket.recv(65536)
        return repr(data) if data else "eof"

    def recv_all(self, _):
        count, shown = 0, b""
        while True:
            try:
                data = self.socket.recv(1 << 18)
            except OSError as error:
                return f"{count} bytes {shown!r} then {name_of(error)}"
            if not data:
                return f"{count} bytes {shown!r} then eof"
            count += len(data)
            if len(shown) < 200:
                shown += data[:200 - len(shown)]

    def expect(self, count):
        data = b""
        while len(data) < int(count):
            piece = self.socket.recv(int(count) - len(data))
            if not piece:
                return f"eof after {data!r}"
            data += piece
        return repr(data)

    def poll(self, seconds):
        poll = select.poll()
        poll.register(self.socket, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
        events = poll.poll(float(seconds) * 1000)
        names = {select.POLLIN: "in", select.POLLOUT: "out", select.POLLRDHUP: "rdhup",
                 select.POLLHUP: "hup", select.POLLERR: "err"}
        bits = events[0][1] if events else 0
        return "+".join(name for bit, name in names.items() if bits & bit) or "nothing"

    def shutdown(self, _):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self, _):
        self.socket.close()

    def reset(self, _):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def sleep(self, seconds):
        time.sleep(float(seconds))

    def timeout(self, seconds):
        whole = float(seconds)
        value = struct.pack("ll", int(whole), int((whole % 1) * 1_000_000))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)

    def wait(self, path):
        while not os.path.exists(path):
            time.sleep(0.01)

    def exit(self, _):
        ctypes.CDLL(None).exit(0)  # sys.exit() would close the sockets first


def main(steps):
    talk = Talk()
    for step in steps:
        name, _, argument = step.partition(":")
        try:
            result = getattr(talk, name.replace("-", "_"))(argument) or "ok"
        except OSError as error:
            result = name_of(error)
        print(name, result, flush=True)


main(sys.argv[1:])
