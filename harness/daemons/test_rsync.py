"""rsync's daemon: a child for each connection, with a select loop and a pipe of its own."""

from harness.lib.bulk import checksum, make_file


def test_files_go_up_and_come_down(serve, reach, client, place, ports, folder, write):
    port = ports.free()
    data = make_file(folder("up") + "/file", 5 << 20)
    folder("stored")
    folder("down")
    conf = write("rsyncd.conf", f"""
address = 127.0.0.1
use chroot = no
uid = root
gid = root
pid file = {place}/rsyncd.pid
lock file = {place}/rsyncd.lock
log file = {place}/rsyncd.log
[stored]
path = {place}/stored
read only = no
""")
    serve(port, "rsync", "--daemon", "--no-detach", "--config", conf, "--port", port)
    wire = reach(port, data, "@RSYNCD: ")
    url = f"rsync://localhost:{wire.port}/stored/"
    client("rsync", "-a", "--whole-file", place + "/up/", url)
    client("rsync", "-a", url, place + "/down/")
    assert checksum(place + "/down/file") == checksum(data)
    unchanged = client("rsync", "-a", "--checksum", "--stats", place + "/up/", url)
    assert "Number of regular files transferred: 0" in unchanged.text
    wire.prove(connections=3)


def test_chroot_before_the_first_byte_of_a_module(serve, reach, client, place, ports, folder,
                                                  write):
    port = ports.free()
    data = make_file(folder("stored") + "/file", 1 << 20)
    folder("down")
    conf = write("rsyncd.conf", f"address = 127.0.0.1\nuse chroot = yes\nuid = nobody\n"
                 f"gid = nogroup\npid file = {place}/rsyncd.pid\nlog file = {place}/rsyncd.log\n"
                 f"[stored]\npath = {place}/stored\n")
    serve(port, "rsync", "--daemon", "--no-detach", "--config", conf, "--port", port)
    wire = reach(port, data)
    client("rsync", "-a", f"rsync://localhost:{wire.port}/stored/", place + "/down/")
    assert checksum(place + "/down/file") == checksum(data)
    wire.prove(connections=1)
