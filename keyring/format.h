// The names of a keyring's files, and the `key = value` lines in them
// (keyring/FORMAT.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// In the keyring's directory.
inline constexpr const char* keyring_conf = "keyring.conf";
inline constexpr const char* lock_name = ".keyring.lock";
inline constexpr const char* ticket_keys = "ticket.keys";
inline constexpr std::string_view temporary_prefix = ".tmp-";

// In an entry's directory.
inline constexpr const char* entry_conf = "entry.conf";
inline constexpr const char* certificate_pem = "certificate.pem";
inline constexpr const char* key_pem = "key.pem";
inline constexpr const char* request_pem = "request.pem";
inline constexpr const char* next_key_pem = "next-key.pem";
inline constexpr const char* next_certificate_pem = "next-certificate.pem";
inline constexpr const char* previous_pem = "previous.pem";
inline constexpr std::string_view former_key_prefix = "previous-key-";  // keyring/former_keys.h
inline constexpr const char* ocsp_der = "ocsp.der";
inline constexpr const char* crl_pem = "crl.pem";
inline constexpr const char* revoked_list = "revoked";

// keyring.conf
struct KeyringConf {
  std::string default_label = {};    // "" = none
  bool encrypted = false;            // keys are written under a passphrase
  std::string passphrase_file = {};  // where a service finds it; absolute; "" = not there
};

// entry.conf
struct EntryConf {
  Usage usage = Usage::personal;
  bool trusted = true;
  std::string origin = {};
  // The entry of another keyring that this one stands for, "/etc/gaiter/keyring/web", or
  // "system:"; "" = the files are here.
  std::string connected = {};
};

// `path` names the file in error messages. An unknown key or value is an error:
// a misspelt `trust = off` must not mean trust.
Result<KeyringConf> parse_keyring_conf(std::string_view text, const std::string& path);
Result<EntryConf> parse_entry_conf(std::string_view text, const std::string& path);

std::string print(const KeyringConf& conf);
std::string print(const EntryConf& conf);

// "personal", "ca", "site"
const char* word(Usage usage);
Result<Usage> usage_of(std::string_view word);

}  // namespace gaiter::keyring
