/* Serves one connection: sends back what comes, until end of file. */
#include "way.h"

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ssize_t n;

    here.sin_port = htons((in_port_t)atoi(argv[argc - 1]));
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 5))
        die("listen");
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept");
    while ((n = take(fd, 0, BLOCK)) > 0)
        give(fd, (size_t)n);
    if (n < 0)
        die("take");
    return close(fd);
}
