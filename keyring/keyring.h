// Reading a keyring: entries by label, the default, what is trusted.
//
// A keyring is a directory; its layout is documented in keyring/FORMAT.md. All
// functions here read only; keyring/store.h writes. None touches a policy.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/openssl.h"

namespace gaiter::keyring {

enum class Usage { personal, ca, site };

// Why a keyring operation failed. `message` is a full sentence for a person and
// names the label and the file; `kind` decides exit codes and errnos.
struct Error {
  enum class Kind { not_found, unreadable, insecure, invalid, exists, system };
  Kind kind;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

// A private key with its certificate chain, ready to be used in a handshake.
struct Identity {
  std::string label;
  CertificatePtr leaf;
  std::vector<CertificatePtr> chain;  // intermediates, leaf's issuer first; the root may be absent
  KeyPtr key;
};

// One entry as listed: never holds key material.
struct Entry {
  std::string label;
  Usage usage;
  bool trusted;
  bool is_default;
  bool has_key;
  std::string origin;  // "created", "imported", "signed by LABEL"
  CertificatePtr leaf;
  std::vector<CertificatePtr> chain;
};

class Keyring {
 public:
  // Opens the directory `path`. Fails if it is not there, not a keyring, or can
  // be written by anyone but its owner.
  static Result<Keyring> open(const std::string& path);

  const std::string& path() const { return path_; }

  // Every entry, sorted by label.
  Result<std::vector<Entry>> entries() const;
  Result<Entry> entry(std::string_view label) const;

  // The default's label; "" if the keyring has none.
  Result<std::string> default_label() const;

  // The key and chain under `label`, or of the default if `label` is empty.
  // Fails with Kind::insecure if the key file is readable by group or others,
  // with Kind::invalid if key and certificate do not belong together.
  Result<Identity> identity(std::string_view label) const;

  // The certificates trusted to vouch for a peer: trusted `ca` entries (and
  // `site` entries, trusted as they are), as an X509_STORE of library_context().
  Result<TrustStorePtr> trust() const;

 private:
  explicit Keyring(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Where a process looks when nobody says otherwise: /etc/gaiter/keyring for
// root, $XDG_DATA_HOME/gaiter/keyring (~/.local/share/...) for anybody else.
std::string default_path();

}  // namespace gaiter::keyring
