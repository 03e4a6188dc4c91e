"""ejabberd: Erlang's emulator, which polls its sockets from threads of its own."""

import sysconfig

LIBRARIES = "/usr/lib/" + sysconfig.get_config_var("MULTIARCH")

CONFIGURATION = """
hosts: [here.test]
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
access_rules:
  c2s:
    allow: all
  register:
    allow: all
auth_method: internal
registration_timeout: infinity
modules:
  mod_register:
    ip_access: all
    access: register
"""

# Two users who register, log in, and exchange messages.
SESSION = """
import base64, socket, sys
port, secret = int(sys.argv[1]), sys.argv[2]

class User:
    def __init__(self, name):
        self.socket = socket.create_connection(("localhost", port), timeout=20)
        self.open()
        self.ask(f'<iq type="set" id="r"><query xmlns="jabber:iq:register"><username>{name}'
                 f'</username><password>{secret}</password></query></iq>', 'type="result"')
        token = base64.b64encode(f"\\0{name}\\0{secret}".encode()).decode()
        self.ask(f'<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">{token}</auth>',
                 "<success")
        self.open()
        self.ask('<iq type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>',
                 "</jid>")
        self.ask("<presence/>", "<presence")

    def open(self):
        self.ask('<stream:stream xmlns="jabber:client" version="1.0" to="here.test" '
                 'xmlns:stream="http://etherx.jabber.org/streams">', "</stream:features>")

    def ask(self, text, answer):
        self.socket.sendall(text.encode())
        return self.hear(answer)

    def hear(self, answer):
        heard = b""
        while answer not in heard.decode().replace("'", '"'):
            piece = self.socket.recv(65536)
            assert piece, heard
            heard += piece
        return heard.decode()

users = User("a"), User("b")
for number in range(20):
    end = f"end of {number}"
    users[number % 2].socket.sendall(
        f'<message type="chat" to="{"ba"[number % 2]}@here.test"><body>{secret * 1000}{end}'
        '</body></message>'.encode())
    assert users[1 - number % 2].hear(end + "</body>").count(secret) == 1000
for user in users:
    print(user.ask("</stream:stream>", "</stream:stream>"))
"""


def test_messages_reach_the_other_user(serve, reach, client, ports, place, write, secret):
    port = ports.free()
    conf = write("ejabberd.yml", CONFIGURATION.format(port=port))
    serve(port, "erl", "-noinput", "-mnesia", "dir", f'"{place}/mnesia"', "-s", "ejabberd",
          environment={"ERL_LIBS": LIBRARIES, "EJABBERD_CONFIG_PATH": conf,
                       "EJABBERD_LOG_PATH": place + "/ejabberd.log"})
    wire = reach(port, secret, "<message", "<iq")
    client("/usr/bin/python3", "-I", "-c", SESSION, wire.port, secret)
    wire.prove(connections=2)
