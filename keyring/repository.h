// Where a keyring's entries come from: a directory, a PKCS#12 file, the CAs that the
// system trusts. Keyring answers every question from one of these.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "keyring/entry_files.h"
#include "keyring/keyring.h"

namespace gaiter::keyring {

class Repository {
 public:
  Repository() = default;
  virtual ~Repository() = default;
  Repository(const Repository&) = delete;
  Repository& operator=(const Repository&) = delete;

  // For messages; absolute.
  virtual const std::string& path() const = 0;

  // Sorted.
  virtual Result<std::vector<std::string>> labels() const = 0;

  // As read_entry(): Kind::not_found only if there is no such entry.
  virtual Result<EntryFiles> read(const std::string& label, Depth depth) const = 0;

  // "" = none.
  virtual const std::string& default_label() const = 0;
};

// What a keyring's path means: `pkcs12:FILE` or any path that ends with .p12 or .pfx;
// `system:`; else a directory.
enum class RepositoryKind { directory, pkcs12, system };
struct RepositoryName {
  RepositoryKind kind;
  std::string path;  // absolute; "system:" of the system's CAs
};

// Kind::invalid for a `pkcs11:` URI (RFC 7512) or an unknown scheme.
Result<RepositoryName> parse_repository_name(const std::string& path);

// `ask` may be null.
Result<std::unique_ptr<Repository>> open_repository(const RepositoryName& name,
                                                    const AskPassphrase& ask);
Result<std::unique_ptr<Repository>> open_repository(const Keyring& keyring);

// As a keyring lists it. `files` must have been read to their certificates.
Entry to_entry(const std::string& label, const std::string& default_label, EntryFiles files);

// Fails with Kind::invalid, and the reason, unless `path` names a directory: only those
// can be changed.
Result<void> check_writable(const std::string& path);

// ---- one function for each kind ----

Result<std::unique_ptr<Repository>> open_directory_repository(const std::string& path,
                                                              const AskPassphrase& ask);
Result<std::unique_ptr<Repository>> open_pkcs12_repository(const std::string& path,
                                                           const AskPassphrase& ask);
Result<std::unique_ptr<Repository>> open_system_repository();

}  // namespace gaiter::keyring
