"""Exim: a child for each submission, which delivers by further programs: itself, setuid root."""


SESSION = """
import smtplib, sys
with smtplib.SMTP("localhost", int(sys.argv[1]), timeout=20) as smtp:
    for number in range(3):
        smtp.sendmail("a@here.test", ["b@here.test"],
                      f"Subject: {number}\\r\\n\\r\\n" + (sys.argv[2] + "\\r\\n") * 5000)
"""


def test_submitted_messages_are_delivered(serve, reach, client, ports, place, folder, write,
                                          secret, await_delivery, server_side):
    port = ports.free()
    server_side.policy.configuration('trusted_children = [ "exim4" ];\n')
    folder("spool", "Debian-exim")
    folder("mail", "Debian-exim")
    conf = write("exim.conf", f"""
primary_hostname = here.test
spool_directory = {place}/spool
log_file_path = {place}/spool/%slog
pid_file_path = {place}/spool/pid
local_interfaces = <; [127.0.0.1]:{port}
daemon_smtp_ports = {port}
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
tls_advertise_hosts =
acl_smtp_rcpt = accept
begin acl
accept:
  accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {place}/mail/box
  user = Debian-exim
""")
    serve(port, "exim4", "-bdf", "-q1h", "-C", conf)
    wire = reach(port, secret, "MAIL FROM:", "250 OK id=")
    client("/usr/bin/python3", "-I", "-c", SESSION, wire.port, secret)
    await_delivery()
    wire.prove(connections=1)
