"""Serves one connection with blocking calls."""
import socket
import sys

with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    connection, _ = listener.accept()
    with connection:
        block = bytearray(16384)
        while count := connection.recv_into(block):
            connection.sendall(memoryview(block)[:count])
