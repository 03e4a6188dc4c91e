"""Sends its standard input, block by block, and prints what comes back."""
import socket
import sys

with socket.create_connection(("localhost", int(sys.argv[1]))) as connection:
    while block := sys.stdin.buffer.read(16384):
        connection.sendmsg([block[:1000], block[1000:]])
        sys.stdout.buffer.write(connection.recv(len(block), socket.MSG_WAITALL))
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b""
