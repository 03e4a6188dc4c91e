"""Dovecot: the login process, in a chroot and without privileges, passes each connection to
another process."""

import pytest

GREETING = """
import imaplib, sys
imap = imaplib.IMAP4("localhost", int(sys.argv[1]), timeout=20)
print(imap.welcome, imap.noop(), imap.capability())
try:
    imap.login("user", "not " + sys.argv[2])
except imaplib.IMAP4.error as refused:
    print("refused:", refused)
print(imap.logout())
"""

SESSION = """
import imaplib, sys
port, secret = int(sys.argv[1]), sys.argv[2]
imap = imaplib.IMAP4("localhost", port, timeout=20)
print(imap.login("user", secret))
message = ("Subject: x\\r\\n\\r\\n" + (secret + "\\r\\n") * 20000).encode()
print(imap.append("INBOX", None, None, message)[0])
print(imap.select("INBOX"))
_, parts = imap.fetch("1", "(BODY[])")
assert parts[0][1] == message, (len(parts[0][1]), len(message))
print(imap.logout())
"""


@pytest.fixture
def dovecot(serve, ports, place, folder, write, secret):
    def start(service_count, process_min):
        port = ports.free()
        folder("mail", "mail")
        conf = write("dovecot.conf", f"""
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = dovecot
default_login_user = dovenull
mail_location = maildir:{place}/mail
first_valid_uid = 8
passdb {{
  driver = static
  args = password={secret}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={place}/mail
}}
service imap-login {{
  chroot =
  service_count = {service_count}
  process_min_avail = {process_min}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")
        daemon = serve(port, "dovecot", "-F", "-c", conf)
        return daemon, port
    return start


PROCESSES = pytest.mark.parametrize("service_count,process_min", [(1, 0), (0, 1)],
                                    ids=["a login process each", "one login process"])


@PROCESSES
def test_the_login_process_in_its_sandbox_is_sealed(dovecot, reach, client, secret, service_count,
                                                    process_min):
    """Its listener came with exec; chroot, setuid and its limits follow before the first client."""
    _, port = dovecot(service_count, process_min)
    wire = reach(port, secret, "CAPABILITY", "Dovecot")
    done = client("/usr/bin/python3", "-I", "-c", GREETING, wire.port, secret)
    assert "refused:" in done.text and "BYE" in done.text
    wire.prove(connections=1)


@PROCESSES
def test_mail_goes_in_and_comes_out(dovecot, reach, client, secret, service_count, process_min):
    """The login process allows itself no other process (RLIMIT_NPROC) before it passes the
    connection on, which takes one."""
    _, port = dovecot(service_count, process_min)
    wire = reach(port, secret, "AUTHENTICATE", "BODY[]")
    done = client("/usr/bin/python3", "-I", "-c", SESSION, wire.port, secret)
    assert "BYE" in done.text
    wire.prove(connections=1)
