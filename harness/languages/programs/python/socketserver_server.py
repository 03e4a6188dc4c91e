"""Serves one connection in a thread, through the buffered files of socketserver."""
import socketserver
import sys


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        while block := self.rfile.read1(16384):
            self.wfile.write(block)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


with Server(("127.0.0.1", int(sys.argv[1])), Echo) as server:
    server.handle_request()
