// Patterns over the names in a verified certificate (RFC 5280 4.1.2, 4.2.1.6).
#pragma once

#include <openssl/x509v3.h>

#include <array>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/glob.h"
#include "engine/peer_pattern.h"
#include "keyring/openssl.h"

namespace gaiter::engine {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, OpenSslDeleter<ASN1_OBJECT_free>>;

// A certificate's names, taken out once for all patterns. The certificate must
// outlive it.
class PeerNames {
 public:
  explicit PeerNames(const X509* certificate);

  const X509* certificate() const { return certificate_; }
  const GENERAL_NAMES* alternative() const { return alternative_.get(); }

  // Whether the alternative names can be read, and none has a NUL in it, which
  // another program may take for its end.
  bool are_sound() const { return sound_; }

 private:
  const X509* certificate_;
  GeneralNamesPtr alternative_;
  bool sound_;
};

// A pattern made ready. Immutable, thread-safe.
class PeerMatcher {
 public:
  // The error says what is wrong with the pattern.
  static std::expected<PeerMatcher, std::string> compile(const PeerPattern& pattern);

  bool matches(const PeerNames& names) const;

  // "dns:*.example"
  const std::string& text() const { return text_; }

 private:
  struct Dns {
    Glob name;
  };
  struct Uri {
    Glob whole;
  };
  struct Email {
    Glob local;
    std::string domain;
  };
  struct Prefix {
    std::array<uint8_t, 16> address;
    size_t length;  // of an address: 4 or 16
    unsigned bits;
  };
  struct DistinguishedName {
    struct Piece {
      ObjectPtr type;
      std::string value;
    };
    bool of_issuer;
    std::vector<Piece> pieces;
  };
  struct Fingerprint {
    std::array<uint8_t, 32> sha256;
  };
  using Test = std::variant<Dns, Uri, Email, Prefix, DistinguishedName, Fingerprint>;

  static std::expected<Test, std::string> test_of(const PeerPattern& pattern);
  static std::expected<Test, std::string> prefix_of(const std::string& text);
  static std::expected<Test, std::string> name_of(const PeerPattern& pattern);
  static std::expected<Test, std::string> fingerprint_of(std::string_view text);

  static bool fits(const Dns& wanted, const PeerNames& names);
  static bool fits(const Uri& wanted, const PeerNames& names);
  static bool fits(const Email& wanted, const PeerNames& names);
  static bool fits(const Prefix& wanted, const PeerNames& names);
  static bool fits(const DistinguishedName& wanted, const PeerNames& names);
  static bool fits(const Fingerprint& wanted, const PeerNames& names);

  PeerMatcher(std::string text, Test test) : text_(std::move(text)), test_(std::move(test)) {}

  std::string text_;
  Test test_;
};

}  // namespace gaiter::engine
