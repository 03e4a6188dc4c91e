// What a rule does with the connections that it matches: every setting that a
// policy can make, with the value that it has if nobody says otherwise.
//
// Values are plain: names of suites or groups are the IANA's, as text that the
// parser has checked; nothing here knows TLS.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gaiter::policy {

enum class Tls : uint8_t { required, optional, off, block };
enum class Role : uint8_t { automatic, server, client };
enum class Mode : uint8_t { enforce, monitor };
enum class ClientAuth : uint8_t { none, optional, required };
enum class Verify : uint8_t { full, chain, pinned, none };
enum class Profile : uint8_t { modern, intermediate, fips };
enum class Version : uint8_t { tls12, tls13 };
enum class Truncation : uint8_t { error, eof };
enum class SniUnmatched : uint8_t { use_default, refuse };
enum class Ocsp : uint8_t { automatic, off };
enum class Revocation : uint8_t { off, soft, hard };
enum class OnChange : uint8_t { keep, drain };
enum class Engine : uint8_t { automatic, kernel, ipsec_mb, openssl };
enum class Accelerator : uint8_t { automatic, off, require };

// The word that a policy uses for each: "required", "TLSv1.2", "auto", ...
std::string_view to_string(Tls);
std::string_view to_string(Role);
std::string_view to_string(Mode);
std::string_view to_string(ClientAuth);
std::string_view to_string(Verify);
std::string_view to_string(Profile);
std::string_view to_string(Version);
std::string_view to_string(Truncation);
std::string_view to_string(SniUnmatched);
std::string_view to_string(Ocsp);
std::string_view to_string(Revocation);
std::string_view to_string(OnChange);
std::string_view to_string(Engine);
std::string_view to_string(Accelerator);

// The certificates of a server for the names that clients ask for. Exact names
// win over patterns; "*" in "*.example" stands for exactly one label.
struct SniEntry {
  std::string pattern;              // lower case: "www.example", "*.example"
  std::vector<std::string> labels;  // as Settings::certificates
  bool operator==(const SniEntry&) const = default;
};

// One attribute of a distinguished name: type "CN", value with escapes undone.
// A type without a short name is an OID, "1.2.840.113549.1.9.1".
struct NameAttribute {
  std::string type;
  std::string value;
  bool operator==(const NameAttribute&) const = default;
};

// Whom a rule allows or denies: what a verified certificate has to have.
//
//   dns:   a subjectAltName dNSName; * stands for characters other than "."
//   uri:   a subjectAltName URI; * stands for characters other than "/", at the
//          very end for any characters; scheme and authority hold no *
//   email: a subjectAltName rfc822Name; * only before the @
//   ip:    a subjectAltName iPAddress, equal to the address or within the prefix
//   subject:, issuer: the name has every one of the attributes, in any order,
//          compared exactly
//   fingerprint: SHA-256 of the certificate
struct PeerPattern {
  enum class Kind : uint8_t { dns, uri, email, ip, subject, issuer, fingerprint };
  Kind kind;
  // Without "dns:"; dns and email domains in lower case, a fingerprint as 64
  // lower-case hex digits, an address as "10.0.0.0/8" or "2001:db8::1".
  std::string text;
  std::vector<NameAttribute> name = {};  // of subject and issuer
  bool operator==(const PeerPattern&) const = default;
};
std::string_view to_string(PeerPattern::Kind);

// A group for key exchange. One that is not required is left out where the
// OpenSSL in use does not have it.
struct Group {
  std::string name;  // as OpenSSL calls it: "X25519MLKEM768", "P-256"
  bool required = false;
  bool operator==(const Group&) const = default;
};

using Sha256 = std::array<uint8_t, 32>;

// The settings `session` and `rekey`.
struct Session {
  uint32_t cache = 256;                 // sessions that a client remembers; 0 = resumes none
  std::chrono::seconds lifetime{7200};  // of tickets and of sessions
  uint32_t tickets = 1;                 // that a server issues; 0 = resumes none
  std::string ticket_keys;              // absolute path; "" = KEYRING/ticket.keys if it exists
  bool operator==(const Session&) const = default;
};
struct Rekey {
  uint64_t bytes = 0;               // sent under one key; 0 = the AEAD's own limit
  std::chrono::seconds seconds{0};  // 0 = no such limit
  bool operator==(const Rekey&) const = default;
};

struct Settings {
  Tls tls = Tls::required;
  Role role = Role::automatic;  // inbound: server, outbound: client
  Mode mode = Mode::enforce;
  // From this day on, 00:00 UTC, the exception that tls or mode makes is over:
  // see tls_at() and mode_at().
  std::optional<std::chrono::sys_days> until;

  // Labels of the keyring; "" in the list is the keyring's default. Never empty
  // for a TLS server; empty = none for a client.
  std::vector<std::string> certificates;
  std::vector<SniEntry> sni;                               // server
  SniUnmatched sni_unmatched = SniUnmatched::use_default;  // server: `certificates`, or an alert

  // Labels of the keyring's entries that vouch for peers of this rule; empty = all that it
  // trusts.
  std::vector<std::string> trust;
  ClientAuth client_auth = ClientAuth::none;  // server
  // Who may be at the other end, of those whose certificate is verified. Denied
  // wins. `allow` empty = anybody trusted; a server with client_auth = required
  // has said so explicitly (allow_any_trusted). With client_auth = optional, a
  // client without a certificate is let in.
  bool allow_any_trusted = false;
  std::vector<PeerPattern> allow;
  std::vector<PeerPattern> deny;
  bool map_user = false;  // server: the client's certificate must map to a local user
  std::string map_file;   // server; absolute path, "" = user.map beside gaiter.conf

  Verify verify = Verify::full;  // client
  // Client: SHA-256 of SubjectPublicKeyInfo. With `pinned` one of them is all that
  // is asked of the server's certificate; with full and chain, if any, one more thing.
  std::vector<Sha256> pins;
  std::string server_name;  // client; "" = the name the program looked up; may contain %h for it
  // Client: names behind one server, exact or "*.example" (one label), in lower case. Of
  // several that the program may mean, only the one that it looked up last counts.
  std::vector<std::string> interchangeable;

  Profile profile = Profile::intermediate;
  Version min_version = Version::tls12;
  Version max_version = Version::tls13;
  std::vector<std::string> suites;      // IANA names, TLS 1.2 and 1.3; empty = all that Gaiter has
  std::vector<Group> groups;            // empty = Gaiter's own
  std::vector<std::string> signatures;  // IANA names; empty = Gaiter's own
  std::vector<std::string> alpn;        // empty = none

  Session session;
  Rekey rekey;
  std::chrono::milliseconds handshake_timeout{10'000};
  std::chrono::milliseconds close_timeout{1'000};  // that shutdown(2) and close(2) may wait for
  Truncation truncation = Truncation::error;

  Ocsp ocsp = Ocsp::automatic;  // server: staple what the keyring has
  bool must_staple = false;     // client
  Revocation revocation = Revocation::soft;

  OnChange on_change = OnChange::keep;
  Engine engine = Engine::automatic;
  Accelerator accelerator = Accelerator::automatic;

  bool operator==(const Settings&) const = default;
};

// How many keys a section can have: one each for the members of Settings, but for
// allow_any_trusted, which `allow` sets.
inline constexpr size_t setting_count = 35;

// What holds at `now`. Once `until` has come, the exceptions are over: off and optional are
// required (block stays block), and the mode is enforce. Nobody else works this out.
Tls tls_at(const Settings& settings, std::chrono::system_clock::time_point now);
Mode mode_at(const Settings& settings, std::chrono::system_clock::time_point now);

// Whether a connection may ever be protected by these settings: now, or once `until`
// has come.
bool may_protect(const Settings& settings);

}  // namespace gaiter::policy
