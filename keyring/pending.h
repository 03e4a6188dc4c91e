// Certificates that a CA elsewhere signs: the request goes out, the answer comes back and
// joins its key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyring/key_type.h"
#include "keyring/keyring.h"
#include "keyring/request.h"
#include "keyring/subject_names.h"

namespace gaiter::keyring {

struct NewRequest {
  std::string label;
  std::string common_name;  // 1-64 bytes
  SubjectNames names;
  KeyType key_type = KeyType::ec_p256;
  KeyPurpose purpose = KeyPurpose::both;
};

// A new entry that has a key and a request, and waits for its certificate.
Result<RequestPtr> request_entry(const Keyring& keyring, const NewRequest& wanted);

// A request for what the entry has: its next or pending key if there is one, else the key
// in use; the subject and all names of its certificate, or of the request that waits.
Result<RequestPtr> request_again(const Keyring& keyring, const std::string& label);

// The request that waits for its answer; null if none does.
Result<RequestPtr> waiting_request(const Keyring& keyring, const std::string& label);

// The answer (PEM, DER, PKCS#7; the CA's certificates may be with it) joins the key that
// it is for. Its chain is completed from the keyring's CAs and the system's.
struct Received {
  CertificatePtr certificate;
  bool is_next;                      // it waits for the rollover
  std::vector<std::string> missing;  // names that were asked for, and not signed
  std::string system_ca;             // whom the system trusts for it, if the keyring does not
};

// Kind::invalid if the certificate is for another key, has expired, or no CA that the
// keyring or the system trusts signed it; with `any_ca` the last does not count.
Result<Received> receive_answer(const Keyring& keyring, const std::string& label,
                                std::string_view answer, const std::string& name, bool any_ca);

}  // namespace gaiter::keyring
