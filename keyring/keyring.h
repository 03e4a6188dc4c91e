// Reading a keyring: entries by label, the default, what is trusted.
//
// A keyring is a directory; its layout is documented in keyring/FORMAT.md. Wherever
// its path is named, a PKCS#12 file may stand (`pkcs12:FILE`, or a path that ends
// with .p12 or .pfx) and the CAs that the system trusts (`system:`), both read only.
// All functions here read only; keyring/store.h writes. None touches a policy.
//
// Everything is read anew at each call, by plain open(2) and read(2): no stdio, no
// descriptor kept. A writer at work meanwhile is no
// error. May be called by any number of threads at once; not from a signal handler.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/openssl.h"
#include "keyring/trust.h"

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

// Something wrong with an entry that can be used all the same: a line of the log.
struct Problem {
  std::string label;
  std::string file;     // absolute
  std::string message;  // "expired on 2026-01-31T12:00:00Z: peers refuse it"
};

// A private key with its certificate chain, ready to be used in a handshake.
struct Identity {
  std::string label;
  CertificatePtr leaf;
  std::vector<CertificatePtr> chain;  // intermediates, leaf's issuer first; without the root
  KeyPtr key;
  // An OCSPResponse (RFC 6960) about the leaf, to be stapled; empty if there is none
  // that was still good when it was read.
  std::vector<uint8_t> ocsp_response = {};
  // What loading noticed: a chain out of order or completed, a useless OCSP
  // response. problems_of() adds what depends on the time and the role.
  std::vector<Problem> problems = {};
  std::string file = {};  // of the certificate; absolute
};

class Content;  // keyring/files.h

// Asks a person for the passphrase of `file`. Null in a service, which finds its own
// (keyring/passphrase.h).
using AskPassphrase = std::function<Result<Content>(const std::string& file)>;

// Whether an identity is shown by a server or by a client.
enum class Purpose { server, client };

// What a peer will not like, and `identity.problems`: dates, usage bits, names.
std::vector<Problem> problems_of(const Identity& identity, Purpose purpose);

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
  // Of an entry that is shared by keyrings: where it really is, "/etc/gaiter/keyring/web"
  // or "system:". "" = here.
  std::string connected = {};
};

class Keyring {
 public:
  // Opens the keyring at `path`. Kind::not_found if it is not there or not a
  // keyring; Kind::insecure if anyone but root and the effective user owns it or
  // can write to it.
  static Result<Keyring> open(const std::string& path, AskPassphrase ask = nullptr);

  // Absolute; or "system:".
  const std::string& path() const { return path_; }

  const AskPassphrase& ask() const { return ask_; }

  // Every label, sorted, also of entries that cannot be read.
  Result<std::vector<std::string>> labels() const;

  // Every entry that has a certificate, sorted by label.
  Result<std::vector<Entry>> entries() const;
  Result<Entry> entry(std::string_view label) const;

  // The default's label; "" if the keyring has none.
  Result<std::string> default_label() const;

  // The key and chain under `label`. If `label` is empty: of the default, or of
  // the only personal entry. Kind::not_found names the nearest labels;
  // Kind::insecure: group or others may use the key file; Kind::invalid: no key,
  // encrypted without a passphrase, key and certificate do not belong together, or
  // `trust = off`.
  // Dates are not looked at: the peer will.
  Result<Identity> identity(std::string_view label) const;

  // The certificates trusted to vouch for a peer: those of trusted `ca` entries, and the
  // first of each trusted `site` entry. Empty if there are none: nobody is trusted then.
  Result<Trust> trust() const;

  // The CRLs (RFC 5280 5) kept in trusted `ca` entries. Neither signatures nor dates
  // are looked at: the verifier does.
  Result<std::vector<CrlPtr>> crls() const;

 private:
  Keyring(std::string path, AskPassphrase ask) : path_(std::move(path)), ask_(std::move(ask)) {}
  std::string path_;
  AskPassphrase ask_;
};

// The state of a keyring, to be compared with a later one: another value means that
// something in it has changed, be it by Gaiter or by hand. Costs some stat(2)s an
// entry, about 1 us each, and no more than a thousand of them: in a bigger keyring
// only changes made by Gaiter are sure to be noticed. Fails like open().
using Stamp = uint64_t;
Result<Stamp> stamp(const std::string& path);

// The path of a keyring as a policy writes it: `%u` is the effective user's name, `%U`
// its number, `%%` a percent sign; anything else after % is Kind::invalid. May read the
// user database (getpwuid_r(3)).
Result<std::string> expand_path(std::string_view path);

// The path that names the CAs that the system trusts.
inline constexpr const char* system_repository = "system:";

// Where a process looks when nobody says otherwise: /etc/gaiter/keyring for
// root, $XDG_DATA_HOME/gaiter/keyring (~/.local/share/...) for anybody else, and
// root's for those who have no home. The environment does not count in
// secure-execution mode (getauxval(3), AT_SECURE).
std::string default_path();

}  // namespace gaiter::keyring
