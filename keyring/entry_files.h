// One entry's directory, read.
#pragma once

#include <string>
#include <vector>

#include "keyring/files.h"
#include "keyring/format.h"

namespace gaiter::keyring {

struct EntryFiles {
  EntryConf conf;
  bool has_key = false;
  bool is_pending = false;  // a key that waits for its first certificate, and nothing else
  // The leaf first (see chain.h), then its chain. But a `ca` entry may be a bundle
  // of CAs: read without its key, it is left as it came.
  std::vector<CertificatePtr> certificates;
  KeyPtr key;
  std::vector<uint8_t> ocsp_response;  // as in Identity
  std::vector<Problem> problems;       // as in Identity
  std::string directory;               // where the files are; absolute. "" = in no directory
  std::string file;                    // that of the certificates; absolute
};

// How much of an entry to read. `listing` has certificates whose public keys are not decoded
// (PublicKeys::leave); `key` is all that a handshake needs. `fit` reads as much and is much
// quicker, but good for looking at alone: public keys are not decoded, and OpenSSL's providers
// do not know the private one.
enum class Depth { conf, listing, certificates, fit, key };

// Reads the entry `label`, which must be a valid label. A writer that replaces
// the entry meanwhile is no error: the result is the old or the new entry, never
// a mixture. Kind::not_found only if there is no such entry. One that is pending
// cannot be read deeper than its conf: Kind::pending.
//
// An entry that is connected elsewhere is only read to its conf. `ask` gives the
// passphrase of an encrypted key.
Result<EntryFiles> read_entry(const Directory& keyring, const std::string& label, Depth depth,
                              const AskPassphrase& ask);

// Kind::not_found if the directory is no keyring.
Result<KeyringConf> read_keyring_conf(const Directory& keyring);

// The CRLs in an entry's directory; none is no error.
Result<std::vector<CrlPtr>> read_crls(const std::string& directory);

// A private key, and its file as it is.
struct StoredKey {
  Content file;
  KeyPtr key;
};

// Kind::not_found if there is no such file, or no such entry.
Result<StoredKey> read_stored_key(const Keyring& keyring, const std::string& label,
                                  const std::string& name);

// The key and certificate that shall take the place of those in use.
struct NextFiles {
  Content key_file;  // as it is in the file
  KeyPtr key;
  std::vector<CertificatePtr> certificates;  // the leaf first; empty: it is only requested
};

// Kind::not_found if the entry has no next key.
Result<NextFiles> read_next(const Keyring& keyring, const std::string& label);

// One file of an entry. Kind::not_found if there is no such file, or no such entry.
Result<Content> read_entry_file(const Keyring& keyring, const std::string& label, const char* name,
                                Guard guard);

}  // namespace gaiter::keyring
