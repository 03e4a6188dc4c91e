"""A site is trusted for itself alone, and who imports a CA's certificate as one is told so."""

import json
import subprocess

import pytest

from harness.cli.command import run

pytestmark = pytest.mark.tls_only

REMARK = "says that it is a CA (CA:TRUE), but as a site it is trusted for itself alone"


@pytest.fixture
def certificate(tmp_path):
    """certificate("TRUE") is what `openssl req -x509` makes."""
    def make(is_ca):
        file = tmp_path / f"{is_ca}.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", tmp_path / f"{is_ca}.key", "-out", file, "-subj", "/CN=peer.test",
             "-addext", "subjectAltName=DNS:peer.test", "-days", "90",
             "-addext", f"basicConstraints=critical,CA:{is_ca}"], check=True, capture_output=True)
        return file
    return make


@pytest.fixture
def keyring(tmp_path):
    return lambda *words: run("keyring", "--keyring", tmp_path / "keyring", *words)


def test_import_says_so(keyring, certificate):
    said = keyring("import", "partner", "--usage", "site", certificate("TRUE"))
    assert said.code == 0 and f"note: partner {REMARK}" in said.out
    said = keyring("import", "other", "--usage", "site", certificate("FALSE"))
    assert said.code == 0 and "note:" not in said.out


def test_audit_and_check_say_so(keyring, certificate, policy, tmp_path):
    keyring("import", "partner", "--usage", "site", certificate("TRUE"))
    audit = keyring("audit", "--json")
    assert audit.code == 1
    assert any(one["label"] == "partner" and one["message"].startswith(REMARK)
               for one in json.loads(audit.out)["findings"])
    checked = run("check", policy(_6379="outbound = { };\n"), "--keyring", tmp_path / "keyring")
    assert checked.code == 0, checked.err
    assert f'site "partner" {REMARK}' in checked.out


def test_a_site_is_no_ca_by_being_connected(keyring, certificate, tmp_path):
    keyring("import", "partner", "--usage", "site", certificate("TRUE"))
    other = ["keyring", "--keyring", tmp_path / "other"]
    assert run(*other, "create", "mine").code == 0
    words = [*other, "connect", "theirs", "--from", tmp_path / "keyring", "--entry", "partner"]
    refused = run(*words, "--usage", "ca")
    assert refused.code == 2 and "is a site there" in refused.err
    assert run(*words).code == 0
    # Nor by hand.
    conf = tmp_path / "other" / "theirs" / "entry.conf"
    conf.write_text(conf.read_text().replace("usage = site", "usage = ca"))
    listed = json.loads(run(*other, "list", "--json").out)
    assert [one["usage"] for one in listed if one["label"] == "theirs"] == ["site"]
