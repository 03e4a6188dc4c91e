"""OpenLDAP: threads behind one epoll loop; entries are added and searched by its own tools."""

import pytest

ENTRIES = """dn: dc=test
objectClass: dcObject
objectClass: organization
dc: test
o: test

"""


@pytest.fixture
def slapd(serve, ports, place, folder, write):
    port = ports.free()
    conf = write("slapd.conf", f"""
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {place}/slapd.pid
sizelimit unlimited
database mdb
directory {folder("data")}
suffix dc=test
rootdn cn=root,dc=test
rootpw secret
""")
    serve(port, "slapd", "-d", "0", "-f", conf, "-h", f"ldap://127.0.0.1:{port}/")
    return port


def test_entries_are_added_and_found(slapd, reach, client, processes, client_side, write, secret):
    count = 300
    entries = write("entries.ldif", ENTRIES + "".join(
        f"dn: cn=entry{number},dc=test\nobjectClass: device\ncn: entry{number}\n"
        f"description: {secret * 40}\n\n" for number in range(count)))
    wire = reach(slapd, secret)
    to = ["-x", "-H", f"ldap://localhost:{wire.port}"]
    client("ldapadd", *to, "-D", "cn=root,dc=test", "-w", "secret", "-f", entries)
    searches = [processes.start(["ldapsearch", *to, "-LLL", "-o", "ldif-wrap=no", "-b", "dc=test",
                                 "(cn=entry*)", "description"],
                                environment=client_side.environment()) for _ in range(4)]
    for search in searches:
        assert search.wait() == 0, search.describe()
        assert search.stdout().decode().count(f"description: {secret * 40}\n") == count
    wire.prove(connections=5)
    client_side.nothing_refused()
