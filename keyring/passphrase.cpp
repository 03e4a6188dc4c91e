#include "keyring/passphrase.h"

#include <sys/auxv.h>

#include <cstdlib>

#include "keyring/errors.h"

namespace gaiter::keyring {
namespace {

Result<Content> read_first_line(const std::string& path, Guard guard) {
  const size_t slash = path.rfind('/');
  auto directory = open_directory(slash == 0 || slash == path.npos ? "/" : path.substr(0, slash));
  if (!directory) return pass_on(directory);
  auto content = read_file(*directory, path.substr(slash + 1).c_str(), guard);
  if (!content) return content;
  std::string_view text = content->view();
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty())
    return fail(Error::Kind::invalid, path + " is empty; it must hold a passphrase");
  return Content(std::vector<char>(text.begin(), text.end()));
}

// The credential's path, or "" if the service has none.
std::string credential() {
  const char* directory = getauxval(AT_SECURE) == 0 ? getenv("CREDENTIALS_DIRECTORY") : nullptr;
  if (directory == nullptr || directory[0] != '/') return {};
  return std::string(directory) + "/" + passphrase_credential;
}

}  // namespace

Result<Content> read_passphrase(const std::string& path) {
  auto absolute = absolute_path(path);
  if (!absolute) return pass_on(absolute);
  return read_first_line(*absolute, Guard::read);
}

Result<Content> find_passphrase(const std::string& what, const std::string& file,
                                const AskPassphrase& ask) {
  if (const std::string path = credential(); !path.empty()) {
    // systemd grants the service's user access by an ACL, which shows as group
    // permissions: who may read it is systemd's affair.
    auto found = read_first_line(path, Guard::write);
    if (found || found.error().kind != Error::Kind::not_found) return found;
  }
  if (!file.empty()) return read_passphrase(file);
  if (ask) return ask(what);
  return fail(Error::Kind::invalid,
              what +
                  " holds an encrypted private key, and there is no passphrase: give the "
                  "service a credential (LoadCredential=" +
                  passphrase_credential +
                  ":FILE), name a file in keyring.conf (passphrase_file = FILE), or decrypt the "
                  "keys (gaiter keyring passwd --decrypt)");
}

}  // namespace gaiter::keyring
