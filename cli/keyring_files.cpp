#include "cli/keyring_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "cli/output.h"
#include "keyring/errors.h"

namespace gaiter::cli {
namespace {

using keyring::Content;
using keyring::Error;
using keyring::fail;
using keyring::Fd;
using keyring::Result;

// Not fail_errno(): a file that is missing here is no missing entry.
std::unexpected<Error> fail_file(const std::string& what, int number) {
  return fail(Error::Kind::unreadable, what + ": " + keyring::errno_words(number));
}

Result<Content> read_all(int fd, const std::string& name) {
  std::vector<char> bytes(keyring::max_file_size + 1);
  size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t count = read(fd, bytes.data() + got, bytes.size() - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_file("cannot read " + name, errno);
    if (count == 0) break;
    got += static_cast<size_t>(count);
  }
  if (got == bytes.size()) return fail(Error::Kind::invalid, name + " is longer than 1 MiB");
  bytes.resize(got);  // in place, so that no copy is left
  return Content(std::move(bytes));
}

// What was typed, without its echo; the terminal is as it was afterwards.
Result<Content> ask(const char* prompt) {
  const Fd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  termios before;
  if (!terminal || tcgetattr(terminal.get(), &before) != 0) {
    return fail(Error::Kind::invalid,
                "there is no terminal to ask for the passphrase; give it with --passphrase-file");
  }
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(terminal.get(), TCSAFLUSH, &silent);
  dprintf(terminal.get(), "%s", prompt);
  std::vector<char> line(1024);
  const ssize_t count = read(terminal.get(), line.data(), line.size());
  tcsetattr(terminal.get(), TCSAFLUSH, &before);
  dprintf(terminal.get(), "\n");
  if (count <= 0) return fail(Error::Kind::invalid, "no passphrase was typed");
  line.resize(static_cast<size_t>(count));
  return Content(std::move(line));
}

Result<Content> first_line(const Content& content, const std::string& name) {
  const std::string_view text = content.view();
  const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
  if (line.empty()) return fail(Error::Kind::invalid, name + " holds no passphrase");
  return Content(std::vector<char>(line.begin(), line.end()));
}

}  // namespace

Result<Content> read_input(const std::string& path) {
  if (path == "-") return read_all(STDIN_FILENO, "the standard input");
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return fail_file("cannot read " + path, errno);
  return read_all(fd.get(), path);
}

Result<void> write_output(const std::string& path, std::string_view text, mode_t mode) {
  if (path.empty()) {
    print(text);
    return {};
  }
  const size_t slash = path.rfind('/');
  const std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == path.npos ? path : path.substr(slash + 1);
  // Not open_directory(): the folder is the user's own affair.
  const keyring::Directory directory{Fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
                                     folder};
  if (!directory.fd || name.empty())
    return fail_file("cannot write " + path, name.empty() ? EISDIR : errno);
  const std::string temporary = fmt::format(".{}.{}", name, getpid());
  auto written = keyring::write_new_file(directory, temporary, text, mode);
  if (written &&
      renameat(directory.fd.get(), temporary.c_str(), directory.fd.get(), name.c_str()) != 0) {
    written = fail_file("cannot write " + path, errno);
  }
  if (!written) keyring::discard(directory, temporary);
  return written;
}

Result<Content> read_passphrase(const std::string& file, bool confirm) {
  if (!file.empty()) {
    const auto content = read_input(file);
    if (!content) return std::unexpected(content.error());
    return first_line(*content, file);
  }
  const auto typed = ask("Passphrase: ");
  if (!typed) return std::unexpected(typed.error());
  if (confirm) {
    const auto again = ask("Once more: ");
    if (!again) return std::unexpected(again.error());
    if (typed->view() != again->view()) {
      return fail(Error::Kind::invalid, "the two passphrases are not the same");
    }
  }
  return first_line(*typed, "what was typed");
}

}  // namespace gaiter::cli
