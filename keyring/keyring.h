// Reading a keyring: entries by label, the default, what is trusted.
//
// A keyring is a directory; its layout is documented in keyring/FORMAT.md. All
// functions here read only; keyring/store.h writes. None touches a policy.
//
// Everything is read anew at each call, by plain open(2) and read(2): no stdio, no
// descriptor kept, nobody asked for a passphrase. A writer at work meanwhile is no
// error. May be called by any number of threads at once; not from a signal handler.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/openssl.h"

namespace gaiter::keyring {

// What an entry is for: a key and chain of ours; a CA that is trusted (perhaps a
// bundle of them, perhaps with its key); somebody's certificate, trusted as it is.
enum class Usage { personal, ca, site };

// Why a keyring operation failed. `message` is a full sentence for a person and
// names the label and the file; `kind` decides exit codes and errnos.
struct Error {
  enum class Kind {
    not_found,   // no such keyring or entry
    unreadable,  // permission denied
    insecure,    // somebody else can read the key, or change what we trust
    invalid,     // malformed, contradictory, or not allowed
    exists,      // the label is taken
    pending,     // the entry has been requested, but has no certificate yet
    system,      // any other errno, or OpenSSL out of memory
  };
  Kind kind;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

// A private key with its certificate chain, ready to be used in a handshake.
struct Identity {
  std::string label;
  CertificatePtr leaf;
  std::vector<CertificatePtr> chain;  // intermediates, leaf's issuer first; without the root
  KeyPtr key;
};

// One entry as listed: never holds key material.
struct Entry {
  std::string label;
  Usage usage;
  bool trusted;  // off: a ca or site vouches for nobody, a personal entry is not used
  bool is_default;
  bool has_key;
  std::string origin;  // "created", "imported", "signed by LABEL"
  CertificatePtr leaf;
  std::vector<CertificatePtr> chain;  // its issuers; of a ca, all else that is in the file
};

class Keyring {
 public:
  // Opens the directory `path`. Kind::not_found if it is not there or not a
  // keyring; Kind::insecure if anyone but root and the effective user owns it or
  // can write to it.
  static Result<Keyring> open(const std::string& path);

  // Absolute.
  const std::string& path() const { return path_; }

  // Every entry that has a certificate, sorted by label.
  Result<std::vector<Entry>> entries() const;
  Result<Entry> entry(std::string_view label) const;

  // The default's label; "" if the keyring has none.
  Result<std::string> default_label() const;

  // The key and chain under `label`. If `label` is empty: of the default, or of
  // the only personal entry. Kind::not_found names the nearest labels;
  // Kind::insecure: group or others may use the key file; Kind::invalid: no key,
  // encrypted, key and certificate do not belong together, or `trust = off`.
  // Dates are not looked at: the peer will.
  Result<Identity> identity(std::string_view label) const;

  // The certificates trusted to vouch for a peer: trusted `ca` entries (and
  // `site` entries, trusted as they are). Every certificate in the store is an
  // anchor, self-signed or not. Empty if there are none: nobody is trusted then.
  Result<TrustStorePtr> trust() const;

 private:
  explicit Keyring(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Where a process looks when nobody says otherwise: /etc/gaiter/keyring for
// root, $XDG_DATA_HOME/gaiter/keyring (~/.local/share/...) for anybody else, and
// root's for those who have no home. The environment does not count in
// secure-execution mode (getauxval(3), AT_SECURE).
std::string default_path();

}  // namespace gaiter::keyring
