// All that is in a keyring, for tables: what can be read, and what is wrong with the rest.
#pragma once

#include <string>
#include <vector>

#include "keyring/keyring.h"
#include "keyring/request.h"

namespace gaiter::keyring {

// An entry that waits for its certificate.
struct Requested {
  std::string label;
  Usage usage;
  std::string origin;
  RequestPtr request;  // null if its file is missing
};

struct Unreadable {
  std::string label;
  Error error;
};

// Each sorted by label.
struct Listing {
  std::vector<Entry> entries;
  std::vector<Requested> requested;
  std::vector<Unreadable> unreadable;
};

// Made for ten thousand entries: the public keys of their certificates are not decoded, so
// X509_get0_pubkey() is null, and keyring/public_key.h tells what there is to tell. No
// private key is opened.
Result<Listing> read_listing(const Keyring& keyring);

}  // namespace gaiter::keyring
