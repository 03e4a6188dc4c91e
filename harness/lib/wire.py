"""What may be seen on the wire: TLS records, and no piece of the known plaintext.

Both checks take the bytes as they pass, in chunks of any size, and hold no more than a record or
a window across chunks, so that a relay can watch 100 MiB go by at hundreds of MiB a second.
"""

import re

WINDOW = 8  # no run of this many bytes of known plaintext may cross

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
NAMES = {CHANGE_CIPHER_SPEC: "change_cipher_spec", ALERT: "alert", HANDSHAKE: "handshake",
         APPLICATION_DATA: "application_data"}
LONGEST_FRAGMENT = 2**14 + 2048  # RFC 5246 6.2.3; RFC 8446 5.2 allows 2^14 + 256
HEADER = 5


class TlsRecords:
    """Parses one direction as TLS records (RFC 8446 5.1). `fault` is the first byte that is none,
    in words, or None; `counts` how many records of each type went by."""

    def __init__(self):
        self.counts = dict.fromkeys(NAMES, 0)
        self.fault = None
        self.first_fragment = b""  # start of the first record's content: a hello, if all is well
        self.last_type = None
        self._offset = 0    # of the next byte that feed() gets
        self._skip = 0      # bytes of the current fragment still to come
        self._header = b""  # of a record whose header came in pieces

    @property
    def total(self):
        return sum(self.counts.values())

    @property
    def at_boundary(self):
        return self._skip == 0 and not self._header

    def feed(self, data):
        if self.fault is not None:
            return
        start = self._offset
        self._offset += len(data)
        if self.total == 1 and len(self.first_fragment) < 64:
            self.first_fragment += data[:min(self._skip, 64 - len(self.first_fragment))]
        at = 0
        if self._skip:
            at = min(self._skip, len(data))
            self._skip -= at
        while at < len(data):
            missing = HEADER - len(self._header)
            piece = data[at:at + missing]
            at += len(piece)
            self._header += piece
            if len(self._header) < HEADER:
                return
            kind, version, length = self._parse(self._header)
            self.fault = self._judge(kind, version, length, start + at - HEADER)
            if self.fault is not None:
                return
            self._header = b""
            self.counts[kind] += 1
            self.last_type = kind
            if self.total == 1:
                self.first_fragment = bytes(data[at:at + min(length, 64)])
            taken = min(length, len(data) - at)
            at += taken
            self._skip = length - taken

    @staticmethod
    def _parse(header):
        return header[0], header[1] << 8 | header[2], header[3] << 8 | header[4]

    def _judge(self, kind, version, length, offset):
        where = f"at byte {offset}, header {self._header.hex()}"
        if kind not in NAMES:
            return f"not a TLS record {where}: unknown type {kind}"
        if version not in (0x0301, 0x0303) or (version == 0x0301 and self.total > 0):
            return f"not a TLS record {where}: version {version:#06x}"
        if length > LONGEST_FRAGMENT:
            return f"not a TLS record {where}: {length} bytes are too many"
        if length == 0 and kind != APPLICATION_DATA:
            return f"not a TLS record {where}: empty {NAMES[kind]}"
        if self.total == 0 and kind not in (HANDSHAKE, ALERT):
            return f"the first record {where} is {NAMES[kind]}, not a handshake"
        return None


def _alphabet(secret):
    """The byte values of a secret, of a hundred mebibytes too."""
    found = set(secret[:1 << 16])
    while rest := secret.translate(None, bytes(found)):
        found |= set(rest[:1 << 16])
    return found


class Secrets:
    """Known plaintext, prepared once to be searched for in many streams.

    The alphabet of the secrets is the trick that makes the search quick: a first pass in C maps
    each byte to "in the alphabet" or not, and only runs of WINDOW such bytes are compared with the
    secrets. With hexadecimal secrets, one in 2^32 places of a random stream is such a run. Secrets
    of all 256 byte values are searched too, but slowly: keep those short.
    """

    def __init__(self, secrets):
        self._secrets = [bytes(secret) for secret in secrets if len(secret) >= WINDOW]
        assert self._secrets, f"a secret of at least {WINDOW} bytes is needed"
        alphabet = set().union(*map(_alphabet, self._secrets))
        self.marks = bytes(1 if byte in alphabet else 0 for byte in range(256))
        # Sets are quicker than bytes.find() for small secrets, and far too large for big ones.
        self._windows = None
        if sum(map(len, self._secrets)) <= 2**18:
            self._windows = {secret[at:at + WINDOW] for secret in self._secrets
                             for at in range(len(secret) - WINDOW + 1)}

    def __contains__(self, piece):
        """Whether WINDOW bytes are a piece of a secret."""
        if self._windows is not None:
            return piece in self._windows
        return any(piece in secret for secret in self._secrets)


class PlaintextSearch:
    """Looks in one stream for every WINDOW-byte piece of the secrets, at every offset."""

    _run = re.compile(rb"\x01{%d,}" % WINDOW)

    def __init__(self, secrets):
        self._secrets = secrets
        self._tail = b""
        self._offset = 0
        self.found = None  # the first piece found, in words

    def feed(self, data):
        if self.found is not None:
            return
        text = self._tail + data
        for run in self._run.finditer(text.translate(self._secrets.marks)):
            for at in range(run.start(), run.end() - WINDOW + 1):
                piece = bytes(text[at:at + WINDOW])
                if piece in self._secrets:
                    place = self._offset - len(self._tail) + at
                    self.found = f"plaintext {piece!r} at byte {place}"
                    return
        self._offset += len(data)
        self._tail = text[-(WINDOW - 1):]
