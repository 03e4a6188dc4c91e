// Sends its standard input, line by line, through streams over a descriptor; prints the answers.
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>
#include <ext/stdio_filebuf.h>
#include <iostream>
#include <string>

int main(int, char** arguments) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo("localhost", arguments[1], &hints, &found)) return 1;
  const int fd = socket(found->ai_family, found->ai_socktype, 0);
  if (connect(fd, found->ai_addr, found->ai_addrlen)) return 2;
  __gnu_cxx::stdio_filebuf<char> incoming(fd, std::ios::in);
  __gnu_cxx::stdio_filebuf<char> outgoing(dup(fd), std::ios::out);
  std::istream in(&incoming);
  std::ostream out(&outgoing);
  for (std::string line; std::getline(std::cin, line);) {
    out << line << std::endl;
    if (!std::getline(in, line)) return 3;
    std::cout << line << '\n';
  }
  shutdown(fd, SHUT_WR);
  return in.get() == std::char_traits<char>::eof() ? 0 : 4;
}
