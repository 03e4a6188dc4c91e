// What a peer would say of a certificate (RFC 5280 6, RFC 6125), with the reason in
// words.
#pragma once

#include <openssl/x509_vfy.h>

#include <string>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

struct Expectation {
  enum class Role { any, server, client };
  Role role = Role::any;  // what the certificate's owner wants to be
  std::string name;       // a DNS name or an IP address; "" = any
  bool check_time = true;
  bool check_revocation = false;  // `trust` holds a CRL of who issued it
};

// The chain that a peer finds from `certificate` over `others`, in any order, to one in
// `trust`; the certificate first. Kind::invalid says why there is none that is good.
Result<std::vector<CertificatePtr>> verify(X509* certificate,
                                           const std::vector<const X509*>& others,
                                           const Trust& trust, const Expectation& expected);

// Whether `certificate` is good for one who trusts the uppermost of `signer` and its
// chain; its dates do not count.
Result<void> verify_below(X509* certificate, const Identity& signer);

// What a peer that trusts the keyring's own CAs would say of the entry, and the chain
// that it would find. The CRLs of those CAs count.
Result<std::vector<CertificatePtr>> verify_entry(const Keyring& keyring, const std::string& label,
                                                 Expectation expected);

}  // namespace gaiter::keyring
