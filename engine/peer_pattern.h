// What a policy says of a peer's certificate: one name that it must have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gaiter::engine {

//   dns    "*" stands for letters of one label
//   uri    "*" stands for characters other than "/", at the very end for any
//   email  "*" stands for characters other than "@"; the domain is in any case
//   ip     an address or a prefix: "10.0.0.0/8", "2001:db8::1"
//   subject, issuer  has every one of `attributes`, in any order
//   fingerprint  SHA-256 of the certificate, 64 hexadecimal digits
struct PeerPattern {
  enum class Kind : uint8_t { dns, uri, email, ip, subject, issuer, fingerprint };

  // Type "CN", or an object identifier, "2.5.4.3"; value in UTF-8, compared as it is.
  struct Attribute {
    std::string type;
    std::string value;
  };

  Kind kind;
  std::string text;  // as the policy has it, without "dns:"
  std::vector<Attribute> attributes = {};
};

const char* to_string(PeerPattern::Kind kind);

}  // namespace gaiter::engine
