"""A web server that answers everything, by TLS: web.py ADDRESS PORT CERTIFICATE KEY. What a client
asks for (SNI) is its answer."""

import http.server
import ssl
import sys

address, port, certificate, key = sys.argv[1:]
asked = {}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello from {asked.get(self.connection)}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # a client that refuses

    def shutdown_request(self, request):
        try:
            request.settimeout(5)
            request.unwrap()
        except OSError:
            pass  # the client went first
        super().shutdown_request(request)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.sni_callback = lambda connection, name, _: asked.__setitem__(connection, name)
server = Server((address, int(port)), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("ready", flush=True)
server.serve_forever()
