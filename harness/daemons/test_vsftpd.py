"""vsftpd in its one-process mode: the control connection, with and without its seccomp sandbox.
(Data connections have ports that no policy names.)"""

import pytest

SESSION = """
import ftplib, sys
ftp = ftplib.FTP()
ftp.connect("localhost", int(sys.argv[1]), timeout=20)
print(ftp.getwelcome())
print(ftp.login("anonymous", sys.argv[2]))
print(ftp.pwd())
ftp.cwd("inner")
print(ftp.pwd(), ftp.sendcmd("SYST"), ftp.sendcmd("TYPE I"), ftp.sendcmd("STAT"))
print(ftp.quit())
"""


@pytest.mark.parametrize("sandbox", ["NO", "YES"])
def test_a_session_without_data(serve, reach, client, ports, place, folder, write, secret, sandbox):
    port = ports.free()
    root = folder("root")
    write("root/inner/file", secret)
    conf = write("vsftpd.conf", f"""
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
local_enable=NO
one_process_model=YES
seccomp_sandbox={sandbox}
ftp_username=www-data
nopriv_user=nobody
anon_root={root}
secure_chroot_dir={folder("empty")}
ftpd_banner={secret}
xferlog_enable=NO
""")
    serve(port, "vsftpd", conf)
    wire = reach(port, secret, "230 Login successful", "USER anonymous")
    done = client("/usr/bin/python3", "-I", "-c", SESSION, wire.port, secret)
    assert f"220 {secret}" in done.text and "230 " in done.text and "221 " in done.text
    assert "/inner 215 " in done.text
    wire.prove(connections=1)
