"""A name server on 127.0.0.1:53, UDP and TCP: name_server.py NAME=ADDRESS|ALIAS ..."""

import socket
import socketserver
import struct
import sys
import threading

TABLE = dict(word.split("=") for word in sys.argv[1:])


def labels(name):
    return b"".join(bytes([len(one)]) + one.encode() for one in name.split(".")) + b"\0"


def record(owner, kind, data):
    return labels(owner) + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def answer(query):
    at, words = 12, []
    while query[at]:
        words.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind, = struct.unpack("!H", query[at + 1:at + 3])
    name, records = ".".join(words).lower(), []
    known = name in TABLE
    while name in TABLE and not TABLE[name][0].isdigit():
        records.append(record(name, 5, labels(TABLE[name])))
        name = TABLE[name]
    if kind == 1 and name in TABLE:
        records.append(record(name, 1, socket.inet_aton(TABLE[name])))
    flags = 0x8180 if known else 0x8183
    return (query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + query[12:at + 5]
            + b"".join(records))


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, connection = self.request
        connection.sendto(answer(data), self.client_address)


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        while length := self.rfile.read(2):
            reply = answer(self.rfile.read(struct.unpack("!H", length)[0]))
            self.wfile.write(struct.pack("!H", len(reply)) + reply)


tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 53), Stream)
threading.Thread(target=tcp.serve_forever, daemon=True).start()
with socketserver.ThreadingUDPServer(("127.0.0.1", 53), Datagram) as udp:
    print("ready", flush=True)
    udp.serve_forever()
