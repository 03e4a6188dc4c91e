"""gaiter check: certificates that do not fit the rules that use them."""

import pytest

from harness.cli.command import run
from harness.lib.keyrings import write_keyring
from harness.lib.pki import issue

pytestmark = pytest.mark.tls_only


@pytest.fixture
def check(tmp_path, policy):
    """check(identities, text) checks text as 6379.conf with a keyring of these identities; gives
    the exit code and what was found."""
    count = iter(range(9))

    def checked(identities, text):
        ca = issue("ca", ca=True)
        keyring = tmp_path / f"keyring{next(count)}"
        write_keyring(keyring, identities, {"ca": ca})
        result = run("check", policy(_6379=text), "--keyring", keyring)
        return result.code, [line for line in result.out.splitlines()
                             if not line.endswith(" good")]
    return checked


BOTH = "inbound = {\n  certificate = \"web\";\n};\noutbound = { };\n"


def test_a_certificate_that_fits(check):
    assert check({"web": issue("web", names=["web.example"])}, BOTH) == (0, [])


def test_a_certificate_without_names(check):
    code, [line] = check({"web": issue("web")}, BOTH)
    assert code == 1 and "6379.conf:2: " in line and "subjectAltName" in line


def test_a_certificate_for_clients_only(check):
    code, [line] = check({"web": issue("web", names=["web.example"], server=False)}, BOTH)
    assert code == 1 and "6379.conf:2: " in line and "serverAuth" in line


def test_a_client_certificate_for_servers_only(check):
    identities = {"web": issue("web", names=["web.example"]),
                  "batch": issue("batch", names=["batch.example"], client=False)}
    code, [line] = check(identities, 'inbound = { };\noutbound = {\n  certificate = "batch";\n};\n')
    assert code == 1 and "6379.conf:3: " in line and "clientAuth" in line


def test_a_name_that_the_servers_certificate_has_not(check):
    text = 'inbound = { };\noutbound = {\n  server_name = "%s";\n};\n'
    identities = {"web": issue("web", names=["web.example", "*.api.example", "127.0.0.1"])}
    code, [line] = check(identities, text % "db.example")
    assert code == 1 and "6379.conf:3: " in line and '"db.example"' in line
    for name in ("web.example", "a.api.example", "127.0.0.1"):
        assert check(identities, text % name) == (0, [])


def test_a_name_of_sni_that_its_certificate_has_not(check):
    identities = {"web": issue("web", names=["web.example", "*.api.example"])}
    text = ('inbound = {\n  sni = {\n    "%s" = "web";\n  };\n};\noutbound = { };\n')
    for name in ("web.example", "*.api.example", "a.api.example", "*.example"):
        assert check(identities, text % name) == (0, []), name
    for name in ("shop.example", "*.shop.example"):
        code, [line] = check(identities, text % name)
        assert code == 1 and "6379.conf:2: " in line and f'"{name}"' in line


def test_a_label_of_sni_that_is_not_there(check):
    identities = {"web": issue("web", names=["web.example"])}
    code, [line] = check(identities, 'inbound = {\n  sni = { "web.example" = "wbe"; };\n};\n'
                                     'outbound = { };\n')
    assert code == 2 and "6379.conf:2: " in line and "wbe" in line and "web" in line


def test_a_key_that_does_not_fit(check, tmp_path):
    web = issue("web", names=["web.example"])
    web.key_pem = issue("other").key_pem
    code, [line] = check({"web": web}, BOTH)
    assert code == 2 and "6379.conf:2: " in line and "key" in line


def test_an_expired_intermediate(check):
    root = issue("root", ca=True)
    above = issue("above", issuer=root, ca=True, days=(-9, -2))
    code, [line] = check({"web": issue("web", issuer=above, names=["web.example"])}, BOTH)
    assert code == 1 and "CN=above" in line and "expired on" in line
