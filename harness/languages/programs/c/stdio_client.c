/* Sends its standard input, line by line, through libc's streams, and prints what comes back. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    char line[2048], answer[2048];

    if (getaddrinfo("localhost", argv[argc - 1], &hints, &found) != 0)
        return 1;
    int fd = socket(found->ai_family, found->ai_socktype, 0);
    if (connect(fd, found->ai_addr, found->ai_addrlen) != 0)
        return 2;
    FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
    if (!in || !out)
        return 3;
    while (fgets(line, sizeof line, stdin)) {
        if (fprintf(out, "%s", line) < 0 || fflush(out) != 0)
            return 4;
        if (!fgets(answer, (int)strlen(line) + 1, in))
            return 5;
        fputs(answer, stdout);
    }
    if (shutdown(fileno(out), SHUT_WR) != 0 || getc(in) != EOF || ferror(in))
        return 6;
    return fclose(out) || fclose(in) || fclose(stdout);
}
