#include "keyring/pending.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/issue.h"
#include "keyring/label.h"
#include "keyring/pem.h"
#include "keyring/public_key.h"
#include "keyring/signer.h"
#include "keyring/succession.h"
#include "keyring/verify.h"
#include "keyring/words.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

std::unexpected<Error> refuse(const std::string& why) { return fail(Error::Kind::invalid, why); }

template <class T>
bool is_not_found(const Result<T>& result) {
  return !result && result.error().kind == Error::Kind::not_found;
}

// The keys of an entry that may wait for an answer.
struct Keys {
  std::optional<NextFiles> next;
  std::optional<Identity> in_use;
};

Result<Keys> read_keys(const Keyring& keyring, const std::string& label) {
  Keys keys;
  auto in_use = keyring.identity(label);
  const bool pending = !in_use && in_use.error().kind == Error::Kind::pending;
  if (!in_use && !pending) return pass_on(in_use);
  if (in_use) keys.in_use = *std::move(in_use);
  auto next = read_next(keyring, label);
  if (!next && (pending || !is_not_found(next))) return pass_on(next);
  if (next) keys.next.emplace(*std::move(next));
  return keys;
}

// The certificates of all `ca` entries: what a chain can be completed from.
Result<std::vector<CertificatePtr>> known_cas(const Keyring& keyring) {
  auto entries = keyring.entries();
  if (!entries) return pass_on(entries);
  std::vector<CertificatePtr> all;
  for (Entry& entry : *entries) {
    if (entry.usage != Usage::ca) continue;
    all.push_back(std::move(entry.leaf));
    for (CertificatePtr& link : entry.chain) all.push_back(std::move(link));
  }
  return all;
}

// A chain, and whether it ends at a CA of the system's that is not one of the keyring's.
struct Completed {
  std::vector<CertificatePtr> chain;  // the leaf first
  bool by_system = false;
};

// Adds what the chain lacks; without what does not belong to it.
Result<void> add_cas(const Keyring& keyring, std::vector<CertificatePtr>& certificates) {
  auto cas = known_cas(keyring);
  if (!cas) return pass_on(cas);
  std::ranges::move(*cas, std::back_inserter(certificates));
  return {};
}

Result<std::vector<CertificatePtr>> chain_to(const Keyring& keyring,
                                             const std::vector<CertificatePtr>& certificates) {
  auto trust = keyring.trust();
  if (!trust) return pass_on(trust);
  std::vector<const X509*> others;
  for (const CertificatePtr& one : certificates) others.push_back(one.get());
  return verify(certificates.front().get(), others, *trust, {});
}

// `certificates`, the leaf first, as a chain that ends at a CA that the keyring trusts, or
// else the system; with `any_ca` as far as it goes.
Result<Completed> complete(const Keyring& keyring, std::vector<CertificatePtr> certificates,
                           bool any_ca) {
  if (auto added = add_cas(keyring, certificates); !added) return pass_on(added);
  const auto system = Keyring::open(system_repository);  // there may be none
  if (any_ca) {
    if (system) static_cast<void>(add_cas(*system, certificates));
    sort_chain(certificates);
    return Completed{std::move(certificates)};
  }
  auto chain = chain_to(keyring, certificates);
  if (chain) return Completed{*std::move(chain)};
  if (system) {
    if (auto public_chain = chain_to(*system, certificates)) {
      return Completed{*std::move(public_chain), true};
    }
  }
  return refuse(chain.error().message +
                "; import its CA first (gaiter keyring import LABEL --cert ca.pem), or take it as "
                "it is with --any-ca");
}

Result<void> check_now(const X509* leaf) {
  if (X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0) return {};
  return refuse(subject_text(leaf) + " expired on " + time_text(time_of(X509_get0_notAfter(leaf))));
}

std::vector<std::string> missing_names(const X509_REQ* request, const X509* certificate) {
  std::vector<std::string> missing;
  if (request == nullptr) return missing;
  const auto given = alternative_name_texts(alternative_names(certificate).get());
  for (std::string& name : alternative_name_texts(alternative_names(request).get())) {
    if (std::ranges::find(given, name) == given.end()) missing.push_back(std::move(name));
  }
  return missing;
}

std::unexpected<Error> refuse_key(const X509* leaf, const std::string& label, const Keys& keys,
                                  const std::string& name) {
  const EVP_PKEY* waiting = keys.next ? keys.next->key.get() : keys.in_use->key.get();
  return refuse(name + " is not for \"" + label + "\": " + subject_text(leaf) +
                " is for the key SHA-256 " + key_fingerprint(X509_get0_pubkey(leaf)).substr(0, 16) +
                "..., and the request was for " + key_fingerprint(waiting).substr(0, 16) + "...");
}

// What a first certificate makes of a pending entry.
Result<void> join(Writer& writer, const std::string& label, const Keys& keys, Usage usage,
                  const std::string& pem, const std::string& origin) {
  const std::string conf = print(EntryConf{.usage = usage, .trusted = true, .origin = origin});
  return writer.change(label, {{key_pem, keys.next->key_file.view(), secret_mode},
                               {certificate_pem, pem},
                               {entry_conf, conf},
                               {next_key_pem},
                               {request_pem}});
}

}  // namespace

Result<RequestPtr> waiting_request(const Keyring& keyring, const std::string& label) {
  auto content = read_entry_file(keyring, label, request_pem, Guard::write);
  if (is_not_found(content)) return RequestPtr();
  if (!content) return pass_on(content);
  return parse_request(content->view(), keyring.path() + "/" + label + "/" + request_pem);
}

Result<RequestPtr> request_entry(const Keyring& keyring, const NewRequest& wanted) {
  if (auto good = check_label(wanted.label); !good) return pass_on(good);
  auto subject = make_subject(wanted.common_name);
  if (!subject) return pass_on(subject);
  auto names = general_names(wanted.names);
  if (!names) return pass_on(names);
  auto key = make_key(wanted.key_type);
  if (!key) return pass_on(key);
  auto request = make_request(subject->get(), names->get(), key->get(), wanted.purpose);
  if (!request) return pass_on(request);
  auto text = to_pem(request->get());
  auto key_text = key_to_pem(key->get());
  if (!text) return pass_on(text);
  if (!key_text) return pass_on(key_text);
  const std::string conf = print(EntryConf{.origin = "requested"});
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  auto added = writer->add(
      wanted.label,
      {{entry_conf, conf}, {next_key_pem, contents(*key_text), secret_mode}, {request_pem, *text}});
  if (!added) return pass_on(added);
  return request;
}

Result<RequestPtr> request_again(const Keyring& keyring, const std::string& label) {
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  auto keys = read_keys(keyring, label);
  if (!keys) return pass_on(keys);
  auto waiting = waiting_request(keyring, label);
  if (!waiting || *waiting != nullptr) return waiting;
  if (!keys->in_use) {
    return refuse("\"" + label + "\" has lost its " + request_pem + ": delete it and ask anew");
  }
  X509* const leaf = keys->in_use->leaf.get();
  EVP_PKEY* const key = keys->next ? keys->next->key.get() : keys->in_use->key.get();
  auto request = make_request(X509_get_subject_name(leaf), alternative_names(leaf).get(), key,
                              KeyPurpose::both);
  if (!request) return pass_on(request);
  auto text = to_pem(request->get());
  if (!text) return pass_on(text);
  auto written = writer->change(label, {{request_pem, *text}});
  if (!written) return pass_on(written);
  return request;
}

Result<Received> receive_answer(const Keyring& keyring, const std::string& label,
                                std::string_view answer, const std::string& name, bool any_ca) {
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  auto keys = read_keys(keyring, label);
  if (!keys) return pass_on(keys);
  auto bundle = parse_bundle(answer, name);
  if (!bundle) return pass_on(bundle);
  if (bundle->certificates.empty()) return refuse(name + " holds no certificate");
  auto& certificates = bundle->certificates;
  const bool for_next = keys->next && bring_leaf_forward(certificates, keys->next->key.get());
  if (!for_next && !(keys->in_use && bring_leaf_forward(certificates, keys->in_use->key.get()))) {
    bring_leaf_forward(certificates, nullptr);
    return refuse_key(certificates.front().get(), label, *keys, name);
  }
  if (auto good = check_now(certificates.front().get()); !good) return pass_on(good);
  auto request = waiting_request(keyring, label);
  if (!request) return pass_on(request);
  auto completed = complete(keyring, std::move(certificates), any_ca);
  if (!completed) return pass_on(completed);
  std::vector<CertificatePtr>& chain = completed->chain;

  const X509* const leaf = chain.front().get();
  const auto shown = shown_chain(leaf, chain);
  const std::string origin = "signed by " + name_text(X509_get_issuer_name(leaf));
  auto pem = certificates_to_pem(shown);
  if (!pem) return pass_on(pem);
  Result<void> written;
  if (for_next && !keys->in_use) {
    written = join(*writer, label, *keys, Usage::personal, *pem, origin);
  } else if (for_next) {
    written = writer->change(label, {{next_certificate_pem, *pem}, {request_pem}});
  } else {
    auto succession = succeed(keyring, label, shown, origin);
    if (!succession) return pass_on(succession);
    written = writer->change(label, succession->changes());
  }
  if (!written) return pass_on(written);
  auto missing = missing_names(request->get(), leaf);
  std::string root = completed->by_system ? subject_text(chain.back().get()) : "";
  return Received{std::move(chain.front()), for_next && keys->in_use, std::move(missing),
                  std::move(root)};
}

}  // namespace gaiter::keyring
