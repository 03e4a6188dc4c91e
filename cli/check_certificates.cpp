#include "cli/check_certificates.h"

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "cli/certificate.h"
#include "cli/rule_text.h"
#include "keyring/label.h"
#include "keyring/trust_of.h"
#include "keyring/withdrawn.h"
#include "policy/vocabulary.h"

namespace gaiter::cli {
namespace {

using policy::Direction;
using policy::Policy;
using policy::Rule;
using policy::Setting;
using policy::Tls;
using enum Finding::Severity;

bool speaks_tls(const Rule& rule) { return policy::may_protect(rule.settings); }

bool needs_identity(const Rule& rule) {
  return speaks_tls(rule) && !(rule.settings.certificates.empty() && rule.settings.sni.empty());
}

bool needs_trust(const Rule& rule) {
  return speaks_tls(rule) &&
         (rule.is_tls_server() ? rule.settings.client_auth != policy::ClientAuth::none
                               : rule.settings.verify == policy::Verify::full ||
                                     rule.settings.verify == policy::Verify::chain);
}

bool trusts_anyone(const std::vector<keyring::Entry>& entries) {
  return std::ranges::any_of(entries, [](const keyring::Entry& entry) {
    return entry.trusted && entry.usage != keyring::Usage::personal;
  });
}

// Whether a client that asks for `name`, perhaps "*.example", can be satisfied.
bool has_name(X509* certificate, std::string_view name) {
  // Of a pattern any name will do that it stands for, or one that the certificate has.
  const std::string example =
      name.starts_with('*') ? "any" + std::string(name.substr(1)) : std::string(name);
  if (X509_check_host(certificate, example.data(), example.size(), 0, nullptr) == 1 ||
      X509_check_ip_asc(certificate, example.c_str(), 0) == 1) {
    return true;
  }
  return name.starts_with('*') &&
         std::ranges::any_of(facts_of(certificate).names, [&](const std::string& one) {
           return one.starts_with("dns:") && one.ends_with(name.substr(1));
         });
}

class CertificateChecker {
 public:
  CertificateChecker(const Policy& policy, const keyring::Keyring& keyring, int soon)
      : policy_(policy), keyring_(keyring), soon_(soon) {}

  Findings check() {
    if (auto lists = keyring_.crls()) lists_ = *std::move(lists);
    for (const Rule& rule : policy_.rules()) {
      if (!needs_identity(rule)) continue;
      for (const std::string& label : rule.settings.certificates)
        check_identity(rule, Setting::certificate, label, "");
      for (const policy::SniEntry& entry : rule.settings.sni)
        for (const std::string& label : entry.labels)
          check_identity(rule, Setting::sni, label, entry.pattern);
    }
    for (const Rule& rule : policy_.rules())
      if (speaks_tls(rule) && !rule.is_tls_server()) check_server_name(rule);
    for (const Rule& rule : policy_.rules()) {
      if (!needs_trust(rule)) continue;
      for (const std::string& label : rule.settings.trust) {
        if (const auto trust = keyring::trust_of(keyring_, {label}); !trust)
          findings_.push_back(about(error, policy_, rule, Setting::trust, trust.error().message));
      }
    }
    check_trust();
    check_lists();
    return std::move(findings_);
  }

 private:
  // `name`: what clients ask for to get this certificate; "" = anything.
  void check_identity(const Rule& rule, Setting setting, const std::string& label,
                      std::string_view name) {
    const auto add = [&](Finding::Severity severity, std::string message) {
      findings_.push_back(about(severity, policy_, rule, setting, std::move(message)));
    };
    const auto identity = keyring_.identity(label);
    if (!identity) return add(error, identity.error().message);
    X509* const leaf = identity->leaf.get();
    const CertificateFacts facts = facts_of(leaf);
    const std::string what = fmt::format("certificate \"{}\"", identity->label);
    if (const auto withdrawn = keyring::find_withdrawn(lists_, leaf))
      add(error, fmt::format("{} {}: peers that know of it refuse it", what,
                             keyring::withdrawn_text(*withdrawn)));
    const auto purpose = rule.is_tls_server() ? keyring::Purpose::server : keyring::Purpose::client;
    // No peer accepts it out of its dates; of all else some may take no notice.
    const bool is_refused = X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0 || facts.expired;
    for (const keyring::Problem& problem : keyring::problems_of(*identity, purpose))
      add(is_refused ? error : warning, printable(what + " " + problem.message));
    if (!facts.expired && facts.days_left < soon_) {
      add(warning,
          fmt::format("{} expires in {} days, on {}", what, facts.days_left, facts.not_after));
    }
    if (!name.empty() && !has_name(leaf, name)) {
      add(warning, fmt::format("{} is not for {}: clients that ask for that name refuse it", what,
                               policy::quote(name)));
    }
  }

  // A fixed name that the server of the same port, if it is under this policy too,
  // does not have.
  void check_server_name(const Rule& rule) {
    const std::string& name = rule.settings.server_name;
    if (name.empty() || name.find('%') != std::string::npos ||
        rule.settings.verify != policy::Verify::full) {
      return;
    }
    for (const Rule& server : policy_.rules()) {
      if (!needs_identity(server) || !server.is_tls_server() || !shares_port(rule, server))
        continue;
      if (has_certificate_for(server, name)) continue;
      findings_.push_back(
          about(warning, policy_, rule, Setting::server_name,
                fmt::format("server_name = {}: no certificate of the rule that serves this port "
                            "({}) is for that name",
                            policy::quote(name), place_of(server))));
    }
  }

  static bool shares_port(const Rule& client, const Rule& server) {
    return std::ranges::any_of(client.remote_ports, [&](const policy::PortRange& a) {
      return std::ranges::any_of(server.local_ports, [&](const policy::PortRange& b) {
        return a.first <= b.last && b.first <= a.last;
      });
    });
  }

  bool has_certificate_for(const Rule& server, const std::string& name) {
    std::vector<std::string> labels = server.settings.certificates;
    for (const policy::SniEntry& entry : server.settings.sni)
      labels.insert(labels.end(), entry.labels.begin(), entry.labels.end());
    return std::ranges::any_of(labels, [&](const std::string& label) {
      const auto identity = keyring_.identity(label);
      // What cannot be read has been reported already.
      return !identity || has_name(identity->leaf.get(), name);
    });
  }

  void check_trust() {
    const auto entries = keyring_.entries();
    const auto trusting = std::ranges::find_if(policy_.rules(), needs_trust);
    if (trusting == policy_.rules().end() || !entries) return;
    for (const keyring::Entry& entry : *entries) {
      if (const std::string remark = remark_on_site(entry); entry.trusted && !remark.empty())
        findings_.push_back(
            about(note, *trusting, fmt::format("site \"{}\" {}", entry.label, remark)));
    }
    if (trusts_anyone(*entries)) return;
    findings_.push_back(about(warning, *trusting,
                              fmt::format("the keyring {} trusts no CA: every peer is refused; "
                                          "see `gaiter keyring import --help`",
                                          keyring_.path())));
  }

  // With revocation = "hard" a CA without a list of what it revoked lets nobody in.
  void check_lists() {
    const auto entries = keyring_.entries();
    if (!entries) return;
    for (const Rule& rule : policy_.rules()) {
      if (!needs_trust(rule) || rule.settings.revocation != policy::Revocation::hard) continue;
      for (const keyring::Entry& entry : *entries) {
        if (entry.usage != keyring::Usage::ca || !entry.trusted || !counts(rule, entry)) continue;
        if (const std::string lacks = lacks_list(entry); !lacks.empty())
          findings_.push_back(
              about(warning, policy_, rule, Setting::revocation,
                    fmt::format("revocation = \"hard\", but {}: whom it vouches for "
                                "is refused; see `gaiter keyring crl --help`",
                                lacks)));
      }
    }
  }

  // "there is no current revocation list of CN=x (\"label\")"; "" if there is one of each.
  std::string lacks_list(const keyring::Entry& entry) const {
    std::vector<X509*> cas{entry.leaf.get()};
    // What is behind the leaf of an authority with its key are those above it.
    if (!entry.has_key)
      for (const CertificatePtr& one : entry.chain) cas.push_back(one.get());
    std::vector<X509*> without;
    for (X509* const ca : cas)
      if (std::ranges::none_of(lists_, [&](const CrlPtr& list) { return is_current(list, ca); }))
        without.push_back(ca);
    if (without.empty()) return "";
    return fmt::format(
        "there is no current revocation list of {}{} (\"{}\")", facts_of(without.front()).subject,
        without.size() == 1 ? "" : fmt::format(" and {} others", without.size() - 1), entry.label);
  }

  static bool counts(const Rule& rule, const keyring::Entry& entry) {
    const std::vector<std::string>& labels = rule.settings.trust;
    return labels.empty() || std::ranges::find(labels, entry.label) != labels.end();
  }

  static bool is_current(const CrlPtr& list, const X509* ca) {
    const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(list.get());
    return X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_subject_name(ca)) == 0 &&
           (next == nullptr || X509_cmp_current_time(next) > 0);
  }

  const Policy& policy_;
  const keyring::Keyring& keyring_;
  int soon_;
  std::vector<CrlPtr> lists_;
  Findings findings_;
};

}  // namespace

std::string keyring_path(const Policy& policy) {
  if (policy.keyring().empty()) return keyring::default_path();
  return keyring::expand_path(policy.keyring()).value_or(policy.keyring());
}

bool needs_keyring(const Rule& rule) { return needs_identity(rule) || needs_trust(rule); }

bool needs_label(const Rule& rule) {
  if (needs_trust(rule) && !rule.settings.trust.empty()) return true;
  return needs_identity(rule) &&
         (!rule.settings.sni.empty() ||
          std::ranges::any_of(rule.settings.certificates,
                              [](const std::string& label) { return !label.empty(); }));
}

Findings check_certificates(const Policy& policy, const keyring::Keyring& keyring, int soon) {
  return CertificateChecker(policy, keyring, soon).check();
}

}  // namespace gaiter::cli
