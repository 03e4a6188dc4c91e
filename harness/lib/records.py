"""A TLS 1.3 client that behaves until the handshake is done, and then writes records of its own."""

import hashlib
import hmac
import os
import socket
import ssl
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HANDSHAKE, DATA = 22, 23
KEY_UPDATE = b"\x18\0\0\1\0"


def _expand_label(secret, label, length):
    """RFC 8446 7.1, with an empty context and SHA-384."""
    info = struct.pack(">H", length) + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha384).digest()[:length]


class Writer:
    """Seals a client's records under AES-256-GCM."""

    def __init__(self, secret):
        self._take(secret)

    def _take(self, secret):
        self._secret = secret
        self._key = AESGCM(_expand_label(secret, b"key", 32))
        self._iv = _expand_label(secret, b"iv", 12)
        self._sequence = 0

    def record(self, kind, content):
        inner = content + bytes([kind])
        header = b"\x17\x03\x03" + struct.pack(">H", len(inner) + 16)
        nonce = bytes(a ^ b for a, b in zip(self._iv, self._sequence.to_bytes(12, "big")))
        self._sequence += 1
        return header + self._key.encrypt(nonce, inner, header)

    def key_update(self):
        sealed = self.record(HANDSHAKE, KEY_UPDATE)
        self._take(_expand_label(self._secret, b"traffic upd", 48))
        return sealed


def connect(port, ca, place, timeout=20):
    """A connection to localhost after its handshake: the socket and its Writer."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.keylog_filename = secrets = os.path.join(place, f"secrets-{os.urandom(4).hex()}")
    raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            incoming.write(raw.recv(65536))
        else:
            break
    raw.sendall(outgoing.read())
    assert tls.cipher()[0] == "TLS_AES_256_GCM_SHA384"
    with open(secrets, encoding="ascii") as lines:
        secret, = (line.split()[2] for line in lines if line.startswith("CLIENT_TRAFFIC_SECRET_0"))
    return raw, Writer(bytes.fromhex(secret))
