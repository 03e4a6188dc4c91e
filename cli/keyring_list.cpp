#include <fmt/format.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "keyring/format.h"

namespace gaiter::cli {
namespace {

// The first two names without their kind, and how many more there are.
std::string names_in_short(const std::vector<std::string>& names) {
  constexpr size_t shown = 2;
  std::string text;
  for (size_t i = 0; i < names.size() && i < shown; i++)
    text += (i > 0 ? ", " : "") + names[i].substr(names[i].find(':') + 1);
  if (names.size() > shown) text += fmt::format(" (+{})", names.size() - shown);
  return text.empty() ? "-" : text;
}

std::vector<std::string> row(const keyring::Entry& entry) {
  const CertificateFacts facts = facts_of(entry.leaf.get());
  return {entry.label,
          std::string(keyring::word(entry.usage)) + (entry.trusted ? "" : ", distrusted"),
          entry.is_default ? "yes" : "-",
          facts.subject,
          names_in_short(facts.names),
          facts.key_type,
          facts.issuer == facts.subject ? "self" : facts.issuer,
          facts.expired ? "expired" : std::to_string(facts.days_left)};
}

}  // namespace

int keyring_list(const std::string& path, bool json) {
  const auto keyring = keyring::Keyring::open(path_or_default(path));
  if (!keyring) return report(keyring.error());
  const auto entries = keyring->entries();
  if (!entries) return report(entries.error());

  if (json) {
    std::vector<Object> objects;
    for (const keyring::Entry& entry : *entries) objects.push_back(to_object(entry));
    print_json(objects);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows = {
      {"LABEL", "USAGE", "DEFAULT", "SUBJECT", "NAMES", "KEY", "ISSUER", "DAYS LEFT"}};
  for (const keyring::Entry& entry : *entries) rows.push_back(row(entry));
  print(table(rows));
  return exit_ok;
}

}  // namespace gaiter::cli
