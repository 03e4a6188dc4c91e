"""Sends its standard input through a buffered file over the socket; prints what comes back."""
import socket
import sys

with socket.create_connection(("localhost", int(sys.argv[1]))) as connection:
    connection.settimeout(30)
    with connection.makefile("rwb") as file:
        while block := sys.stdin.buffer.read(16384):
            file.write(block)
            file.flush()
            sys.stdout.buffer.write(file.read(len(block)))
        connection.shutdown(socket.SHUT_WR)
        assert file.read() == b""
