#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "cli/policy_use.h"
#include "keyring/format.h"
#include "keyring/listing.h"
#include "keyring/withdrawn.h"

namespace gaiter::cli {
namespace {

using keyring::Entry;
using keyring::Listing;
using keyring::Requested;

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

std::string rules_text(const std::optional<PolicyUse>& use, const std::string& label,
                       bool is_default) {
  return use ? in_short(use->rules(label, is_default)) : "?";
}

std::vector<std::string> row(const Entry& entry, const std::optional<PolicyUse>& use,
                             const std::vector<CrlPtr>& lists) {
  const CertificateFacts facts = facts_of(entry.leaf.get());
  const bool revoked = keyring::find_withdrawn(lists, entry.leaf.get()).has_value();
  return {entry.label,
          usage_text(entry),
          entry.is_default ? "yes" : "-",
          facts.subject,
          in_short(without_kinds(facts.names)),
          facts.key_type,
          facts.issuer == facts.subject ? "self" : facts.issuer,
          revoked         ? "revoked"
          : facts.expired ? "expired"
                          : std::to_string(facts.days_left),
          rules_text(use, entry.label, entry.is_default)};
}

std::vector<std::string> row(const Requested& requested, const std::optional<PolicyUse>& use) {
  const RequestFacts facts = facts_of(requested.request.get());
  return {requested.label,
          std::string(keyring::word(requested.usage)) + ", requested",
          "-",
          facts.subject,
          in_short(without_kinds(facts.names)),
          facts.key_type,
          "-",
          "-",
          rules_text(use, requested.label, false)};
}

std::vector<Object> to_objects(const Listing& listing, const std::optional<PolicyUse>& use,
                               const std::vector<CrlPtr>& lists) {
  std::vector<Object> objects;
  const auto add = [&](const auto& entry, bool is_default) {
    objects.push_back(to_object(entry));
    if (use) objects.back().push_back({"used_by", use->rules(entry.label, is_default)});
  };
  for (const Entry& entry : listing.entries) {
    add(entry, entry.is_default);
    objects.back().push_back({"revoked", keyring::withdrawn_word(lists, entry.leaf.get())});
  }
  for (const Requested& requested : listing.requested) add(requested, false);
  return objects;
}

std::string to_table(const Listing& listing, const std::optional<PolicyUse>& use,
                     const std::vector<CrlPtr>& lists) {
  std::vector<std::vector<std::string>> rows = {
      {"LABEL", "USAGE", "DEFAULT", "SUBJECT", "NAMES", "KEY", "ISSUER", "DAYS LEFT", "USED BY"}};
  for (const Entry& entry : listing.entries) rows.push_back(row(entry, use, lists));
  for (const Requested& requested : listing.requested) rows.push_back(row(requested, use));
  return table(rows);
}

}  // namespace

int keyring_list(const std::string& path, bool json) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto listing = keyring::read_listing(*keyring);
  if (!listing) return report(listing.error());
  std::optional<PolicyUse> use;
  if (auto known = PolicyUse::of(*keyring))
    use = *std::move(known);
  else
    say(fmt::format("cannot tell which rules use an entry: {}", printable(known.error().text())));

  const auto lists = keyring::lists_of(*keyring, listing->entries);
  if (!lists) report(lists.error());
  const std::vector<CrlPtr> none;
  const std::vector<CrlPtr>& known = lists ? *lists : none;
  if (json)
    print_json(to_objects(*listing, use, known));
  else
    print(to_table(*listing, use, known));
  for (const keyring::Unreadable& one : listing->unreadable) report(one.error);
  return listing->unreadable.empty() ? exit_ok : exit_refused;
}

}  // namespace gaiter::cli
