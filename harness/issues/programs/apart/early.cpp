// early PORT: talks to an echo server before main(), before every constructor of a library, and
// in the constructors of C++ objects, and says how each went.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr char secret[] = "never to be seen on the wire";
const char* results[3];

const char* talk(const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  close(987);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return "no connection";
  char answer[sizeof secret] = "";
  if (write(fd, secret, sizeof secret) != sizeof secret) return "nothing written";
  if (recv(fd, answer, sizeof answer, MSG_WAITALL) != sizeof answer) return "nothing read";
  close(fd);
  return strcmp(answer, secret) == 0 ? "echoed" : "something else";
}

void before_all(int, char** words, char** environment) {
  environ = environment;
  results[0] = talk(words[1]);
}

struct Static {
  Static() {
    char port[16] = "";
    FILE* const words = fopen("/proc/self/cmdline", "r");
    if (words == nullptr) return;
    char line[4096];
    const size_t length = fread(line, 1, sizeof line - 1, words);
    line[length] = '\0';
    fclose(words);
    snprintf(port, sizeof port, "%s", line + strlen(line) + 1);
    results[1] = talk(port);
  }
} object;

}  // namespace

__attribute__((section(".preinit_array"), used)) static void (*first)(int, char**,
                                                                      char**) = before_all;

int main(int, char** words) {
  results[2] = talk(words[1]);
  for (const char* result : results) puts(result != nullptr ? result : "not run");
}
