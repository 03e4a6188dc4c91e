#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "cli/policy_use.h"
#include "keyring/format.h"

namespace gaiter::cli {
namespace {

using keyring::Entry;
using keyring::Error;

// The entries, and what is wrong with those that cannot be read.
struct Listing {
  std::vector<Entry> entries;
  std::vector<Error> errors;
};

// All at once; one by one only if something is wrong with one of them.
keyring::Result<Listing> read(const keyring::Keyring& keyring) {
  auto entries = keyring.entries();
  if (entries) return Listing{*std::move(entries), {}};
  const auto labels = keyring.labels();
  if (!labels) return std::unexpected(labels.error());
  Listing listing;
  for (const std::string& label : *labels) {
    auto entry = keyring.entry(label);
    if (entry)
      listing.entries.push_back(*std::move(entry));
    else if (entry.error().kind != Error::Kind::pending)
      listing.errors.push_back(entry.error());
  }
  return listing;
}

// The first two, and how many more there are.
std::string in_short(const std::vector<std::string>& texts) {
  constexpr size_t shown = 2;
  std::string text;
  for (size_t i = 0; i < texts.size() && i < shown; i++) text += (i > 0 ? ", " : "") + texts[i];
  if (texts.size() > shown) text += fmt::format(" (+{})", texts.size() - shown);
  return text.empty() ? "-" : text;
}

std::vector<std::string> without_kinds(std::vector<std::string> names) {
  for (std::string& name : names) name = name.substr(name.find(':') + 1);
  return names;
}

std::string usage_text(const Entry& entry) {
  return std::string(keyring::word(entry.usage)) + (entry.trusted ? "" : ", distrusted") +
         (entry.connected.empty() ? "" : ", connected");
}

std::vector<std::string> row(const Entry& entry, const std::optional<PolicyUse>& use) {
  const CertificateFacts facts = facts_of(entry.leaf.get());
  return {entry.label,
          usage_text(entry),
          entry.is_default ? "yes" : "-",
          facts.subject,
          in_short(without_kinds(facts.names)),
          facts.key_type,
          facts.issuer == facts.subject ? "self" : facts.issuer,
          facts.expired ? "expired" : std::to_string(facts.days_left),
          use ? in_short(use->rules(entry.label, entry.is_default)) : "?"};
}

}  // namespace

int keyring_list(const std::string& path, bool json) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto listing = read(*keyring);
  if (!listing) return report(listing.error());
  std::optional<PolicyUse> use;
  if (auto known = PolicyUse::of(*keyring))
    use = *std::move(known);
  else
    say(fmt::format("cannot tell which rules use an entry: {}", printable(known.error().text())));

  if (json) {
    std::vector<Object> objects;
    for (const Entry& entry : listing->entries) {
      objects.push_back(to_object(entry));
      if (use) objects.back().push_back({"used_by", use->rules(entry.label, entry.is_default)});
    }
    print_json(objects);
  } else {
    std::vector<std::vector<std::string>> rows = {
        {"LABEL", "USAGE", "DEFAULT", "SUBJECT", "NAMES", "KEY", "ISSUER", "DAYS LEFT", "USED BY"}};
    for (const Entry& entry : listing->entries) rows.push_back(row(entry, use));
    print(table(rows));
  }
  for (const Error& error : listing->errors) report(error);
  return listing->errors.empty() ? exit_ok : exit_refused;
}

}  // namespace gaiter::cli
