#include "keyring/repository.h"

#include <algorithm>

#include "keyring/errors.h"
#include "keyring/files.h"

namespace gaiter::keyring {
namespace {

constexpr std::string_view pkcs12_scheme = "pkcs12:";
constexpr std::string_view pkcs11_scheme = "pkcs11:";

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return text.size() > end.size() &&
         std::ranges::equal(text.substr(text.size() - end.size()), end, {}, lower);
}

Result<RepositoryName> named(RepositoryKind kind, const std::string& path) {
  auto absolute = absolute_path(path);
  if (!absolute) return pass_on(absolute);
  return RepositoryName{kind, *std::move(absolute)};
}

}  // namespace

Result<RepositoryName> parse_repository_name(const std::string& path) {
  if (path == system_repository) return RepositoryName{RepositoryKind::system, path};
  if (path.starts_with(pkcs12_scheme)) {
    return named(RepositoryKind::pkcs12, path.substr(pkcs12_scheme.size()));
  }
  // A token's objects would be read by OSSL_STORE(7ossl) with a provider for PKCS#11, as
  // one more Repository.
  if (path.starts_with(pkcs11_scheme)) {
    return fail(Error::Kind::invalid,
                path +
                    ": tokens (PKCS#11) cannot be used as keyrings; use a directory, a PKCS#12 "
                    "file (pkcs12:FILE) or the system's CAs (system:)");
  }
  if (ends_with_ignoring_case(path, ".p12") || ends_with_ignoring_case(path, ".pfx")) {
    return named(RepositoryKind::pkcs12, path);
  }
  return named(RepositoryKind::directory, path);
}

Result<std::unique_ptr<Repository>> open_repository(const RepositoryName& name,
                                                    const AskPassphrase& ask) {
  switch (name.kind) {
    case RepositoryKind::pkcs12:
      return open_pkcs12_repository(name.path, ask);
    case RepositoryKind::system:
      return open_system_repository();
    case RepositoryKind::directory:
      break;
  }
  return open_directory_repository(name.path, ask);
}

Result<std::unique_ptr<Repository>> open_repository(const Keyring& keyring) {
  const auto name = parse_repository_name(keyring.path());
  if (!name) return std::unexpected(name.error());
  return open_repository(*name, keyring.ask());
}

Entry to_entry(const std::string& label, const std::string& default_label, EntryFiles files) {
  Entry entry{.label = label,
              .usage = files.conf.usage,
              .trusted = files.conf.trusted,
              .is_default = label == default_label,
              .has_key = files.has_key,
              .origin = std::move(files.conf.origin),
              .leaf = std::move(files.certificates.front()),
              .chain = {},
              .connected = std::move(files.conf.connected)};
  files.certificates.erase(files.certificates.begin());
  entry.chain = std::move(files.certificates);
  return entry;
}

Result<void> check_writable(const std::string& path) {
  const auto name = parse_repository_name(path);
  if (!name) return std::unexpected(name.error());
  if (name->kind == RepositoryKind::directory) return {};
  return fail(Error::Kind::invalid,
              path +
                  " is read only; what is in it can be taken over into a directory: gaiter "
                  "keyring --keyring DIR import");
}

}  // namespace gaiter::keyring
