/* Sends its standard input, block by block, and prints what comes back. */
#include <netdb.h>

#include "way.h"

static int reach(const char *port)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;

    if (getaddrinfo("localhost", port, &hints, &found) != 0)
        die("getaddrinfo");
    int fd = socket(found->ai_family, found->ai_socktype, 0);
    if (connect(fd, found->ai_addr, found->ai_addrlen) != 0)
        die("connect");
    freeaddrinfo(found);
    return fd;
}

int main(int argc, char **argv)
{
    int fd = reach(argv[argc - 1]);
    size_t length;

    while ((length = fread(block, 1, BLOCK, stdin)) > 0) {
        give(fd, length);
        for (size_t at = 0; at < length;) {
            ssize_t n = take(fd, at, length - at);
            if (n <= 0)
                die("take");
            at += (size_t)n;
        }
        fwrite(block, 1, length, stdout);
    }
    if (shutdown(fd, SHUT_WR) != 0)
        die("shutdown");
    if (take(fd, 0, BLOCK) != 0)
        die("end of file");
    return close(fd) || fclose(stdout);
}
