// Serves one connection through libstdc++'s stream buffer over a descriptor.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cstdlib>
#include <ext/stdio_filebuf.h>
#include <istream>
#include <ostream>
#include <string>

int main(int, char** arguments) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(static_cast<in_port_t>(std::atoi(arguments[1])));
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&here), sizeof here) || listen(listener, 5))
    return 1;
  const int fd = accept(listener, nullptr, nullptr);
  __gnu_cxx::stdio_filebuf<char> incoming(fd, std::ios::in);
  __gnu_cxx::stdio_filebuf<char> outgoing(dup(fd), std::ios::out);
  std::istream in(&incoming);
  std::ostream out(&outgoing);
  for (std::string line; std::getline(in, line);) out << line << std::endl;
  return in.eof() && out ? 0 : 2;
}
