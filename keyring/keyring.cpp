#include "keyring/keyring.h"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/identities.h"
#include "keyring/issuer_choice.h"
#include "keyring/label.h"
#include "keyring/repository.h"
#include "keyring/trust_of.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

std::unexpected<Error> no_entry(const Repository& repository, std::string_view label) {
  std::string message = "no entry \"" + std::string(label) + "\" in " + repository.path();
  if (const auto all = repository.labels()) {
    message += all->empty() ? ", which has none at all" : "; nearest:";
    for (const std::string& near : nearest_labels(label, *all)) message += " " + near;
  }
  return fail(Error::Kind::not_found, message);
}

Result<EntryFiles> read_labelled(const Repository& repository, const std::string& label,
                                 Depth depth) {
  if (auto good = check_label(label); !good) return pass_on(good);
  auto files = repository.read(label, depth);
  if (!files && files.error().kind == Error::Kind::not_found) return no_entry(repository, label);
  return files;
}

// In a listing: an entry that was deleted meanwhile, or has no certificate yet.
bool passed_over(const Error& error) {
  return error.kind == Error::Kind::not_found || error.kind == Error::Kind::pending;
}

// The label that stands for "" in identity().
Result<std::string> implied_label(const Repository& repository) {
  if (!repository.default_label().empty()) return repository.default_label();
  auto all = repository.labels();
  if (!all) return pass_on(all);
  std::vector<std::string> personal;
  for (const std::string& label : *all) {
    const auto files = repository.read(label, Depth::conf);
    if (files && files->has_key && files->conf.usage == Usage::personal) personal.push_back(label);
  }
  if (personal.size() == 1) return personal.front();
  return fail(Error::Kind::not_found,
              repository.path() + (personal.empty()
                                       ? " holds no personal entry with a key"
                                       : " has several personal entries and no default; choose one "
                                         "with `gaiter keyring default LABEL`"));
}

CertificatePtr share(const CertificatePtr& certificate) {
  X509_up_ref(certificate.get());
  return CertificatePtr(certificate.get());
}

// Adds what `files` is trusted for.
bool add_trust(Trust& trust, const EntryFiles& files) {
  if (files.conf.usage == Usage::site) {  // the site alone, not those who signed it
    if (!files.certificates.empty()) trust.sites.push_back(share(files.certificates.front()));
    return true;
  }
  return std::ranges::all_of(files.certificates, [&](const CertificatePtr& certificate) {
    return X509_STORE_add_cert(trust.authorities.get(), certificate.get()) == 1;
  });
}

bool vouches(const EntryConf& conf) { return conf.trusted && conf.usage != Usage::personal; }

// What was asked for by its label must vouch for peers.
Result<void> check_voucher(const Repository& repository, const std::string& label) {
  const auto files = read_labelled(repository, label, Depth::conf);
  if (!files) return std::unexpected(files.error());
  if (vouches(files->conf)) return {};
  return fail(
      Error::Kind::invalid,
      "entry \"" + label + "\" in " + repository.path() + " vouches for nobody: it " +
          (files->conf.usage == Usage::personal ? "is `personal`, neither a `ca` nor a `site`"
                                                : "says `trust = off`"));
}

// Calls visit(files) for every entry that vouches for peers.
Result<void> for_each_voucher(const Repository& repository, const auto& visit) {
  auto all = repository.labels();
  if (!all) return pass_on(all);
  for (const std::string& label : *all) {
    // A personal entry vouches for nobody, so nothing wrong with it matters here.
    const auto conf = repository.read(label, Depth::conf);
    if (conf && !vouches(conf->conf)) continue;
    auto files = repository.read(label, Depth::certificates);
    if (!files && passed_over(files.error())) continue;
    if (!files) return pass_on(files);
    if (!vouches(files->conf)) continue;
    if (auto visited = visit(*files); !visited) return visited;
  }
  return {};
}

// Every certificate of the keyring's CAs, read when the first is needed.
class Authorities {
 public:
  explicit Authorities(const Repository& repository) : repository_(repository) {}

  // What issued `certificate`; null if none did.
  CertificatePtr issuer_of(const X509* certificate) {
    if (!std::exchange(is_read_, true)) read();
    const auto issuer = std::ranges::find_if(all_, [&](const CertificatePtr& candidate) {
      return issued(candidate.get(), certificate);
    });
    if (issuer == all_.end()) return nullptr;
    X509_up_ref(issuer->get());
    return CertificatePtr(issuer->get());
  }

 private:
  void read() {
    const auto done = for_each_voucher(repository_, [&](EntryFiles& files) -> Result<void> {
      if (files.conf.usage == Usage::ca)
        std::ranges::move(files.certificates, std::back_inserter(all_));
      return {};
    });
    // What is wrong with a CA's entry is no reason to refuse another one.
    if (!done) take_openssl_reason();
  }

  const Repository& repository_;
  bool is_read_ = false;
  std::vector<CertificatePtr> all_;
};

// Adds what is missing between the chain's end and its root, if the keyring's CAs
// have it.
void complete_chain(Identity& identity, Authorities& authorities) {
  const X509* end = identity.chain.empty() ? identity.leaf.get() : identity.chain.back().get();
  if (is_self_signed(end)) return;
  const auto note = [&](std::string message) {
    identity.problems.push_back({identity.label, identity.file, std::move(message)});
  };
  bool known = !identity.chain.empty();
  const auto is_there = [&](const X509* wanted) {
    return std::ranges::any_of(identity.chain, [&](const CertificatePtr& link) {
      return X509_cmp(link.get(), wanted) == 0;
    });
  };
  for (;;) {
    CertificatePtr issuer = authorities.issuer_of(end);
    known |= issuer != nullptr;
    // The root is not sent: whoever trusts it has it. CAs may have signed each other.
    if (issuer == nullptr || is_self_signed(issuer.get()) || is_there(issuer.get())) break;
    note("its chain lacks " + subject_text(issuer.get()) + ", which a CA's entry has; it is added");
    end = issuer.get();
    identity.chain.push_back(std::move(issuer));
  }
  if (!known) {
    note("its issuer, " + name_text(X509_get_issuer_name(end)) +
         ", is neither in its chain nor in the keyring: peers that do not know it refuse it");
  }
}

Result<Identity> load(const Repository& repository, const std::string& label, Depth depth,
                      Authorities& authorities) {
  auto files = read_labelled(repository, label, depth);
  if (!files) return pass_on(files);
  if (!files->conf.trusted) {
    return fail(Error::Kind::invalid, "entry \"" + label + "\" in " + repository.path() +
                                          " must not be used: it says `trust = off`");
  }
  Identity identity{.label = label,
                    .leaf = std::move(files->certificates.front()),
                    .chain = {},
                    .key = std::move(files->key)};
  files->certificates.erase(files->certificates.begin());
  identity.chain = std::move(files->certificates);
  identity.ocsp_response = std::move(files->ocsp_response);
  identity.problems = std::move(files->problems);
  identity.file = files->file;
  for (Problem& problem : identity.problems) problem.label = label;
  complete_chain(identity, authorities);
  if (!identity.chain.empty() && is_self_signed(identity.chain.back().get())) {
    identity.chain.pop_back();
  }
  return identity;
}

}  // namespace

Result<Keyring> Keyring::open(const std::string& path, AskPassphrase ask) {
  auto name = parse_repository_name(path);
  if (!name) return pass_on(name);
  auto opened = open_repository(*name, ask);
  if (!opened) return pass_on(opened);
  // A PKCS#12 file keeps its scheme: its name may not tell.
  if (name->kind == RepositoryKind::pkcs12) name->path.insert(0, "pkcs12:");
  return Keyring(std::move(name->path), std::move(ask));
}

Result<std::vector<std::string>> Keyring::labels() const {
  auto repository = open_repository(*this);
  if (!repository) return pass_on(repository);
  return (*repository)->labels();
}

Result<std::vector<Entry>> Keyring::entries() const {
  auto repository = open_repository(*this);
  if (!repository) return pass_on(repository);
  auto all = (*repository)->labels();
  if (!all) return pass_on(all);
  std::vector<Entry> entries;
  for (const std::string& label : *all) {
    auto files = (*repository)->read(label, Depth::certificates);
    if (!files && passed_over(files.error())) continue;
    if (!files) return pass_on(files);
    entries.push_back(to_entry(label, (*repository)->default_label(), *std::move(files)));
  }
  return entries;
}

Result<Entry> Keyring::entry(std::string_view label) const {
  auto repository = open_repository(*this);
  if (!repository) return pass_on(repository);
  const std::string name(label);
  auto files = read_labelled(**repository, name, Depth::certificates);
  if (!files) return pass_on(files);
  return to_entry(name, (*repository)->default_label(), *std::move(files));
}

Result<std::string> Keyring::default_label() const {
  auto repository = open_repository(*this);
  if (!repository) return pass_on(repository);
  return (*repository)->default_label();
}

Result<Identity> Keyring::identity(std::string_view label) const {
  auto repository = open_repository(*this);
  if (!repository) return pass_on(repository);
  std::string name(label);
  if (name.empty()) {
    auto implied = implied_label(**repository);
    if (!implied) return pass_on(implied);
    name = *std::move(implied);
  }
  Authorities authorities(**repository);
  return load(**repository, name, Depth::key, authorities);
}

Result<void> for_each_identity(
    const Keyring& keyring, const std::vector<std::string>& labels,
    const std::function<void(const std::string&, const Result<Identity>&)>& visit) {
  const auto repository = open_repository(keyring);
  if (!repository) return std::unexpected(repository.error());
  Authorities authorities(**repository);
  for (const std::string& label : labels) {
    auto identity = load(**repository, label, Depth::fit, authorities);
    // What is wrong is for the exact way to say.
    if (!identity) identity = load(**repository, label, Depth::key, authorities);
    visit(label, identity);
  }
  return {};
}

Result<Trust> Keyring::trust() const { return trust_of(*this, {}); }

Result<Trust> trust_of(const Keyring& keyring, const std::vector<std::string>& labels) {
  auto repository = open_repository(keyring);
  if (!repository) return pass_on(repository);
  const auto failed = [] {
    return fail(Error::Kind::system, "cannot make a trust store: " + take_openssl_reason());
  };
  Trust trust{TrustStorePtr(X509_STORE_new()), {}};
  // Every certificate in the store is an anchor, be it self-signed or not.
  if (trust.authorities == nullptr ||
      X509_STORE_set_flags(trust.authorities.get(), X509_V_FLAG_PARTIAL_CHAIN) != 1) {
    return failed();
  }
  choose_issuers_by_signature(trust.authorities.get());
  const auto add = [&](const EntryFiles& files) -> Result<void> {
    if (!add_trust(trust, files)) return failed();
    return {};
  };
  if (labels.empty()) {
    if (auto filled = for_each_voucher(**repository, add); !filled) return pass_on(filled);
    return trust;
  }
  for (const std::string& label : labels) {
    if (auto good = check_voucher(**repository, label); !good) return pass_on(good);
    const auto files = read_labelled(**repository, label, Depth::certificates);
    if (!files) return std::unexpected(files.error());
    if (auto added = add(*files); !added) return pass_on(added);
  }
  return trust;
}

Result<std::vector<CrlPtr>> Keyring::crls() const {
  auto repository = open_repository(*this);
  if (!repository) return pass_on(repository);
  std::vector<CrlPtr> all;
  auto read = for_each_voucher(**repository, [&](const EntryFiles& files) -> Result<void> {
    if (files.directory.empty()) return {};
    auto crls = read_crls(files.directory);
    if (!crls) return pass_on(crls);
    std::ranges::move(*crls, std::back_inserter(all));
    return {};
  });
  if (!read) return pass_on(read);
  return all;
}

}  // namespace gaiter::keyring
