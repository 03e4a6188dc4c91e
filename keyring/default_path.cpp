#include <pwd.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {
namespace {

constexpr const char* system_keyring = "/etc/gaiter/keyring";

// An absolute path from the environment, or "". In secure-execution mode
// (getauxval(3)) the environment is an attacker's.
std::string path_from_environment(const char* name) {
  if (getauxval(AT_SECURE) != 0) return {};
  const char* value = getenv(name);
  return value != nullptr && value[0] == '/' ? value : std::string();
}

std::string home_from_passwd() {
  std::vector<char> buffer(16384);
  passwd user;
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &user, buffer.data(), buffer.size(), &found) != 0) return {};
  return found != nullptr && found->pw_dir[0] == '/' ? found->pw_dir : std::string();
}

}  // namespace

std::string default_path() {
  if (geteuid() == 0) return system_keyring;
  if (const std::string data = path_from_environment("XDG_DATA_HOME"); !data.empty()) {
    return data + "/gaiter/keyring";
  }
  std::string home = path_from_environment("HOME");
  if (home.empty()) home = home_from_passwd();
  return home.empty() ? system_keyring : home + "/.local/share/gaiter/keyring";
}

}  // namespace gaiter::keyring
