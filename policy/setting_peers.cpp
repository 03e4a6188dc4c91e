// The settings about who is at either end: certificates, names, authorisation.
#include <algorithm>
#include <charconv>

#include "policy/address.h"
#include "policy/names.h"
#include "policy/peer_pattern.h"
#include "policy/setting_readers.h"
#include "policy/values.h"

namespace gaiter::policy {
namespace {

constexpr char wants_label[] =
    "not a label; expected the label of an entry of the keyring, not a file (gaiter keyring list "
    "shows the labels)";

bool read_labels(const Node& node, std::vector<std::string>& out, const Report& report) {
  std::vector<std::string> labels;
  for (const Node* element :
       one_or_more(node, "names no certificate; leave it out for the keyring's default", report)) {
    std::string label;
    if (!read_text(*element, label, report)) return false;
    if (label == "default") label.clear();
    if (!label.empty() && !is_label(label)) {
      report.value(*element, wants_label);
      return false;
    }
    if (std::ranges::find(labels, label) != labels.end()) {
      report.value(*element, "is in the list already");
      return false;
    }
    labels.push_back(std::move(label));
  }
  out = std::move(labels);
  return !out.empty();
}

bool read_peers(const Node& node, std::vector<PeerPattern>& out, const Report& report) {
  std::vector<PeerPattern> peers;
  for (const Node* element : one_or_more(node, "is an empty list: nobody is in it", report)) {
    std::string text;
    if (!read_text(*element, text, report)) return false;
    auto peer = parse_peer(text);
    if (!peer) {
      report.value(*element, peer.error());
      return false;
    }
    peers.push_back(std::move(*peer));
  }
  out = std::move(peers);
  return !out.empty();
}

// A name, exact or "*.example".
bool is_name_pattern(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  return is_host_name(text);
}

}  // namespace

bool read_until(const Node& node, Settings& out, const Report& report) {
  std::string text;
  if (!read_text(node, text, report)) return false;
  int year = 0;
  unsigned month = 0, day = 0;
  const char* const begin = text.data();
  const bool shaped = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                      text.find_first_not_of("0123456789-") == std::string::npos &&
                      std::from_chars(begin, begin + 4, year).ptr == begin + 4 &&
                      std::from_chars(begin + 5, begin + 7, month).ptr == begin + 7 &&
                      std::from_chars(begin + 8, begin + 10, day).ptr == begin + 10;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!shaped || !date.ok()) {
    report.value(node, "expected a day of the calendar, as in \"2027-01-31\"");
    return false;
  }
  out.until = std::chrono::sys_days(date);
  return true;
}

bool read_certificate(const Node& node, Settings& out, const Report& report) {
  if (node.is_text() && (node.text.empty() || node.text == "none")) {
    // "" is the side's own default, which resolve() puts in.
    out.certificates.clear();
    return true;
  }
  return read_labels(node, out.certificates, report);
}

bool read_sni(const Node& node, Settings& out, const Report& report) {
  if (!node.is_group()) {
    report.type(node, "a group { \"name\" = \"label\"; }");
    return false;
  }
  std::vector<SniEntry> entries;
  for (const Node& child : node.children) {
    SniEntry entry{lower_case(child.name), {}};
    if (!is_name_pattern(child.name)) {
      report.key(child, "not a host name; expected \"www.example\" or \"*.example\"");
      return false;
    }
    const auto twin = std::ranges::find(entries, entry.pattern, &SniEntry::pattern);
    if (twin != entries.end()) {
      report.key(child, "set twice; case does not count in names");
      return false;
    }
    if (!read_labels(child, entry.labels, report)) return false;
    entries.push_back(std::move(entry));
  }
  out.sni = std::move(entries);
  return true;
}

bool read_trust(const Node& node, Settings& out, const Report& report) {
  if (node.is_text() && node.text.empty()) {
    out.trust.clear();
    return true;
  }
  std::vector<std::string> labels;
  for (const Node* element : one_or_more(node,
                                         "trusts nobody; leave it out for all that the "
                                         "keyring trusts",
                                         report)) {
    std::string label;
    if (!read_text(*element, label, report)) return false;
    if (!is_label(label)) {
      report.value(*element, wants_label);
      return false;
    }
    if (std::ranges::find(labels, label) != labels.end()) {
      report.value(*element, "is in the list already");
      return false;
    }
    labels.push_back(std::move(label));
  }
  out.trust = std::move(labels);
  return !out.trust.empty();
}

bool read_allow(const Node& node, Settings& out, const Report& report) {
  if (node.is_text() && node.text == "any-trusted") {
    out.allow_any_trusted = true;
    out.allow.clear();
    return true;
  }
  for (const Node& element : node.children) {
    if (element.is_text() && element.text == "any-trusted") {
      report.value(element,
                   "cannot be one of a list, for it allows what the others would not; write allow "
                   "= \"any-trusted\"");
      return false;
    }
  }
  if (!read_peers(node, out.allow, report)) return false;
  out.allow_any_trusted = false;
  return true;
}

bool read_deny(const Node& node, Settings& out, const Report& report) {
  return read_peers(node, out.deny, report);
}

bool read_pins(const Node& node, Settings& out, const Report& report) {
  std::vector<Sha256> pins;
  for (const Node* element : one_or_more(node, "is an empty list", report)) {
    std::string text;
    if (!read_text(*element, text, report)) return false;
    Sha256 pin;
    if (!parse_pin(text, pin)) {
      report.value(*element,
                   "expected the SHA-256 of a SubjectPublicKeyInfo, as \"sha256:\" and 64 hex "
                   "digits or \"sha256//\" and base64");
      return false;
    }
    pins.push_back(pin);
  }
  out.pins = std::move(pins);
  return !out.pins.empty();
}

// "%h" stands for a name, so it must make a name of what is around it.
bool read_server_name(const Node& node, Settings& out, const Report& report) {
  std::string name;
  if (!read_text(node, name, report)) return false;
  std::string expanded = name;
  for (size_t at = 0; (at = expanded.find("%h", at)) != std::string::npos;) expanded.erase(at, 1);
  if (!name.empty() && !is_host_name(expanded) && !parse_address(name)) {
    report.value(node, name.find('%') != std::string::npos
                           ? "only %h, the name that the program looked up, may stand in it"
                           : "not a host name; expected one name or address, such as "
                             "\"db.example\"");
    return false;
  }
  out.server_name = std::move(name);
  return true;
}

bool read_interchangeable(const Node& node, Settings& out, const Report& report) {
  std::vector<std::string> patterns;
  for (const Node* element : one_or_more(node, "is an empty list: no name is in it", report)) {
    std::string text;
    if (!read_text(*element, text, report)) return false;
    if (!is_name_pattern(text)) {
      report.value(*element, "not a host name; expected \"www.example\" or \"*.example\"");
      return false;
    }
    patterns.push_back(lower_case(text));
  }
  out.interchangeable = std::move(patterns);
  return !out.interchangeable.empty();
}

}  // namespace gaiter::policy
