"""Postfix: services that get their listener with exec, in a chroot and without privileges, and
postscreen, which passes each connection that it has looked at to another process."""

import os
import pwd

import pytest

SESSION = """
import smtplib, sys
with smtplib.SMTP("localhost", int(sys.argv[1]), timeout=20) as smtp:
    for number in range(3):
        smtp.sendmail("a@here.test", ["b@here.test"],
                      f"Subject: {number}\\r\\n\\r\\n" + (sys.argv[2] + "\\r\\n") * 5000)
"""

MAIN = """
compatibility_level = 3.6
import_environment = LD_LIBRARY_PATH MAIL_CONFIG
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
queue_directory = {place}/queue
data_directory = {place}/data
mail_owner = {owner}
setgid_group = daemon
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = here.test
mydestination =
alias_maps =
local_recipient_maps =
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = here.test
virtual_mailbox_base = {place}/mail
virtual_mailbox_maps = static:box
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
postscreen_access_list =
postscreen_greet_action = enforce
postscreen_greet_wait = 1s
postscreen_cache_map =
"""

MASTER = """
{port} inet n - y - {front}
smtpd pass - - y - - smtpd
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - y - - trivial-rewrite
bounce unix - - y - 0 bounce
defer unix - - y - 0 bounce
trace unix - - y - 0 bounce
error unix - - y - - error
retry unix - - y - - error
virtual unix - n n - - virtual
anvil unix - - y - 1 anvil
dnsblog unix - - y - 0 dnsblog
postlog unix-dgram n - n - 1 postlogd
"""

OWNER = "mail"  # of the queue; postfix's own user comes with the package, which is not installed


@pytest.fixture
def postfix(serve, ports, place, folder, write, unpacked):
    """postfix(front) starts Postfix with this service on its port, and gives the port."""
    def start(front):
        root = unpacked("postfix")
        port = ports.free()
        user = pwd.getpwnam(OWNER)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                     "incoming", "maildrop", "private", "public", "saved", "trace"):
            folder("queue/" + name, OWNER)
        os.mkdir(place + "/queue/pid")
        folder("data", OWNER)
        folder("mail", OWNER)
        write("etc/main.cf", MAIN.format(root=root, place=place, owner=OWNER, uid=user.pw_uid,
                                         gid=user.pw_gid))
        write("etc/master.cf", MASTER.format(port=port, front=front))
        serve(port, root + "/usr/lib/postfix/sbin/master", "-d", "-c", place + "/etc",
              environment={"LD_LIBRARY_PATH": root + "/usr/lib/postfix"})
        return port
    return start


@pytest.mark.parametrize("front", ["- smtpd", "1 postscreen"], ids=["smtpd", "postscreen"])
def test_submitted_messages_are_delivered(postfix, reach, client, secret, front, await_delivery):
    wire = reach(postfix(front), secret, "MAIL FROM:", "250 2.0.0 Ok: queued")
    client("/usr/bin/python3", "-I", "-c", SESSION, wire.port, secret)
    await_delivery()
    wire.prove(connections=1)
