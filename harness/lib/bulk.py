"""Large files to move: a hundred mebibytes whose every piece a wire proof can search for."""

import hashlib
import os

BULK = 100 << 20


def make_file(path, size=BULK):
    """Fills `path` with random hexadecimal digits and returns them."""
    data = os.urandom(size // 2).hex().encode()
    with open(path, "wb") as out:
        out.write(data)
    return data


def checksum(path_or_data):
    if isinstance(path_or_data, bytes):
        return hashlib.sha256(path_or_data).hexdigest()
    digest = hashlib.sha256()
    with open(path_or_data, "rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
