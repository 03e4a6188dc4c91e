"""gaiter keyring import of hundreds of files, each wrong in its own way: each gets one line that
says so and exit code 2, or is harmless; none gets further, none ends in a signal."""

import datetime
import os
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from cryptography.x509.oid import NameOID

from harness.lib.pki import issue

pytestmark = pytest.mark.tls_only

SEED = int(os.environ.get("MALFORMED_SEED", random.randrange(1 << 32)))


@pytest.fixture
def keyring(keyring, tmp_path):
    keyring.good("import", "old", write(tmp_path, "old.pem", issue("old", names=["old"]).pem))
    return keyring


def write(place, name, content):
    file = place / name
    file.write_bytes(content)
    return file


def refused(keyring, place, name, content):
    """One line on standard error that names the file, exit code 2, and the keyring as it was."""
    file = write(place, name, content)
    result = keyring("import", "new", file)
    assert result.code == 2, (SEED, name, result.code, result.out, result.err)
    result.refused(str(file))
    assert len(result.err) < 2000, (SEED, name)


def survived(keyring, place, name, content):
    """As refused(), or the file was good enough after all."""
    result = keyring("import", "new", write(place, name, content), "--replace")
    assert result.code in (0, 2), (SEED, name, result.code, result.err)
    if result.code == 2:
        result.refused()
    else:
        assert result.err == "", (SEED, name)


def still_whole(keyring):
    assert keyring.entries()["old"]["subject"] == "CN=old"
    assert not [name for name in os.listdir(keyring.path) if name.startswith(".tmp")]


def samples():
    """Good files in every format, in DER and PEM."""
    identity = issue("sample", names=["sample.internal"])
    der = serialization.Encoding.DER
    encrypted = serialization.BestAvailableEncryption(b"x")
    found = {
        "certificate.der": identity.certificate.public_bytes(der),
        "certificate.pem": identity.certificate_pem,
        "both.pem": identity.pem,
        "sec1.der": identity.key.private_bytes(
            der, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()),
        "pkcs8.der": identity.key.private_bytes(
            der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        "pkcs8.pem": identity.key_pem,
        "pkcs7.der": pkcs7.serialize_certificates([identity.certificate], der),
        "pkcs7.pem": pkcs7.serialize_certificates([identity.certificate],
                                                  serialization.Encoding.PEM),
        "encrypted.der": identity.key.private_bytes(
            der, serialization.PrivateFormat.PKCS8, encrypted),
        "pkcs12": pkcs12.serialize_key_and_certificates(
            b"sample", identity.key, identity.certificate, None, encrypted),
        "clear-pkcs12": pkcs12.serialize_key_and_certificates(
            b"sample", identity.key, identity.certificate, None, serialization.NoEncryption()),
    }
    return found


def test_truncated_files_are_refused(keyring, tmp_path):
    print("seed", SEED)
    chance = random.Random(SEED)
    for name, content in samples().items():
        # The last line end of PEM may be missing.
        ends = chance.sample(range(1, len(content) - 40), 9) + [0]
        for end in ends:
            refused(keyring, tmp_path, f"{end}-of-{name}", content[:end])
    still_whole(keyring)


def test_changed_bytes_do_no_harm(keyring, tmp_path):
    print("seed", SEED)
    chance = random.Random(SEED + 1)
    for name, content in samples().items():
        for turn in range(6):
            changed = bytearray(content)
            for _ in range(chance.choice((1, 1, 3, 30))):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            if turn == 5:  # two parts swapped
                middle = chance.randrange(1, len(content))
                changed = bytearray(content[middle:] + content[:middle])
            survived(keyring, tmp_path, f"{turn}-{name}", bytes(changed))
    still_whole(keyring)


def test_wrong_lengths_do_no_harm(keyring, tmp_path):
    """DER whose lengths lie: short, long, indefinite, of 127 bytes, negative to some."""
    for name, content in samples().items():
        if name.endswith(".pem"):
            continue
        for length in (b"\x00", b"\x80", b"\x84\xff\xff\xff\xff", b"\xff", b"\x84\x7f\xff\xff\xff"):
            refused(keyring, tmp_path, f"length-{length.hex()}-{name}",
                    content[:1] + length + content[2:])
    still_whole(keyring)


def test_what_is_no_certificate_is_refused(keyring, tmp_path):
    identity = issue("sample", names=["sample.internal"])
    pem = identity.certificate_pem
    other = issue("other").certificate_pem
    cases = {
        "empty": b"",
        "newline": b"\n",
        "zeros": bytes(1000),
        "text": b"certificate\n" * 10,
        "html": b"<html><body>404</body></html>",
        "huge": b"A" * (2 << 20),
        "nested-sequences": b"\x30\x80" * 50_000,
        "long-sequence": b"\x30\x83\x0f\xff\xff" + bytes(1000),
        "utf16": pem.decode().encode("utf-16"),
        "utf16-be": b"\xfe\xff" + pem.decode().encode("utf-16-be"),
        "utf32": pem.decode().encode("utf-32"),
        "no-end": pem.replace(b"-----END CERTIFICATE-----", b""),
        "other-end": pem.replace(b"END CERTIFICATE", b"END PRIVATE KEY"),
        "dashes": pem.replace(b"-----BEGIN", b"----BEGIN"),
        "not-base64": pem.replace(b"\n", b"\n!!!!", 2),
        "public-key": identity.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "key-alone": identity.key_pem,
        "two-keys": identity.pem + issue("second").key_pem,
        "key-of-another": identity.key_pem + other,
        "crl-mark": pem.replace(b"CERTIFICATE", b"X509 CRL"),
        "request-mark": pem.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"),
        "pkcs7-mark": pem.replace(b"CERTIFICATE", b"PKCS7"),
        "key-mark": pem.replace(b"CERTIFICATE", b"PRIVATE KEY"),
        "encrypted-mark": pem.replace(b"CERTIFICATE", b"ENCRYPTED PRIVATE KEY"),
        "odd-header": pem + identity.key_pem.replace(
            b"-----\n", b"-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ROT13,00\n\n", 1),
        "half-second": pem + pem[:200],
        "der-and-more": identity.certificate.public_bytes(serialization.Encoding.DER) + b"more",
        "pem-in-pem": pem.replace(b"\n", b"\n" + pem, 1),
    }
    for name, content in cases.items():
        refused(keyring, tmp_path, name, content)
    still_whole(keyring)


# ---- certificates that are well signed, and wrong ----

def der(tag, content):
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def sequence(*parts):
    return der(0x30, b"".join(parts))


def signed(tbs, key):
    """A certificate of these inner bytes: the signature is good."""
    algorithm = sequence(bytes.fromhex("06082a8648ce3d040302"))  # ecdsa-with-SHA256
    signature = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    return sequence(tbs, algorithm, der(3, b"\0" + signature))


def name_of(common_name, tag=0x0C):
    return sequence(der(0x31, sequence(bytes.fromhex("0603550403"), der(tag, common_name))))


def extension(oid, value, critical=False):
    return sequence(bytes.fromhex(oid), *([b"\x01\x01\xff"] if critical else []), der(4, value))


SUBJECT_ALT_NAME = "0603551d11"
BASIC_CONSTRAINTS = "0603551d13"
KEY_USAGE = "0603551d0f"


def certificate(serial=b"\x01", subject=name_of(b"odd"), dates=(b"250101000000Z", b"450101000000Z"),
                extensions=(extension(SUBJECT_ALT_NAME, sequence(der(0x82, b"odd.internal"))),),
                spki=None, version=b"\x02", tags=(0x17, 0x17)):
    key = ec.generate_private_key(ec.SECP256R1())
    spki = spki or key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    tbs = sequence(
        der(0xA0, der(2, version)), der(2, serial), sequence(bytes.fromhex("06082a8648ce3d040302")),
        name_of(b"odd"), sequence(der(tags[0], dates[0]), der(tags[1], dates[1])), subject, spki,
        *([der(0xA3, sequence(*extensions))] if extensions else []))
    return signed(tbs, key)


def alternative(*names):
    return {"extensions": [extension(SUBJECT_ALT_NAME, sequence(*names))]}


def test_the_odd_certificates_are_odd_in_one_way_only(keyring, tmp_path):
    keyring.good("import", "new", write(tmp_path, "good.der", certificate()))


ODD = {
    "negative-serial": {"serial": b"\xff"},
    "very-negative-serial": {"serial": b"\x80" + bytes(19)},
    "empty-serial": {"serial": b""},
    "nul-in-common-name": {"subject": name_of(b"good.example\0.evil.example")},
    "nul-in-printable-name": {"subject": name_of(b"a\0b", tag=0x13)},
    "nul-in-dns-name": alternative(der(0x82, b"good.example\0.evil.example")),
    "nul-in-uri": alternative(der(0x86, b"spiffe://a\0b")),
    "nul-in-email": alternative(der(0x81, b"a\0@b")),
    "newline-in-dns-name": alternative(der(0x82, b"a\nb")),
    "latin1-in-dns-name": alternative(der(0x82, b"m\xfcller.example")),
    "not-utf8-name": {"subject": name_of(b"\xff\xfe\xfd")},
    "odd-bmp-name": {"subject": name_of(b"\0a\0", tag=0x1E)},
    "address-of-five-bytes": alternative(der(0x87, b"12345")),
    "alt-name-is-no-sequence": {"extensions": [extension(SUBJECT_ALT_NAME, b"\x04\x01a")]},
    "alt-name-is-cut": {"extensions": [extension(SUBJECT_ALT_NAME, b"\x30\x20\x82\x01a")]},
    "alt-name-is-empty": {"extensions": [extension(SUBJECT_ALT_NAME, b"")]},
    "two-alt-names": {"extensions": [
        extension(SUBJECT_ALT_NAME, sequence(der(0x82, b"a.example"))),
        extension(SUBJECT_ALT_NAME, sequence(der(0x82, b"b.example")))]},
    "constraints-are-a-string": {"extensions": [extension(BASIC_CONSTRAINTS, b"\x0c\x01a", True)]},
    "usage-is-a-number": {"extensions": [extension(KEY_USAGE, b"\x02\x01\x05", True)]},
    "thousands-of-names": alternative(*(der(0x82, b"%06d.example" % i) for i in range(8000))),
    "name-of-60000": alternative(der(0x82, b"a" * 70_000)),
    "end-before-beginning": {"dates": (b"450101000000Z", b"250101000000Z")},
    "no-date": {"dates": (b"tomorrow", b"450101000000Z")},
    "month-13": {"dates": (b"251301000000Z", b"450101000000Z")},
    "empty-date": {"dates": (b"", b"")},
    "generalized-nonsense": {"dates": (b"250101000000Z", b"99999999999999Z"), "tags": (0x17, 0x18)},
    "unknown-key": {"spki": sequence(sequence(bytes.fromhex("06032a0304")), der(3, b"\0key"))},
    "point-not-on-the-curve": {"spki": sequence(
        sequence(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a8648ce3d030107")),
        der(3, b"\0\x04" + b"\1" * 64))},
    "key-without-bits": {"spki": sequence(
        sequence(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a8648ce3d030107")),
        der(3, b""))},
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_certificate_is_refused(keyring, tmp_path, case):
    refused(keyring, tmp_path, case + ".der", certificate(**ODD[case]))
    still_whole(keyring)


def test_a_megabyte_of_names_is_refused(keyring, tmp_path):
    names = [der(0x82, b"%09d.example" % i) for i in range(45_000)]
    content = certificate(**alternative(*names))
    assert 800_000 < len(content) < 1 << 20
    refused(keyring, tmp_path, "names.der", content)
    refused(keyring, tmp_path, "more-names.der", certificate(**alternative(*names, *names)))


def chain_of(length):
    """PEM of a leaf with its key and length - 1 CAs above it."""
    now = datetime.datetime(2025, 1, 1)
    key, pem, above = ec.generate_private_key(ec.SECP256R1()), b"", None
    for number in range(length):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"link {number}")])
        one = (x509.CertificateBuilder().subject_name(name).issuer_name(above or name)
               .public_key(key.public_key()).serial_number(number + 1)
               .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9000))
               .add_extension(x509.BasicConstraints(number + 1 < length, None), critical=True)
               .sign(key, hashes.SHA256()))
        pem, above = one.public_bytes(serialization.Encoding.PEM) + pem, name
    return pem + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                   serialization.NoEncryption())


def test_a_deep_chain_is_refused_and_a_usual_one_is_not(keyring, tmp_path):
    keyring.good("import", "deep", write(tmp_path, "8.pem", chain_of(8)))
    refused(keyring, tmp_path, "200.pem", chain_of(200))


def oid(text):
    first, second, *rest = (int(part) for part in text.split("."))
    content = bytes([40 * first + second])
    for number in rest:
        digits = [number & 127]
        while number := number >> 7:
            digits.insert(0, 128 | number & 127)
        content += bytes(digits)
    return der(6, content)


HOURS = der(2, b"\x7f\xff\xff\xff")  # 2^31 - 1 iterations
NULL = b"\x05\x00"


def slow_key():
    """A PKCS#8 key whose key derivation takes hours (RFC 8018 A.4)."""
    derive = sequence(oid("1.2.840.113549.1.5.12"), sequence(
        der(4, b"saltsalt"), HOURS, sequence(oid("1.2.840.113549.2.9"), NULL)))
    encrypt = sequence(oid("2.16.840.1.101.3.4.1.42"), der(4, bytes(16)))
    return sequence(sequence(oid("1.2.840.113549.1.5.13"), sequence(derive, encrypt)),
                    der(4, bytes(48)))


def slow_pkcs12():
    """A PKCS#12 file of nothing, whose integrity takes hours to check (RFC 7292 4)."""
    content = sequence(oid("1.2.840.113549.1.7.1"), der(0xA0, der(4, sequence())))
    mac = sequence(sequence(oid("2.16.840.1.101.3.4.2.1"), NULL), der(4, bytes(32)))
    return sequence(der(2, b"\3"), content, sequence(mac, der(4, b"saltsalt"), HOURS))


@pytest.mark.parametrize("content", [slow_key(), slow_pkcs12()], ids=["PKCS#8", "PKCS#12"])
def test_a_passphrase_that_takes_hours_is_not_tried(keyring, tmp_path, content):
    secret = write(tmp_path, "secret", b"sesame\n")
    secret.chmod(0o600)
    file = write(tmp_path, "slow", content)
    keyring("import", "new", file, "--passphrase-file", secret).refused(str(file), "iterations")
    still_whole(keyring)
