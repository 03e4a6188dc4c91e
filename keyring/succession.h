// The files of an entry that change when a certificate takes another's place.
#pragma once

#include <string>
#include <vector>

#include "keyring/entry_files.h"
#include "keyring/writer.h"

namespace gaiter::keyring {

// Kind::invalid, and where to go, if the entry is connected elsewhere: its files are there.
Result<void> check_own(const Keyring& keyring, const std::string& label);

// The leaf `certificates.front()` and its chain take the place of what `entry` has, which
// gave its certificates to be kept: those of a `ca` stay trusted, others go to
// `previous.pem`. What speaks about the old certificate (a request, an OCSP response) goes,
// and so do former keys whose certificates are not kept.
struct Succession {
  std::string certificates_pem;
  std::string previous_pem;
  std::string conf;
  std::vector<std::string> former_keys_to_go;  // names of files

  std::vector<FileChange> changes() const;
};
Result<Succession> succeed(const Keyring& keyring, const std::string& label,
                           const std::vector<const X509*>& certificates, const std::string& origin);

}  // namespace gaiter::keyring
