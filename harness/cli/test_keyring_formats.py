"""gaiter keyring import and export against openssl, certtool (GnuTLS), keytool (Java) and NSS: what
they write we read, what we write they read."""

import re
import shutil

import pytest

from harness.cli.keyring_fixture import Keyring, openssl, tool
from harness.lib import gaiter
from harness.lib.pki import issue

pytestmark = pytest.mark.tls_only

PASSPHRASE = "correct horse battery"


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(PASSPHRASE + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def family(tmp_path):
    """A root, an intermediate and a leaf: as objects, and as files in `place`."""
    class Family:
        place = tmp_path
        root = issue("Round Root", ca=True)
        middle = issue("Round Middle", root, ca=True)
        leaf = issue("round.internal", middle, ["round.internal"], kind="rsa")

    for name in ("root", "middle", "leaf"):
        identity = getattr(Family, name)
        (tmp_path / f"{name}.pem").write_bytes(identity.certificate_pem)
        (tmp_path / f"{name}.key").write_bytes(identity.key_pem)
    (tmp_path / "chain.pem").write_bytes(Family.leaf.chain_pem)
    return Family


def public_key(*words):
    return openssl("pkey", "-pubout", "-in", *words)


def is_whole(keyring, family, label="web"):
    """The entry is the family's leaf, with its chain and its key."""
    entry = keyring.entries()[label]
    assert entry["usage"] == "personal" and entry["private_key"]
    assert entry["subject"] == "CN=round.internal"
    assert "CN=Round Middle" in entry["chain"]
    assert public_key(keyring.key(label)) == public_key(family.place / "leaf.key")
    assert keyring.key(label).stat().st_mode & 0o777 == 0o600


# ---- openssl ----

KEY_FORMATS = {
    "pkcs8": ("pkcs8", "-topk8", "-nocrypt"),
    "pkcs8-der": ("pkcs8", "-topk8", "-nocrypt", "-outform", "DER"),
    "pkcs1": ("rsa", "-traditional"),
    "pkcs8-encrypted": ("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout"),
    "pkcs8-encrypted-der": ("pkcs8", "-topk8", "-outform", "DER", "-passout"),
    "pkcs8-scrypt": ("pkcs8", "-topk8", "-scrypt", "-passout"),
    "pkcs8-3des": ("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout"),
    "traditional-encrypted": ("rsa", "-traditional", "-aes128", "-passout"),
}


@pytest.mark.parametrize("form", KEY_FORMATS)
def test_import_reads_a_key_of_openssl(keyring, family, secret, form):
    words = KEY_FORMATS[form]
    encrypted = words[-1] == "-passout"
    key = family.place / "key"
    openssl(*words, *([f"file:{secret}"] if encrypted else []), "-in", family.place / "leaf.key",
            "-out", key)
    files = (family.place / "chain.pem", key)
    if encrypted:
        keyring("import", "web", *files).refused("key", "passphrase")
    keyring.good("import", "web", *files, *(["--passphrase-file", secret] if encrypted else []))
    is_whole(keyring, family)


def test_import_reads_sec1_and_certificates_in_der(keyring, tmp_path):
    leaf = issue("ec.internal", names=["ec.internal"])
    (tmp_path / "leaf.pem").write_bytes(leaf.certificate_pem)
    (tmp_path / "leaf.key").write_bytes(leaf.key_pem)
    openssl("ec", "-in", tmp_path / "leaf.key", "-out", tmp_path / "sec1.pem")
    openssl("x509", "-in", tmp_path / "leaf.pem", "-outform", "DER", "-out", tmp_path / "leaf.der")
    keyring.good("import", "web", tmp_path / "sec1.pem", tmp_path / "leaf.der")
    assert keyring.entries()["web"]["key_type"] == "EC P-256"


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_import_reads_pkcs7(keyring, family, form):
    message = family.place / "chain.p7b"
    openssl("crl2pkcs7", "-nocrl", "-certfile", family.place / "chain.pem", "-outform", form,
            "-out", message)
    keyring.good("import", "web", message, family.place / "leaf.key")
    is_whole(keyring, family)


def make_pkcs12(family, secret, *words):
    file = family.place / "openssl.p12"
    openssl("pkcs12", "-export", "-in", family.place / "leaf.pem", "-inkey",
            family.place / "leaf.key", "-certfile", family.place / "middle.pem", "-name", "Round",
            "-passout", f"file:{secret}", "-out", file, *words)
    return file


@pytest.mark.parametrize("words", [(), ("-nomac",), ("-certpbe", "NONE"), ("-keypbe", "NONE"),
                                   ("-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES")],
                         ids=["usual", "without-mac", "clear-certificates", "clear-key", "3des"])
def test_import_reads_pkcs12_of_openssl(keyring, family, secret, words):
    file = make_pkcs12(family, secret, *words)
    keyring.good("import", "web", file, "--passphrase-file", secret)
    is_whole(keyring, family)


@pytest.mark.parametrize("words", [
    (), ("-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
    ("-certpbe", "NONE", "-keypbe", "NONE", "-nomac"), ("-certpbe", "NONE", "-keypbe", "NONE"),
    ("-nomac",), ("-nomac", "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES"),
], ids=["usual", "3des", "nothing-encrypted", "mac-alone", "without-mac", "3des-without-mac"])
def test_import_reads_pkcs12_with_an_empty_passphrase(keyring, family, words):
    file = family.place / "empty.p12"
    openssl("pkcs12", "-export", "-in", family.place / "leaf.pem", "-inkey",
            family.place / "leaf.key", "-certfile", family.place / "middle.pem", "-passout",
            "pass:", "-out", file, *words)
    keyring.good("import", "web", file)
    is_whole(keyring, family)


@pytest.mark.parametrize("words", [(), ("--pkcs-cipher", "3des-pkcs12")], ids=["aes", "3des"])
def test_import_reads_pkcs12_with_no_passphrase(keyring, family, words):
    file = family.place / "null.p12"
    tool("certtool", "--to-p12", "--load-privkey", family.place / "leaf.key", "--load-certificate",
         family.place / "chain.pem", "--null-password", "--p12-name", "web", "--outder",
         "--outfile", file, *words)
    keyring.good("import", "web", file)
    is_whole(keyring, family)


def test_an_outdated_cipher_is_called_so(keyring, family, secret):
    file = family.place / "rc2.p12"
    openssl("pkcs12", "-export", "-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe",
            "PBE-SHA1-3DES", "-in", family.place / "leaf.pem", "-inkey", family.place / "leaf.key",
            "-passout", f"file:{secret}", "-out", file)
    keyring("import", "web", file, "--passphrase-file", secret).refused(
        str(file), "cipher is outdated", "-legacy")


def test_pem_files_as_people_have_them(keyring, family, tmp_path):
    """A file that other programs read, too: stunnel's, nginx's, what s_client shows."""
    key, chain = ((family.place / name).read_text() for name in ("leaf.key", "chain.pem"))
    parameters = openssl("dhparam", "-dsaparam", "512")
    curve = openssl("ecparam", "-name", "prime256v1")
    public = openssl("pkey", "-in", family.place / "leaf.key", "-pubout")
    file = tmp_path / "stunnel.pem"
    file.write_text("0 s:CN = round.internal\n   i:CN = middle\n"
                    "# below: -----BEGIN PRIVATE KEY----- and what belongs to it, f\u00fcr alle\n"
                    + curve + key + "\nBag Attributes\n    friendlyName: x\n" + chain + parameters
                    + public + "#-----BEGIN CERTIFICATE-----\n#MAA=\n# the end")
    said = keyring.good("import", "web", file).err
    for kind in ("(X9.42 )?DH PARAMETERS", "EC PARAMETERS", "PUBLIC KEY"):
        assert re.search(f"skipped in {file}: {kind}", said), said
    is_whole(keyring, family)


def test_trusted_certificates_of_openssl(keyring, family, tmp_path):
    file = tmp_path / "trusted.pem"
    openssl("x509", "-in", family.place / "root.pem", "-trustout", "-addtrust", "serverAuth",
            "-out", file)
    assert "TRUSTED CERTIFICATE" in file.read_text()
    assert "skipped" in keyring.good("import", "root", file).err
    openssl("x509", "-in", family.place / "root.pem", "-trustout", "-addreject", "serverAuth",
            "-out", file)
    keyring("import", "other", file).refused(str(file), "not to be trusted")
    crl = family.place / "root.pem"
    file.write_text(crl.read_text().replace("CERTIFICATE", "X509 CRL"))
    keyring("import", "other", file).refused(str(file), "X509 CRL")


def test_import_takes_a_passphrase_from_a_descriptor(keyring, family, secret):
    file = make_pkcs12(family, secret)
    with open(secret, encoding="ascii") as passphrase:
        tool(gaiter.COMMAND, "keyring", "--keyring", keyring.path, "import", "web", file,
             "--passphrase-fd", passphrase.fileno(), pass_fds=[passphrase.fileno()])
    is_whole(keyring, family)


def test_a_wrong_passphrase_is_told_from_a_missing_one(keyring, family, secret, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("sesame")
    file = make_pkcs12(family, secret)
    keyring("import", "web", file).refused(str(file), "encrypted", "--passphrase-file")
    keyring("import", "web", file, "--passphrase-file", wrong).refused(
        str(file), "another passphrase")
    assert keyring.entries() == {}


def exported(keyring, family, *words):
    keyring.good("import", "web", family.place / "chain.pem", family.place / "leaf.key")
    out = family.place / "out"
    keyring.good("export", "web", "--out", out, *words)
    return out


def test_openssl_reads_what_export_writes(keyring, family, secret):
    out = exported(keyring, family, "--private-key")
    assert out.stat().st_mode & 0o777 == 0o600
    assert public_key(out) == public_key(family.place / "leaf.key")
    keyring.good("export", "web", "--out", out, "--private-key", "--replace", "--passphrase-file",
                 secret)
    assert "ENCRYPTED" in out.read_text()
    assert public_key(out, "-passin", f"file:{secret}") == public_key(family.place / "leaf.key")
    keyring.good("export", "web", "--out", out, "--format", "der", "--replace")
    assert "round.internal" in openssl("x509", "-inform", "DER", "-in", out, "-noout", "-subject")
    chain = keyring.good("export", "web").out
    (family.place / "chain").write_text(chain)
    assert chain.count("BEGIN CERTIFICATE") == 2 and "PRIVATE" not in chain
    openssl("verify", "-CAfile", family.place / "root.pem", "-untrusted", family.place / "chain",
            family.place / "chain")


def test_openssl_reads_pkcs12_of_export(keyring, family, secret):
    out = exported(keyring, family, "--pkcs12", "--private-key", "--passphrase-file", secret)
    text = openssl("pkcs12", "-in", out, "-passin", f"file:{secret}", "-nodes")
    assert text.count("BEGIN CERTIFICATE") == 2 and "BEGIN PRIVATE KEY" in text
    assert "friendlyName: web" in text


# ---- certtool ----

@needs("certtool")
def test_certtool_both_ways(keyring, family, secret):
    file = family.place / "gnutls.p12"
    tool("certtool", "--to-p12", "--load-privkey", family.place / "leaf.key", "--load-certificate",
         family.place / "chain.pem", "--p12-name", "round", "--password", PASSPHRASE, "--outder",
         "--outfile", file)
    keyring.good("import", "gnutls", file, "--passphrase-file", secret)
    is_whole(keyring, family, "gnutls")
    out = exported(keyring, family, "--pkcs12", "--private-key", "--passphrase-file", secret)
    text = tool("certtool", "--p12-info", "--inder", "--infile", out, "--password", PASSPHRASE)
    assert text.count("BEGIN CERTIFICATE") == 2 and "PRIVATE KEY" in text
    keyring.good("export", "web", "--out", out, "--private-key", "--replace")
    assert "round.internal" in tool("certtool", "--certificate-info", "--infile", out)


# ---- Java ----

@needs("keytool")
def test_keytool_both_ways(keyring, family, secret):
    store = family.place / "java.p12"
    tool("keytool", "-genkeypair", "-keystore", store, "-storetype", "PKCS12", "-storepass",
         PASSPHRASE, "-alias", "one", "-keyalg", "EC", "-groupname", "secp256r1", "-dname",
         "CN=java one", "-ext", "san=dns:java.internal")
    keyring.good("import", "java", store, "--passphrase-file", secret)
    assert keyring.entries()["java"]["subject"] == "CN=java one"
    # A second key: which one is meant has to be said.
    tool("keytool", "-genkeypair", "-keystore", store, "-storepass", PASSPHRASE, "-alias", "two",
         "-keyalg", "RSA", "-dname", "CN=java two")
    keyring("import", "both", store, "--passphrase-file", secret).refused('"one"', '"two"',
                                                                          "--item")
    keyring.good("import", "two", store, "--item", "two", "--passphrase-file", secret)
    assert keyring.entries()["two"]["subject"] == "CN=java two"
    keyring("import", "three", store, "--item", "three", "--passphrase-file", secret).refused(
        '"three"', '"one"')

    out = exported(keyring, family, "--pkcs12", "--private-key", "--passphrase-file", secret)
    listed = tool("keytool", "-list", "-v", "-keystore", out, "-storepass", PASSPHRASE)
    assert "PrivateKeyEntry" in listed and "Certificate chain length: 2" in listed
    assert "round.internal" in listed


# ---- NSS ----

@needs("pk12util")
def test_nss_both_ways(keyring, family, secret):
    database = family.place / "nss"
    database.mkdir()
    tool("certutil", "-N", "-d", database, "--empty-password")
    out = exported(keyring, family, "--pkcs12", "--private-key", "--passphrase-file", secret)
    tool("pk12util", "-i", out, "-d", database, "-w", secret)
    assert "web" in tool("certutil", "-L", "-d", database)
    back = family.place / "nss.p12"
    tool("pk12util", "-o", back, "-n", "web", "-d", database, "-w", secret)
    keyring.good("import", "nss", back, "--passphrase-file", secret)
    is_whole(keyring, family, "nss")


# ---- what export refuses ----

def test_a_key_goes_nowhere_but_into_a_file_of_ones_own(keyring, family):
    keyring.good("import", "web", family.place / "chain.pem", family.place / "leaf.key")
    keyring.good("import", "root", family.place / "root.pem")
    refused = keyring("export", "web", "--private-key")
    refused.refused("--out", "0600")
    assert refused.out == ""
    out = family.place / "out"
    keyring("export", "web", "--private-key", "--format", "der", "--out", out).refused("DER")
    keyring("export", "root", "--private-key", "--out", out).refused("no private key")
    assert not out.exists()
    out.write_text("precious")
    keyring("export", "web", "--out", out).refused(str(out), "--replace")
    assert out.read_text() == "precious"
    keyring("export", "nosuch").refused("nosuch", "web", code=1)


def test_a_pkcs12_file_is_a_keyring(keyring, family, secret, tmp_path):
    file = make_pkcs12(family, secret)
    file.chmod(0o600)
    out = Keyring(file)
    assert "--passphrase-file" in out("list").err
    with_empty = tmp_path / "empty.p12"
    openssl("pkcs12", "-export", "-in", family.place / "leaf.pem", "-inkey",
            family.place / "leaf.key", "-name", "Round", "-passout", "pass:", "-out", with_empty)
    with_empty.chmod(0o600)
    other = Keyring(with_empty)
    assert set(other.entries()) == {"Round"}
    assert "round.internal" in other.good("show", "Round").out
    other("default", "Round").refused("read only")
    other("import", "x", family.place / "root.pem").refused("read only")
    Keyring("pkcs11:token=x")("list").refused("PKCS#11")
