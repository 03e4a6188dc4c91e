// The two processes, and the choice of a case.
#include "readiness.h"

static const struct scenario* const tables[] = {
    level_cases, edge_cases, shots_cases,   registrations_cases, connecting_cases,
    ends_cases,  time_cases, numbers_cases, threads_cases};

static void set_address(struct sockaddr_in* one, const char* port) {
  one->sin_family = AF_INET;
  one->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  one->sin_port = htons((uint16_t)atoi(port));
}

int main(int argc, char** argv) {
  if (argc != 5) {
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
      for (const struct scenario* one = tables[i]; one->name != NULL; one++) puts(one->name);
    return argc == 1 ? 0 : 2;
  }
  is_server = strcmp(argv[2], "server") == 0;
  set_address(&address, argv[3]);
  set_address(&refused_address, argv[4]);
  struct rlimit files = {0, 0};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  ok(pipe(to_peer), "pipe");
  ok(pipe(from_peer), "pipe");
  const pid_t peer = fork();
  if (peer == 0) {
    close(to_peer[1]);
    if (is_server) {
      char go;
      if (read(to_peer[0], &go, 1) != 1) _exit(0);
    }
    be_peer();
  }
  close(to_peer[0]);
  close(from_peer[1]);
  if (is_server) {
    listener = make_listener();
    ok((int)write(to_peer[1], "g", 1), "go");
  }
  await_peer();
  if (strncmp(argv[1], "stranger-", 9) == 0) with_stranger(argv[1] + 9);
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const struct scenario* one = tables[i]; one->name != NULL; one++)
      if (strcmp(one->name, argv[1]) == 0) one->run();
  fflush(stdout);
  close(to_peer[1]);
  waitpid(peer, NULL, 0);
  return 0;
}
