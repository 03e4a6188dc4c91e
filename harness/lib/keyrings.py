"""Writing keyrings without Gaiter's own command (keyring/FORMAT.md), so that a test can also write
what the command would refuse."""

import os
import shutil


def _write(path, data, mode):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as out:
        os.fchmod(out.fileno(), mode)
        out.write(data)


def key_path(keyring, label):
    return os.path.join(keyring, label, "key.pem")


def write_entry(keyring, label, usage, identity, key_pem=None):
    """An entry of the keyring; `personal` ones have a key: the identity's, or `key_pem`."""
    entry = os.path.join(keyring, label)
    os.mkdir(entry, 0o755)
    _write(os.path.join(entry, "entry.conf"),
           f"usage = {usage}\ntrust = on\norigin = imported\n".encode(), 0o644)
    _write(os.path.join(entry, "certificate.pem"), identity.chain_pem, 0o644)
    if usage == "personal":
        _write(key_path(keyring, label), key_pem or identity.key_pem, 0o600)


def write_crl(keyring, label, pem):
    """CRLs in the entry of the CA that issued them."""
    _write(os.path.join(keyring, label, "crl.pem"), pem, 0o644)


def write_ocsp(keyring, label, der):
    """The OCSP response that is stapled to the entry's certificate."""
    _write(os.path.join(keyring, label, "ocsp.der"), der, 0o644)


def write_ticket_keys(path, *keys):
    """A file of ticket keys, each of 48 bytes, newest first."""
    lines = "".join(f"{key[:16].hex()} {key[16:].hex()} {1700000000 - i}\n"
                    for i, key in enumerate(keys))
    _write(path, lines.encode(), 0o600)


def write_keyring(path, identities, trusted, owner=None):
    """A keyring of `identities` (label -> pki.Identity; the first is the default) that trusts the
    CAs of `trusted`. It belongs to the user `owner`, or to the tests' own."""
    os.mkdir(path, 0o755)
    default = next(iter(identities), None)
    lines = "format = 1\n" + (f"default = {default}\n" if default else "")
    _write(os.path.join(path, "keyring.conf"), lines.encode(), 0o644)
    for label, identity in identities.items():
        write_entry(path, label, "personal", identity)
    for label, identity in trusted.items():
        write_entry(path, label, "ca", identity)
    if owner:
        for folder, _, files in os.walk(path):
            for name in [folder, *(os.path.join(folder, file) for file in files)]:
                shutil.chown(name, owner)
