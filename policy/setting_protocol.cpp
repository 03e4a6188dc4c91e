// The settings about TLS itself: versions, suites, groups, sessions, keys.
#include <algorithm>

#include "policy/setting_readers.h"
#include "policy/suites.h"
#include "policy/values.h"

namespace gaiter::policy {
namespace {

constexpr size_t max_alpn_name = 255;  // RFC 7301, section 3.1
constexpr int64_t max_count = 1'000'000'000'000;

bool read_version(const Node& node, Version& out, const Report& report) {
  constexpr std::string_view refused[] = {"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"};
  if (node.is_text()) {
    for (std::string_view old : refused) {
      if (edit_distance(node.text, old) != 0) continue;
      report.value(node, std::string("too old: ") +
                             (old.starts_with("SSL") ? "SSL is broken"
                                                     : "RFC 8996 forbids TLS 1.0 and 1.1") +
                             "; \"TLSv1.2\" is the oldest that Gaiter speaks");
      return false;
    }
  }
  return read_word<Version>(node, version_words, out, report);
}

// A list of texts, none of them twice; `take` puts one into the result, or says why not.
template <class Take>
bool read_list(const Node& node, const Report& report, Take take) {
  std::vector<std::string_view> seen;
  const auto elements = one_or_more(node, "is an empty list; leave it out for the default", report);
  for (const Node* element : elements) {
    std::string text;
    if (!read_text(*element, text, report)) return false;
    std::string wrong =
        std::ranges::find(seen, text) != seen.end() ? "is in the list already" : take(text);
    if (!wrong.empty()) {
      report.value(*element, wrong);
      return false;
    }
    seen.push_back(element->text);
  }
  return !elements.empty();
}

// Reads a key of a group, if it is the one that is meant.
struct GroupKeys {
  const Report& report;
  std::vector<std::string_view> valid;

  bool is_group(const Node& node) const {
    if (node.is_group()) return true;
    report.type(node, "a group { }");
    return false;
  }
  bool unknown(const Node& child) const {
    report.unknown_key(child, valid);
    return false;
  }
};

bool read_count(const Node& node, std::string_view what, int64_t most, uint32_t& out,
                const Report& report) {
  int64_t number = 0;
  if (!read_integer(node, what, 0, most, number, report)) return false;
  out = static_cast<uint32_t>(number);
  return true;
}

bool read_period(const Node& node, int64_t least, int64_t most, std::chrono::seconds& out,
                 const Report& report) {
  int64_t number = 0;
  if (!read_integer(node, "seconds", least, most, number, report)) return false;
  out = std::chrono::seconds(number);
  return true;
}

}  // namespace

bool read_min_version(const Node& node, Settings& out, const Report& report) {
  return read_version(node, out.min_version, report);
}

bool read_max_version(const Node& node, Settings& out, const Report& report) {
  return read_version(node, out.max_version, report);
}

bool read_suites(const Node& node, Settings& out, const Report& report) {
  std::vector<std::string> suites;
  const bool ok = read_list(node, report, [&](const std::string& name) {
    if (find_suite(name) == nullptr) return why_no_suite(name);
    suites.push_back(name);
    return std::string();
  });
  if (ok) out.suites = std::move(suites);
  return ok;
}

// "X25519MLKEM768!" must be there, "X25519MLKEM768" may be.
bool read_groups(const Node& node, Settings& out, const Report& report) {
  std::vector<Group> groups;
  const bool ok = read_list(node, report, [&](const std::string& text) {
    const bool required = text.ends_with('!');
    auto name = find_group(std::string_view(text).substr(0, text.size() - required));
    if (!name) return name.error();
    if (std::ranges::find(groups, *name, &Group::name) != groups.end())
      return std::string("is in the list already");
    groups.push_back({std::string(*name), required});
    return std::string();
  });
  if (ok) out.groups = std::move(groups);
  return ok;
}

bool read_signatures(const Node& node, Settings& out, const Report& report) {
  std::vector<std::string> signatures;
  const bool ok = read_list(node, report, [&](const std::string& text) {
    auto name = find_signature(text);
    if (!name) return name.error();
    signatures.emplace_back(*name);
    return std::string();
  });
  if (ok) out.signatures = std::move(signatures);
  return ok;
}

bool read_alpn(const Node& node, Settings& out, const Report& report) {
  std::vector<std::string> protocols;
  const bool ok = read_list(node, report, [&](const std::string& name) {
    if (name.empty() || name.size() > max_alpn_name)
      return std::string("expected a protocol's name, such as \"h2\" or \"http/1.1\"");
    protocols.push_back(name);
    return std::string();
  });
  if (ok) out.alpn = std::move(protocols);
  return ok;
}

bool read_session(const Node& node, Settings& out, const Report& report) {
  const GroupKeys keys{report, {"cache", "lifetime", "tickets", "ticket_keys"}};
  if (!keys.is_group(node)) return false;
  Session session;
  bool ok = true;
  for (const Node& child : node.children) {
    if (child.name == "cache") {
      ok &= read_count(child, "sessions", 1'000'000, session.cache, report);
    } else if (child.name == "lifetime") {
      // RFC 8446, section 4.6.1: no more than seven days.
      ok &= read_period(child, 1, 604'800, session.lifetime, report);
    } else if (child.name == "tickets") {
      ok &= read_count(child, "tickets", 16, session.tickets, report);
    } else if (child.name == "ticket_keys") {
      ok &= read_path(child, true, "/etc/gaiter/keyring/ticket.keys", session.ticket_keys, report);
    } else {
      ok = keys.unknown(child);
    }
  }
  if (ok) out.session = std::move(session);
  return ok;
}

bool read_rekey(const Node& node, Settings& out, const Report& report) {
  const GroupKeys keys{report, {"bytes", "seconds"}};
  if (!keys.is_group(node)) return false;
  Rekey rekey;
  bool ok = true;
  for (const Node& child : node.children) {
    int64_t bytes = 0;
    if (child.name == "bytes") {
      // A record at least lies between two keys.
      ok &= read_integer(child, "bytes", 16'384, max_count, bytes, report);
      rekey.bytes = static_cast<uint64_t>(bytes);
    } else if (child.name == "seconds") {
      ok &= read_period(child, 1, max_count, rekey.seconds, report);
    } else {
      ok = keys.unknown(child);
    }
  }
  if (ok) out.rekey = rekey;
  return ok;
}

}  // namespace gaiter::policy
