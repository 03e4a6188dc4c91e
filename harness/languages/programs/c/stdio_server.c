/* Serves one connection through two libc streams. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    int on = 1, c;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    here.sin_port = htons((in_port_t)atoi(argv[argc - 1]));
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 5))
        return 1;
    int fd = accept(listener, NULL, NULL);
    FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
    if (!in || !out)
        return 2;
    while ((c = getc(in)) != EOF) {
        putc(c, out);
        if (c == '\n' && fflush(out) != 0)
            return 3;
    }
    return ferror(in) || fclose(out) || fclose(in);
}
