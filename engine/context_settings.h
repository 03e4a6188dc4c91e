// What a Context is made from: every decision of a policy, and what the keyring
// gave for it, as values.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/peer_pattern.h"
#include "engine/record_state.h"
#include "keyring/keyring.h"
#include "keyring/ticket_keys.h"

namespace gaiter::engine {

enum class PeerCertificate { none, optional, required };  // asked of a client
// Made of a server. `pinned`: its key is one of the pins, whoever issued what.
enum class PeerCheck { full, chain, pinned, none };

// As of November 2026; engine/protocol.cpp says what each consists of.
enum class Profile { modern, intermediate, fips };

// Of the peer's certificates by the CRLs there are: must there be one for each (hard)?
enum class Revocation { off, soft, hard };

enum class RecordEngine { automatic, kernel, ipsec_mb, openssl };
enum class Accelerator { automatic, off, require };

// A group for key exchange; one that is not required is left out where this OpenSSL
// does not have it.
struct Group {
  std::string name;  // "X25519MLKEM768", "P-256"
  bool required = false;
};

// A certificate that fits all of `patterns` stands for the local user `user`.
struct UserFilter {
  std::vector<PeerPattern> patterns;
  std::string user;
};

// What a server shows to clients that ask for a name: "www.example", or "*.example"
// for exactly one label more.
struct NamedIdentities {
  std::string pattern;
  std::vector<keyring::Identity> identities;
};

using Sha256 = std::array<uint8_t, 32>;

struct ContextSettings {
  Role role = Role::client;

  // ---- the protocol; empty lists are the profile's ----
  Profile profile = Profile::intermediate;
  Version min_version = Version::tls12;
  Version max_version = Version::tls13;
  std::vector<std::string> suites;      // IANA names, of either version, preferred first
  std::vector<Group> groups;            // preferred first
  std::vector<std::string> signatures;  // IANA names, preferred first
  std::vector<std::string> alpn;        // RFC 7301, preferred first; empty = not spoken

  // ---- ourselves: of several identities the peer's abilities choose ----
  std::vector<keyring::Identity> identities;  // role server needs one, a client may have one
  std::vector<NamedIdentities> sni;           // role server
  bool refuse_unknown_names = false;          // of clients that ask for no name in `sni`
  bool staple = true;  // role server: OCSP responses that the identities have

  // ---- the peer ----
  PeerCertificate client_auth = PeerCertificate::none;  // role server
  PeerCheck verify = PeerCheck::full;                   // role client
  TrustStorePtr trust;                                  // null if nothing is verified by it
  std::vector<CertificatePtr> sites;                    // peers trusted as they are: keyring::Trust
  // Of the server's SubjectPublicKeyInfo, or of a certificate's above it in the
  // verified chain: one must be among them, unless there are none. Role client.
  std::vector<Sha256> pins;
  bool must_staple = false;  // role client: only with a good OCSP response
  Revocation revocation = Revocation::soft;
  std::vector<CrlPtr> crls;
  std::vector<PeerPattern> allow;  // empty = whoever is trusted
  std::vector<PeerPattern> deny;   // wins over allow
  // Role server: a client's certificate must stand for a user that `user_exists` knows,
  // which is asked at each handshake.
  bool map_user = false;
  std::vector<UserFilter> user_map;
  bool (*user_exists)(const std::string& user) = nullptr;

  // ---- sessions: resumed only where all that decides about the peer is the same ----
  std::string session_scope;                    // names the rule
  size_t session_cache = 256;                   // that a client remembers; 0 = resumes none
  std::chrono::seconds session_lifetime{7200};  // at most 7 days (RFC 8446 4.6.1)
  // That a server issues at a time; 0 = resumes none. A client that comes again gets
  // the next one then, and one with many connections at a time gets one on each: a
  // second would cost every handshake what few clients can use.
  size_t tickets = 1;
  // Shared with other servers, the first encrypts; empty = keys of this process.
  std::vector<keyring::TicketKey> ticket_keys;

  // ---- records ----
  uint64_t rekey_bytes = 0;  // under one key, TLS 1.3; 0 = the AEAD's own limit
  RecordEngine record_engine = RecordEngine::automatic;
  Accelerator accelerator = Accelerator::automatic;
};

}  // namespace gaiter::engine
