#include "keyring/renew.h"

#include "keyring/errors.h"
#include "keyring/former_keys.h"
#include "keyring/issue.h"
#include "keyring/pem.h"
#include "keyring/revocation.h"
#include "keyring/signer.h"
#include "keyring/succession.h"
#include "keyring/withdrawn.h"
#include "keyring/words.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

std::unexpected<Error> refuse(const std::string& why) { return fail(Error::Kind::invalid, why); }

std::string origin_of(const std::optional<Identity>& signer) {
  return signer ? "signed by " + signer->label : "created";
}

std::vector<const X509*> chain_of(const X509* leaf, const std::optional<Identity>& signer) {
  return signer ? shown_chain(leaf, *signer) : std::vector{leaf};
}

// A key that somebody else has gets no new certificate.
Result<void> check_not_lost(const Keyring& keyring, const Identity& identity) {
  const auto lists = keyring.crls();
  if (!lists) return std::unexpected(lists.error());
  const auto withdrawn = find_withdrawn(*lists, identity.leaf.get());
  if (!withdrawn || !withdrawn->is_key_lost()) return {};
  return refuse("\"" + identity.label + "\" " + withdrawn_text(*withdrawn) +
                ": its key must not be used any more; make a new one: gaiter keyring rekey " +
                identity.label + ", then gaiter keyring rollover " + identity.label);
}

// The same certificate once more, for `key`.
Result<CertificatePtr> issue_again(X509* old, EVP_PKEY* key, const std::optional<Identity>& signer,
                                   std::chrono::seconds lifetime) {
  auto extensions = extensions_to_keep(old);
  if (!extensions) return pass_on(extensions);
  return issue(
      {.subject = X509_get_subject_name(old), .extensions = *extensions, .lifetime = lifetime}, key,
      signer ? &*signer : nullptr);
}

Result<void> check_no_next(const Keyring& keyring, const std::string& label) {
  const auto next = read_entry_file(keyring, label, next_key_pem, Guard::read);
  if (!next && next.error().kind == Error::Kind::not_found) return {};
  return fail(Error::Kind::exists, "\"" + label +
                                       "\" has a next key already: switch to it with `gaiter "
                                       "keyring rollover`, or make another with --again");
}

// What a CA's rollover leaves of the key in use: it goes on signing lists of what it signed.
struct Leaving {
  std::string key_file;  // its name; "" = nothing is left
  std::optional<Content> key;
  std::optional<std::string> crls;  // as they shall be
};

Result<Leaving> leave(const Keyring& keyring, const Entry& old, const NextFiles& next) {
  Leaving leaving;
  if (old.usage != Usage::ca || !old.has_key) return leaving;
  // A `ca` entry may hold others' certificates too.
  auto in_use = keyring.identity(old.label);
  if (!in_use) return pass_on(in_use);
  if (X509_cmp_current_time(X509_get0_notAfter(in_use->leaf.get())) < 0) return leaving;
  auto key = read_entry_file(keyring, old.label, key_pem, Guard::read);
  if (!key) return pass_on(key);
  leaving.key_file = former_key_file(in_use->leaf.get());
  leaving.key = *std::move(key);
  X509_up_ref(next.certificates.front().get());
  EVP_PKEY_up_ref(next.key.get());
  auto crls = crls_after_rollover(keyring, old.label,
                                  {.label = old.label,
                                   .leaf = CertificatePtr(next.certificates.front().get()),
                                   .chain = {},
                                   .key = KeyPtr(next.key.get())});
  if (!crls) return pass_on(crls);
  leaving.crls = *std::move(crls);
  return leaving;
}

Result<Rekeyed> make_next(const Identity& old, EVP_PKEY* key,
                          const Result<std::optional<Identity>>& signer) {
  Rekeyed made;
  if (signer) {
    auto certificate = issue_again(old.leaf.get(), key, *signer, lifetime_of(old.leaf.get()));
    if (!certificate) return pass_on(certificate);
    made.certificate = *std::move(certificate);
    return made;
  }
  const NamesPtr names = alternative_names(old.leaf.get());
  auto request = make_request(X509_get_subject_name(old.leaf.get()), names.get(), key);
  if (!request) return pass_on(request);
  made.request = *std::move(request);
  return made;
}

}  // namespace

Result<Entry> renew_entry(const Keyring& keyring, const std::string& label,
                          std::optional<std::chrono::days> lifetime) {
  if (lifetime) {
    if (auto good = check_lifetime(*lifetime); !good) return pass_on(good);
  }
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  auto old = keyring.identity(label);
  if (!old) return pass_on(old);
  if (auto good = check_not_lost(keyring, *old); !good) return pass_on(good);
  auto signer = find_signer(keyring, old->leaf.get());
  if (!signer) return pass_on(signer);
  auto certificate =
      issue_again(old->leaf.get(), old->key.get(), *signer,
                  lifetime ? std::chrono::seconds(*lifetime) : lifetime_of(old->leaf.get()));
  if (!certificate) return pass_on(certificate);
  auto succession =
      succeed(keyring, label, chain_of(certificate->get(), *signer), origin_of(*signer));
  if (!succession) return pass_on(succession);
  if (auto written = writer->change(label, succession->changes()); !written) {
    return pass_on(written);
  }
  return keyring.entry(label);
}

Result<Rekeyed> rekey_entry(const Keyring& keyring, const std::string& label,
                            std::optional<KeyType> type, bool again) {
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  auto old = keyring.identity(label);
  if (!old) return pass_on(old);
  // Before the lock: it may take seconds.
  auto key = make_key(type.value_or(key_type_of(old->key.get())));
  if (!key) return pass_on(key);
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  if (!again) {
    if (auto free = check_no_next(keyring, label); !free) return pass_on(free);
  }
  const auto signer = find_signer(keyring, old->leaf.get());
  auto made = make_next(*old, key->get(), signer);
  if (!made) return pass_on(made);

  auto key_text = key_to_pem(key->get());
  if (!key_text) return pass_on(key_text);
  auto text = made->request != nullptr
                  ? to_pem(made->request.get())
                  : certificates_to_pem(chain_of(made->certificate.get(), *signer));
  if (!text) return pass_on(text);
  std::vector<FileChange> files{
      {next_key_pem, contents(*key_text), secret_mode}, {request_pem}, {next_certificate_pem}};
  files[made->request != nullptr ? 1 : 2].content = *text;
  if (auto written = writer->change(label, files); !written) return pass_on(written);
  return made;
}

Result<Entry> roll_over_entry(const Keyring& keyring, const std::string& label) {
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  auto old = keyring.entry(label);
  if (!old) return old;
  auto next = read_next(keyring, label);
  if (!next && next.error().kind == Error::Kind::not_found) {
    return refuse("\"" + label + "\" has no next key: make one with `gaiter keyring rekey " +
                  label + "`");
  }
  if (!next) return pass_on(next);
  if (next->certificates.empty()) {
    return refuse("the next key of \"" + label +
                  "\" has no certificate yet: let a CA sign its request, then: gaiter keyring "
                  "receive " +
                  label + " FILE");
  }
  const X509* const leaf = next->certificates.front().get();
  if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0 ||
      X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) {
    return refuse("the next certificate of \"" + label + "\" is valid from " +
                  time_text(time_of(X509_get0_notBefore(leaf))) + " to " +
                  time_text(time_of(X509_get0_notAfter(leaf))) + ", and not now");
  }
  auto succession = succeed(keyring, label, shown_chain(leaf, next->certificates), "rekeyed");
  if (!succession) return pass_on(succession);
  auto leaving = leave(keyring, *old, *next);
  if (!leaving) return pass_on(leaving);
  std::vector<FileChange> files = succession->changes();
  if (leaving->key) {
    files.push_back({leaving->key_file, leaving->key->view(), secret_mode});
  }
  if (leaving->crls) files.push_back({crl_pem, *leaving->crls});
  files.push_back({key_pem, next->key_file.view(), secret_mode});
  files.push_back({next_key_pem});
  files.push_back({next_certificate_pem});
  if (auto written = writer->change(label, files); !written) return pass_on(written);
  return keyring.entry(label);
}

bool needs_renewal(const X509* certificate, const RenewalThreshold& threshold) {
  const auto begin = time_of(X509_get0_notBefore(certificate));
  const auto end = time_of(X509_get0_notAfter(certificate));
  const auto due =
      threshold.percent ? begin + (end - begin) * *threshold.percent / 100 : end - threshold.left;
  return now() >= due;
}

}  // namespace gaiter::keyring
