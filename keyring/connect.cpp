// Entries that are shared by several keyrings.
#include <openssl/x509v3.h>

#include <algorithm>

#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/label.h"
#include "keyring/store.h"

namespace gaiter::keyring {

Result<Entry> connect_entry(const Keyring& keyring, const std::string& label, const Keyring& other,
                            const std::string& target, std::optional<Usage> usage) {
  if (auto good = check_label(label); !good) return pass_on(good);
  const auto refuse = [&](const std::string& why) {
    return fail(Error::Kind::invalid, "\"" + target + "\" of " + other.path() + " " + why);
  };
  const auto there = other.entry(target);
  if (!there) return std::unexpected(there.error());
  const bool of_system = other.path() == system_repository;
  if (!of_system && !other.path().starts_with('/')) {
    return refuse("cannot be shared: it is in a PKCS#12 file; import it");
  }
  NewEntry entry;
  entry.conf = {.usage = usage.value_or(there->usage), .trusted = true, .origin = "connected"};
  entry.conf.connected = !there->connected.empty() ? there->connected
                         : of_system               ? system_repository
                                                   : other.path() + "/" + target;
  if (entry.conf.connected == keyring.path() + "/" + label) return refuse("is that entry itself");
  if (entry.conf.usage == Usage::personal && !there->has_key) {
    return refuse("has no private key, which usage personal needs");
  }
  if (entry.conf.usage == Usage::ca && there->usage == Usage::site) {
    return refuse(
        "is a site there, trusted for itself alone, and usage ca would let it vouch for others");
  }
  if (entry.conf.usage == Usage::ca) {
    const auto not_ca = [](const CertificatePtr& one) { return X509_check_ca(one.get()) == 0; };
    if (not_ca(there->leaf)) return refuse("is not a CA's, which usage ca needs");
  }
  return put_entry(keyring, label, entry, false);
}

Result<void> disconnect_entry(const Keyring& keyring, const std::string& label) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  if (auto good = check_label(label); !good) return good;
  // Only the conf: what it is connected to may be gone.
  const auto files = read_entry(writer->directory(), label, Depth::conf, nullptr);
  if (!files && files.error().kind == Error::Kind::not_found) {
    const auto entry = keyring.entry(label);
    return fail(Error::Kind::not_found, entry ? "it is gone" : entry.error().message);
  }
  if (!files) return std::unexpected(files.error());
  if (files->conf.connected.empty()) {
    return fail(Error::Kind::invalid, "\"" + label +
                                          "\" is not connected, it is here and nowhere else; to "
                                          "remove it: gaiter keyring delete " +
                                          label);
  }
  return writer->remove(label);
}

}  // namespace gaiter::keyring
