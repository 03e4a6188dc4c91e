#include <fmt/format.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "keyring/format.h"

namespace gaiter::cli {
namespace {

std::string days_in_words(const CertificateFacts& facts) {
  return facts.expired ? "expired" : fmt::format("{} days left", facts.days_left);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

std::string text_of(const keyring::Entry& entry) {
  const CertificateFacts facts = facts_of(entry.leaf.get());
  std::string text = table({
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
  });
  for (const CertificatePtr& link : entry.chain) {
    const CertificateFacts above = facts_of(link.get());
    text += fmt::format("chain:        {}, {}\n", above.subject, days_in_words(above));
  }
  return text;
}

}  // namespace

int keyring_show(const std::string& path, const std::string& label, bool json) {
  const auto keyring = keyring::Keyring::open(path_or_default(path));
  if (!keyring) return report(keyring.error());
  const auto entry = keyring->entry(label);
  if (!entry) return report(entry.error());
  if (json)
    print_json(to_object(*entry));
  else
    print(text_of(*entry));
  return exit_ok;
}

}  // namespace gaiter::cli
