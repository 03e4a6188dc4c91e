#include "keyring/store.h"

#include <openssl/x509v3.h>

#include <optional>

#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/issue.h"
#include "keyring/label.h"
#include "keyring/pem.h"
#include "keyring/signer.h"
#include "keyring/writer.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

// That the entry is there. Something may be wrong with it: it can be removed all the same.
Result<void> require(const Keyring& keyring, const std::string& label) {
  if (auto good = check_label(label); !good) return good;
  auto entry = keyring.entry(label);
  if (!entry && entry.error().kind == Error::Kind::not_found) return pass_on(entry);
  return {};
}

// Of an entry that is there.
Result<EntryConf> conf_of(const Keyring& keyring, const std::string& label) {
  const auto entry = keyring.entry(label);
  if (!entry) return std::unexpected(entry.error());
  return EntryConf{.usage = entry->usage,
                   .trusted = entry->trusted,
                   .origin = entry->origin,
                   .connected = entry->connected};
}

}  // namespace

Result<Entry> put_entry(const Keyring& keyring, const std::string& label, const NewEntry& entry,
                        bool replace) {
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  if (auto written = writer->put(label, entry, replace); !written) return pass_on(written);
  return keyring.entry(label);
}

Result<Keyring> create_keyring(const std::string& path, AskPassphrase ask) {
  {
    auto writer = Writer::lock_new(path);
    if (!writer) return pass_on(writer);
    if (!writer->is_keyring()) {
      if (auto made = writer->put_conf({}); !made) return pass_on(made);
    }
  }
  return Keyring::open(path, std::move(ask));
}

Result<Entry> create_entry(const Keyring& keyring, const NewCertificate& request) {
  if (auto good = check_label(request.label); !good) return pass_on(good);
  std::optional<Identity> ca;
  if (!request.signer.empty()) {
    auto found = signer(keyring, request.signer);
    if (!found) return pass_on(found);
    ca = *std::move(found);
  }
  auto key = make_key(request.key_type);
  if (!key) return pass_on(key);
  auto certificate = issue(request, key->get(), ca ? &*ca : nullptr);
  if (!certificate) return pass_on(certificate);

  NewEntry entry{.conf = {.usage = request.is_ca ? Usage::ca : Usage::personal,
                          .trusted = true,
                          .origin = ca ? "signed by " + ca->label : "created"},
                 .certificates = {certificate->get()},
                 .key = key->get()};
  if (ca) entry.certificates = shown_chain(certificate->get(), *ca);
  return put_entry(keyring, request.label, entry, false);
}

Result<void> set_default(const Keyring& keyring, std::string_view label) {
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  const auto entry = keyring.entry(label);
  if (!entry) return std::unexpected(entry.error());
  if (entry->usage != Usage::personal || !entry->has_key) {
    return fail(Error::Kind::invalid, "\"" + entry->label +
                                          "\" cannot be the default: it is not a personal entry "
                                          "with a private key");
  }
  auto conf = writer->conf();
  if (!conf) return pass_on(conf);
  conf->default_label = entry->label;
  return writer->put_conf(*conf);
}

Result<void> set_trust(const Keyring& keyring, const std::string& label, bool trusted) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  auto conf = conf_of(keyring, label);
  if (!conf) return pass_on(conf);
  conf->trusted = trusted;
  const std::string text = print(*conf);
  return writer->change(label, {{.name = entry_conf, .content = text}});
}

Result<void> rename_entry(const Keyring& keyring, const std::string& from, const std::string& to) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  if (const auto entry = require(keyring, from); !entry) return std::unexpected(entry.error());
  return writer->rename(from, to);
}

Result<void> delete_entry(const Keyring& keyring, const std::string& label) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  if (const auto entry = require(keyring, label); !entry) return std::unexpected(entry.error());
  return writer->remove(label);
}

}  // namespace gaiter::keyring
