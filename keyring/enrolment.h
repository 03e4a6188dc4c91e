// Enrolment: one file that gives another host a key, a certificate for it, and the CA that
// it shall trust, so that the two can speak mutual TLS.
//
// The file is a secret: it holds a private key, encrypted only if it is given a
// passphrase. It is taken in for a limited time; a lost one is dealt with by revoking the
// certificate.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/files.h"
#include "keyring/keyring.h"
#include "keyring/subject_names.h"

namespace gaiter::keyring {

struct NewEnrolment {
  std::string host;   // a DNS name or an IP address
  SubjectNames more;  // what else the host is called
  std::string ca;     // label of the CA that signs
  std::chrono::days lifetime{397};
  std::chrono::hours good_for{24};  // to be taken in
  std::string_view passphrase;      // "" = the key is not encrypted
};

struct Enrolment {
  Content text;  // the file
  std::string label;
  std::chrono::sys_seconds expires;
};

// Makes the file, and an entry of usage `site`, not trusted, that remembers the
// certificate: it can be revoked by its label. Kind::exists if the host is enrolled.
Result<Enrolment> export_enrolment(const Keyring& keyring, const NewEnrolment& wanted);

// What a file says, as it will be stored.
struct ParsedEnrolment {
  std::string label, ca_label;
  std::vector<CertificatePtr> certificates;  // the host's own first, then its chain
  KeyPtr key;
  std::vector<CertificatePtr> trusted;
};

// Kind::invalid if the file is malformed, was changed, has run out, or needs another
// passphrase; `name` names it in messages.
Result<ParsedEnrolment> parse_enrolment(std::string_view text, std::string_view passphrase,
                                        const std::string& name);

struct Enrolled {
  std::string label;     // of the personal entry, which is the default now
  std::string ca_label;  // of the CA that is trusted now
};

// Fails like parse_enrolment(); Kind::exists if the host has an entry already.
Result<Enrolled> import_enrolment(const Keyring& keyring, std::string_view text,
                                  std::string_view passphrase, const std::string& name);

// Whether import_enrolment() will need a passphrase.
bool is_encrypted_enrolment(std::string_view text);

}  // namespace gaiter::keyring
