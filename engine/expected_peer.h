// Whom a client means to talk to: one name, or several where the program may mean any
// of them. Then the certificate must be good for every one (RFC 6125 6.4 for each).
#pragma once

#include <openssl/x509.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/failure.h"

namespace gaiter::engine {

struct ExpectedPeer {
  ExpectedPeer() = default;
  ExpectedPeer(std::string name) : sent(name), names{std::move(name)} {}
  ExpectedPeer(const char* name) : ExpectedPeer(std::string(name)) {}

  bool is_ambiguous() const { return names.size() > 1 || others; }

  std::string sent;                // SNI, where it is a DNS name
  std::vector<std::string> names;  // to verify
  bool others = false;             // and names that are not known: no certificate is good
};

// Equal for equal expectations only: what was verified under one resumes no other.
std::string key_of(const ExpectedPeer& peer);

// The name, or "a.example", "b.example" and 3 others, in quotes each, for people.
std::string describe(const ExpectedPeer& peer);

// Of an ambiguous peer that showed a genuine `certificate`: why it is refused; nothing if
// it has all the names.
std::optional<Failure> lacks_a_name(const X509* certificate, const ExpectedPeer& peer);

// The same before a certificate is there, with others.
std::optional<Failure> unknown_names(const ExpectedPeer& peer);

}  // namespace gaiter::engine
