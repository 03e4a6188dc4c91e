"""The policies and keyrings that the harness writes are what Gaiter's own command calls good."""

from harness.lib.gaiter import COMMAND


def test_gaiter_check_finds_nothing_wrong(side, pki, processes):
    one = side("one", {"server": pki.server, "rsa": pki.rsa_server, "chain": pki.chained_server},
               {"ca": pki.ca, "other-ca": pki.stranger_ca})
    one.inbound(6379, certificate="chain", client_auth="required", min_version="TLSv1.3",
                truncation="eof", handshake_timeout=1)
    one.outbound(6379, certificate="server", verify="chain")
    one.outbound(6380, server_name="localhost", tls="block")
    done = processes.run([COMMAND, "check", one.policy.path])
    assert "rror" not in done.text + done.errors, done.description


def test_gaiter_keyring_lists_the_entries(side, pki, processes):
    one = side("one", {"server": pki.server, "client": pki.client}, {"ca": pki.ca})
    done = processes.run([COMMAND, "keyring", "--keyring", one.keyring, "list"])
    for label in ("server", "client", "ca"):
        assert label in done.text, done.description
