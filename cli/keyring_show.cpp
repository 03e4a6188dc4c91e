#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "cli/policy_use.h"
#include "keyring/chain.h"
#include "keyring/format.h"
#include "keyring/withdrawn.h"
#include "keyring/words.h"

namespace gaiter::cli {
namespace {

using keyring::Entry;

std::string days_in_words(const CertificateFacts& facts) {
  return facts.expired ? "expired" : fmt::format("{} days left", facts.days_left);
}

std::string joined(const std::vector<std::string>& texts) {
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

std::string line_of(X509* certificate) {
  const CertificateFacts facts = facts_of(certificate);
  return fmt::format("{} ({}, {})", facts.subject, facts.key_type, days_in_words(facts));
}

// Certificates from the uppermost issuer down, each below what issued it.
std::string tree_of(std::vector<X509*> upwards, const std::string& missing_root) {
  std::string text;
  size_t depth = 0;
  const auto add = [&](const std::string& line) {
    text += std::string(2 + (depth > 0 ? 3 * (depth - 1) : 0), ' ') + (depth > 0 ? "└─ " : "") +
            line + "\n";
    ++depth;
  };
  if (!missing_root.empty()) add(missing_root + " (not sent, and not in this entry)");
  for (auto at = upwards.rbegin(); at != upwards.rend(); ++at) add(line_of(*at));
  return text;
}

std::string chain_of(const Entry& entry) {
  if (entry.usage == keyring::Usage::ca && !entry.has_key && !entry.chain.empty()) {
    std::string text = fmt::format("certificates ({}):\n", entry.chain.size() + 1);
    text += "  " + line_of(entry.leaf.get()) + "\n";
    for (const CertificatePtr& one : entry.chain) text += "  " + line_of(one.get()) + "\n";
    return text;
  }
  std::vector<X509*> upwards{entry.leaf.get()};
  for (const CertificatePtr& one : entry.chain) upwards.push_back(one.get());
  X509* const top = upwards.back();
  const bool complete = keyring::is_self_signed(top);
  return "chain:\n" + tree_of(upwards, complete ? "" : facts_of(top).issuer);
}

// The rules that use it, or why that is not known.
std::string use_of(const keyring::Keyring& keyring, const Entry& entry) {
  const auto use = PolicyUse::of(keyring);
  return use ? joined(use->rules(entry.label, entry.is_default))
             : fmt::format("not known: {}", printable(use.error().text()));
}

std::string text_of(const keyring::Keyring& keyring, const Entry& entry) {
  const CertificateFacts facts = facts_of(entry.leaf.get());
  std::vector<std::vector<std::string>> rows = {
      {"label:", entry.label + (entry.is_default ? " (the default)" : "")},
      {"usage:", keyring::word(entry.usage)},
      {"trusted:", entry.trusted ? "yes" : "no"},
      {"private key:", entry.has_key ? "yes" : "no"},
      {"origin:", printable(entry.origin)},
      {"subject:", facts.subject},
      {"names:", joined(facts.names)},
      {"issuer:", facts.issuer == facts.subject ? facts.issuer + " (self-signed)" : facts.issuer},
      {"key:", facts.key_type},
      {"valid:",
       fmt::format("{} to {}, {}", facts.not_before, facts.not_after, days_in_words(facts))},
      {"CA:", facts.is_ca ? "yes" : "no"},
      {"serial:", facts.serial},
      {"SHA-256:", facts.fingerprint},
      {"used by:", use_of(keyring, entry)},
  };
  if (!entry.connected.empty())
    rows.insert(rows.begin() + 5, {"connected:", printable(entry.connected)});
  if (const auto lists = keyring.crls()) {
    if (const auto withdrawn = keyring::find_withdrawn(*lists, entry.leaf.get()))
      rows.insert(rows.begin() + 2,
                  {"REVOKED:", fmt::format("on {}, {}", keyring::time_text(withdrawn->time),
                                           withdrawn->reason)});
  }
  return table(rows) + chain_of(entry);
}

}  // namespace

int keyring_show(const std::string& path, const std::string& label, bool json) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto entry = keyring->entry(label);
  if (!entry) return report(entry.error());
  if (!json) {
    print(text_of(*keyring, *entry));
    return exit_ok;
  }
  Object object = to_object(*entry);
  if (const auto use = PolicyUse::of(*keyring))
    object.push_back({"used_by", use->rules(entry->label, entry->is_default)});
  const auto lists = keyring->crls();
  object.push_back({"revoked", lists ? keyring::withdrawn_word(*lists, entry->leaf.get()) : ""});
  print_json(object);
  return exit_ok;
}

}  // namespace gaiter::cli
