#include <pwd.h>
#include <unistd.h>

#include <vector>

#include "keyring/errors.h"
#include "keyring/keyring.h"

namespace gaiter::keyring {
namespace {

Result<std::string> user_name() {
  std::vector<char> buffer(16384);
  passwd user;
  passwd* found = nullptr;
  const int error = getpwuid_r(geteuid(), &user, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return fail(Error::Kind::invalid, "%u: user " + std::to_string(geteuid()) + " has no name" +
                                          (error != 0 ? ": " + errno_words(error) : "") +
                                          "; %U is its number");
  }
  const std::string name = found->pw_name;
  // A name is one part of the path, and must not lead elsewhere.
  if (name.empty() || name == "." || name == ".." || name.contains('/')) {
    return fail(Error::Kind::invalid, "%u: \"" + name + "\" cannot be part of a path");
  }
  return name;
}

}  // namespace

Result<std::string> expand_path(std::string_view path) {
  std::string expanded;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      expanded += path[i];
      continue;
    }
    const char letter = ++i < path.size() ? path[i] : '\0';
    if (letter == 'u') {
      auto name = user_name();
      if (!name) return pass_on(name);
      expanded += *name;
    } else if (letter == 'U') {
      expanded += std::to_string(geteuid());
    } else if (letter == '%') {
      expanded += '%';
    } else {
      return fail(Error::Kind::invalid,
                  std::string(path) + ": after % comes u (the user's name), U (its number) or %");
    }
  }
  return expanded;
}

}  // namespace gaiter::keyring
