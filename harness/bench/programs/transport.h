// One connected stream as traffic.c uses it. Linked once over plain sockets and
// once over OpenSSL, so that both programs are the same but for the transport.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct transport;

// Once a process. `resume`: a client offers its last session again.
void transport_start(bool server, bool resume);

// Take a connected socket over, and handshake if there is anything to handshake.
// A server gets NULL if the peer cannot be served; a client exits.
struct transport* transport_accept(int fd);
struct transport* transport_connect(int fd);

// As read(2) and write(2) on a blocking socket.
ssize_t transport_read(struct transport* t, void* buffer, size_t size);
ssize_t transport_write(struct transport* t, const void* data, size_t size);

// Whether data has been taken from the socket that transport_read has not given yet.
bool transport_pending(struct transport* t);

void transport_close(struct transport* t);

// "" or what to say of the last connection, for example the suite.
const char* transport_describe(void);

// Prints a message, with errno's text, and exits with 1.
_Noreturn void die(const char* what);
