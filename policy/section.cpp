#include "policy/section.h"

#include <algorithm>

#include "policy/peer_pattern.h"
#include "policy/setting_readers.h"
#include "policy/values.h"
#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

using std::chrono::milliseconds;

struct Key {
  std::string_view name;
  bool server;  // belongs to the TLS server
  bool client;  // belongs to the TLS client
  bool (*read)(const Node&, Settings&, const Report&);
  std::string (*show)(const Settings&);
};

// `Words` is the vocabulary of a setting whose value is one word.
template <auto Member, const auto& Words>
bool read_word_setting(const Node& node, Settings& out, const Report& report) {
  return read_word<std::remove_cvref_t<decltype(out.*Member)>>(node, Words, out.*Member, report);
}

template <auto Member>
std::string show_word(const Settings& s) {
  return quote(to_string(s.*Member));
}

template <auto Member>
bool read_flag(const Node& node, Settings& out, const Report& report) {
  return read_boolean(node, out.*Member, report);
}

template <auto Member>
std::string show_flag(const Settings& s) {
  return s.*Member ? "true" : "false";
}

std::string show_seconds(milliseconds time) {
  return shortest(static_cast<double>(time.count()) / 1000);
}

template <class List, class Show>
std::string show_list(const List& list, Show show) {
  std::string text;
  for (const auto& element : list) text += (text.empty() ? "" : ", ") + quote(show(element));
  return text.empty() ? "[ ]" : "[ " + text + " ]";
}

const std::string& same(const std::string& text) { return text; }

// One text as it is, several as a list.
template <class List, class Show>
std::string show_one_or_more(const List& list, Show show) {
  return list.size() == 1 ? quote(show(list.front())) : show_list(list, show);
}

std::string label_word(const std::string& label) { return label.empty() ? "default" : label; }

std::string show_certificates(const std::vector<std::string>& labels) {
  return labels.empty() ? "\"none\"" : show_one_or_more(labels, label_word);
}

std::string show_sni(const Settings& s) {
  std::string text;
  for (const SniEntry& entry : s.sni)
    text += " " + quote(entry.pattern) + " = " + show_certificates(entry.labels) + ";";
  return "{" + text + " }";
}

std::string show_trust(const Settings& s) {
  return s.trust.empty() ? "\"\"" : show_one_or_more(s.trust, same);
}

std::string show_until(const Settings& s) {
  if (!s.until) return "\"\"";
  const std::chrono::year_month_day day(*s.until);
  const auto two = [](unsigned n) { return (n < 10 ? "-0" : "-") + std::to_string(n); };
  return quote(std::to_string(static_cast<int>(day.year())) +
               two(static_cast<unsigned>(day.month())) + two(static_cast<unsigned>(day.day())));
}

std::string show_peer(const PeerPattern& peer) { return to_string(peer); }

std::string show_allow(const Settings& s) {
  return s.allow_any_trusted ? "\"any-trusted\"" : show_list(s.allow, show_peer);
}

std::string show_session(const Settings& s) {
  return "{ cache = " + std::to_string(s.session.cache) +
         "; lifetime = " + std::to_string(s.session.lifetime.count()) +
         "; tickets = " + std::to_string(s.session.tickets) +
         "; ticket_keys = " + quote(s.session.ticket_keys) + "; }";
}

std::string show_rekey(const Settings& s) {
  std::string text;
  if (s.rekey.bytes > 0) text += " bytes = " + std::to_string(s.rekey.bytes) + ";";
  if (s.rekey.seconds.count() > 0)
    text += " seconds = " + std::to_string(s.rekey.seconds.count()) + ";";
  return "{" + text + " }";
}

bool read_map_file(const Node& node, Settings& out, const Report& report) {
  return read_path(node, true, "/etc/gaiter/user.map", out.map_file, report);
}

bool read_handshake_timeout(const Node& node, Settings& out, const Report& report) {
  return read_seconds(node, milliseconds(100), milliseconds(600'000), out.handshake_timeout,
                      report);
}

bool read_close_timeout(const Node& node, Settings& out, const Report& report) {
  return read_seconds(node, milliseconds(0), milliseconds(60'000), out.close_timeout, report);
}

using S = Settings;

// In the order of enum Setting, which Rule::origins follows.
constexpr Key keys[] = {
    {"tls", true, true, read_word_setting<&S::tls, tls_words>, show_word<&S::tls>},
    {"role", true, true, read_word_setting<&S::role, role_words>, show_word<&S::role>},
    {"mode", true, true, read_word_setting<&S::mode, mode_words>, show_word<&S::mode>},
    {"until", true, true, read_until, show_until},
    {"certificate", true, true, read_certificate,
     [](const S& s) { return show_certificates(s.certificates); }},
    {"sni", true, false, read_sni, show_sni},
    {"sni_unmatched", true, false, read_word_setting<&S::sni_unmatched, sni_unmatched_words>,
     show_word<&S::sni_unmatched>},
    {"trust", true, true, read_trust, show_trust},
    {"client_auth", true, false, read_word_setting<&S::client_auth, client_auth_words>,
     show_word<&S::client_auth>},
    {"allow", true, true, read_allow, show_allow},
    {"deny", true, true, read_deny, [](const S& s) { return show_list(s.deny, show_peer); }},
    {"map_user", true, false, read_flag<&S::map_user>, show_flag<&S::map_user>},
    {"map_file", true, false, read_map_file, [](const S& s) { return quote(s.map_file); }},
    {"verify", false, true, read_word_setting<&S::verify, verify_words>, show_word<&S::verify>},
    {"pins", false, true, read_pins,
     [](const S& s) {
       return show_list(s.pins, [](const Sha256& pin) { return "sha256:" + hex(pin); });
     }},
    {"server_name", false, true, read_server_name, [](const S& s) { return quote(s.server_name); }},
    {"interchangeable", false, true, read_interchangeable,
     [](const S& s) { return show_list(s.interchangeable, same); }},
    {"profile", true, true, read_word_setting<&S::profile, profile_words>, show_word<&S::profile>},
    {"min_version", true, true, read_min_version, show_word<&S::min_version>},
    {"max_version", true, true, read_max_version, show_word<&S::max_version>},
    {"suites", true, true, read_suites, [](const S& s) { return show_list(s.suites, same); }},
    {"groups", true, true, read_groups,
     [](const S& s) {
       return show_list(s.groups, [](const Group& g) { return g.name + (g.required ? "!" : ""); });
     }},
    {"signatures", true, true, read_signatures,
     [](const S& s) { return show_list(s.signatures, same); }},
    {"alpn", true, true, read_alpn, [](const S& s) { return show_list(s.alpn, same); }},
    {"session", true, true, read_session, show_session},
    {"rekey", true, true, read_rekey, show_rekey},
    {"handshake_timeout", true, true, read_handshake_timeout,
     [](const S& s) { return show_seconds(s.handshake_timeout); }},
    {"close_timeout", true, true, read_close_timeout,
     [](const S& s) { return show_seconds(s.close_timeout); }},
    {"truncation", true, true, read_word_setting<&S::truncation, truncation_words>,
     show_word<&S::truncation>},
    {"ocsp", true, false, read_word_setting<&S::ocsp, ocsp_words>, show_word<&S::ocsp>},
    {"must_staple", false, true, read_flag<&S::must_staple>, show_flag<&S::must_staple>},
    {"revocation", true, true, read_word_setting<&S::revocation, revocation_words>,
     show_word<&S::revocation>},
    {"on_change", true, true, read_word_setting<&S::on_change, on_change_words>,
     show_word<&S::on_change>},
    {"engine", true, true, read_word_setting<&S::engine, engine_words>, show_word<&S::engine>},
    {"accelerator", true, true, read_word_setting<&S::accelerator, accelerator_words>,
     show_word<&S::accelerator>},
};
static_assert(std::size(keys) == setting_count);
static_assert(static_cast<size_t>(Setting::accelerator) + 1 == setting_count);

bool valid_in(const Key& key, bool server) { return server ? key.server : key.client; }

const Key* find_key(std::string_view name) {
  const auto found = std::ranges::find(keys, name, &Key::name);
  return found == std::end(keys) ? nullptr : found;
}

bool is_server(Role role, Direction direction) {
  return role == Role::automatic ? direction == Direction::inbound : role == Role::server;
}

// Before all other settings: it says which of them are valid.
Role role_of(const Node& group, const Settings& base) {
  Role role = base.role;
  if (const Node* node = group.find("role"))
    for (const Word<Role>& word : role_words)
      if (node->text == word.text) role = word.value;
  return role;
}

std::string why_misplaced(bool server, Role role) {
  if (role == Role::automatic)
    return server ? "belongs to outbound, not to inbound" : "belongs to inbound, not to outbound";
  return server ? "belongs to a TLS client, and role is \"server\""
                : "belongs to a TLS server, and role is \"client\"";
}

}  // namespace

bool is_setting_key(std::string_view name) { return find_key(name) != nullptr; }

void read_settings(const Node& group, Direction direction, bool both,
                   std::span<const std::string_view> also, Layer& layer, const Report& report) {
  const Role role = role_of(group, layer.settings);
  const bool server = is_server(role, direction);
  for (const Node& node : group.children) {
    if (std::ranges::find(also, node.name) != also.end()) continue;
    const Key* key = find_key(node.name);
    if (key == nullptr) {
      std::vector<std::string_view> valid;
      for (const Key& k : keys)
        if (valid_in(k, server)) valid.push_back(k.name);
      valid.insert(valid.end(), also.begin(), also.end());
      report.unknown_key(node, valid);
    } else if (!valid_in(*key, server)) {
      if (!both || role != Role::automatic) report.key(node, why_misplaced(server, role));
    } else if (server && node.name == "certificate" && node.text == "none") {
      report.value(node, "a TLS server needs a certificate");
    } else if (key->read(node, layer.settings, report)) {
      layer.origins[static_cast<size_t>(key - keys)] = {node.file, node.line};
    }
  }
}

std::vector<EffectiveSetting> Policy::effective(const Rule& rule) const {
  std::vector<EffectiveSetting> list;
  for (size_t i = 0; i < std::size(keys); i++) {
    if (!valid_in(keys[i], rule.is_tls_server())) continue;
    const Origin origin = rule.origins[i];
    std::string from = origin.file < 0 ? "default"
                                       : files_[static_cast<size_t>(origin.file)] + ":" +
                                             std::to_string(origin.line);
    list.push_back({keys[i].name, keys[i].show(rule.settings), std::move(from)});
  }
  return list;
}

}  // namespace gaiter::policy
