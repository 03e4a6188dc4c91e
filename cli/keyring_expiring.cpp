// needs-renewal, expiring: what must be renewed.
#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/output.h"
#include "keyring/format.h"
#include "keyring/listing.h"
#include "keyring/renew.h"

namespace gaiter::cli {
namespace {

using keyring::Keyring;

// As step(1) has them, so that scripts can be kept.
enum NeedsRenewal : int { needs = 0, needs_not = 1, no_label = 2, cannot_tell = 255 };

// "66%", or days: "30" or "30d".
std::optional<keyring::RenewalThreshold> parse_threshold(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent || text.ends_with('d')) text.remove_suffix(1);
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || number < 1) return std::nullopt;
  if (percent && number > 99) return std::nullopt;
  keyring::RenewalThreshold threshold;
  if (percent)
    threshold.percent = number;
  else
    threshold.left = std::chrono::days(number);
  return threshold;
}

}  // namespace

int keyring_needs_renewal(const std::string& path, const std::string& label,
                          const std::string& threshold) {
  const auto wanted = parse_threshold(threshold);
  if (!wanted) {
    say(
        fmt::format("\"{}\" is no threshold; right would be: 66% (of its life is over), or 30d "
                    "(30 days are left)",
                    printable(threshold)));
    return cannot_tell;
  }
  const auto keyring = open_keyring(path);
  const auto entry = keyring ? keyring->entry(label) : std::unexpected(keyring.error());
  if (!entry) {
    report(entry.error());
    return entry.error().kind == keyring::Error::Kind::not_found ? no_label : cannot_tell;
  }
  const bool due = keyring::needs_renewal(entry->leaf.get(), *wanted);
  print(fmt::format("{} {}, valid until {}\n", label,
                    due ? "needs to be renewed" : "needs no renewal",
                    facts_of(entry->leaf.get()).not_after));
  return due ? needs : needs_not;
}

int keyring_expiring(const std::string& path, int within, bool json) {
  const auto keyring = open_keyring(path);
  const auto listing = keyring ? keyring::read_listing(*keyring) : std::unexpected(keyring.error());
  if (!listing) {
    report(listing.error());
    return exit_refused;  // exit_attention says that something expires
  }
  std::vector<Object> objects;
  std::vector<std::vector<std::string>> rows{{"LABEL", "USAGE", "SUBJECT", "VALID UNTIL", "DAYS"}};
  for (const keyring::Entry& entry : listing->entries) {
    const keyring::RenewalThreshold threshold{.percent = {}, .left = std::chrono::days(within)};
    if (!keyring::needs_renewal(entry.leaf.get(), threshold)) continue;
    const CertificateFacts facts = facts_of(entry.leaf.get());
    objects.push_back(to_object(entry));
    rows.push_back({entry.label, keyring::word(entry.usage), facts.subject, facts.not_after,
                    facts.expired ? "expired" : std::to_string(facts.days_left)});
  }
  if (json)
    print_json(objects);
  else if (!objects.empty())
    print(table(rows));
  for (const keyring::Unreadable& one : listing->unreadable) report(one.error);
  if (!listing->unreadable.empty()) return exit_refused;
  return objects.empty() ? exit_ok : exit_attention;
}

}  // namespace gaiter::cli
