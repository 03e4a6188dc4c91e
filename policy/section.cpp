#include "policy/section.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cmath>

namespace gaiter::policy {
namespace {

constexpr double min_timeout = 0.1;
constexpr double max_timeout = 600;
constexpr size_t max_label = 64;
constexpr size_t max_host_name = 253;  // RFC 1035, section 2.3.4, as text

// As keyring/FORMAT.md defines it; "" is allowed here for the default.
bool is_label(std::string_view text) {
  const bool letters = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           std::string_view("._-+@").find(c) != std::string_view::npos;
  });
  return letters && text.size() <= max_label && !text.starts_with('.') && !text.starts_with('-');
}

bool is_ip_address(const std::string& text) {
  unsigned char address[sizeof(in6_addr)];
  return inet_pton(AF_INET, text.c_str(), address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address) == 1;
}

// Letters, digits, hyphens and (as seen in the wild) underscores between dots.
bool is_host_name(std::string_view text) {
  if (text.size() > max_host_name) return false;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    const bool letters = std::all_of(label.begin(), label.end(), [](char c) {
      return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_';
    });
    if (label.empty() || label.size() > 63 || !letters || label.front() == '-') return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

bool read_certificate(const config_setting_t& setting, Settings& out, const Report& report) {
  std::string label;
  if (!read_text(setting, label, report)) return false;
  if (!is_label(label)) {
    report.value(setting,
                 "not a label; expected the label of an entry of the keyring, not a file "
                 "(gaiter keyring list shows the labels)");
    return false;
  }
  out.certificates.clear();
  if (!label.empty()) out.certificates.push_back(label);
  return true;
}

bool read_server_name(const config_setting_t& setting, Settings& out, const Report& report) {
  std::string name;
  if (!read_text(setting, name, report)) return false;
  if (!name.empty() && !is_host_name(name) && !is_ip_address(name)) {
    report.value(setting, "not a host name; expected one name or address, such as \"db.example\"");
    return false;
  }
  out.server_name = name;
  return true;
}

bool read_min_version(const config_setting_t& setting, Settings& out, const Report& report) {
  constexpr std::string_view refused[] = {"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"};
  if (config_setting_type(&setting) == CONFIG_TYPE_STRING) {
    for (std::string_view old : refused) {
      if (edit_distance(config_setting_get_string(&setting), old) != 0) continue;
      report.value(setting, std::string("too old: ") +
                                (old.starts_with("SSL") ? "SSL is broken"
                                                        : "RFC 8996 forbids TLS 1.0 and 1.1") +
                                "; \"TLSv1.2\" is the oldest that Gaiter speaks");
      return false;
    }
  }
  return read_word<Version>(setting, version_words, out.min_version, report);
}

bool read_timeout(const config_setting_t& setting, Settings& out, const Report& report) {
  if (!config_setting_is_number(&setting)) {
    report.type(setting, "seconds, from 0.1 to 600");
    return false;
  }
  const double seconds = config_setting_type(&setting) == CONFIG_TYPE_FLOAT
                             ? config_setting_get_float(&setting)
                             : static_cast<double>(config_setting_get_int64(&setting));
  if (!(seconds >= min_timeout && seconds <= max_timeout)) {
    report.value(setting, "out of range; expected seconds, from 0.1 to 600");
    return false;
  }
  out.handshake_timeout = std::chrono::milliseconds(static_cast<long>(seconds * 1000 + 0.5));
  return true;
}

struct Key {
  std::string_view name;
  bool inbound;
  bool outbound;
  bool (*read)(const config_setting_t&, Settings&, const Report&);
  std::string (*show)(const Settings&);
};

// In the order of struct Settings, which Rule::origins follows.
constexpr Key keys[] = {
    {"tls", true, true,
     [](const config_setting_t& s, Settings& out, const Report& report) {
       return read_word<Tls>(s, tls_words, out.tls, report);
     },
     [](const Settings& s) { return quote(to_string(s.tls)); }},
    {"certificate", true, true, read_certificate,
     [](const Settings& s) { return quote(s.certificates.empty() ? "" : s.certificates[0]); }},
    {"client_auth", true, false,
     [](const config_setting_t& s, Settings& out, const Report& report) {
       return read_word<ClientAuth>(s, client_auth_words, out.client_auth, report);
     },
     [](const Settings& s) { return quote(to_string(s.client_auth)); }},
    {"verify", false, true,
     [](const config_setting_t& s, Settings& out, const Report& report) {
       return read_word<Verify>(s, verify_words, out.verify, report);
     },
     [](const Settings& s) { return quote(to_string(s.verify)); }},
    {"server_name", false, true, read_server_name,
     [](const Settings& s) { return quote(s.server_name); }},
    {"min_version", true, true, read_min_version,
     [](const Settings& s) { return quote(to_string(s.min_version)); }},
    {"handshake_timeout", true, true, read_timeout,
     [](const Settings& s) {
       return shortest(static_cast<double>(s.handshake_timeout.count()) / 1000);
     }},
    {"truncation", true, true,
     [](const config_setting_t& s, Settings& out, const Report& report) {
       return read_word<Truncation>(s, truncation_words, out.truncation, report);
     },
     [](const Settings& s) { return quote(to_string(s.truncation)); }},
};
static_assert(std::size(keys) <= setting_count);

bool valid_in(const Key& key, Direction direction) {
  return direction == Direction::inbound ? key.inbound : key.outbound;
}

std::vector<std::string_view> names_in(Direction direction) {
  std::vector<std::string_view> names;
  for (const Key& key : keys)
    if (valid_in(key, direction)) names.push_back(key.name);
  return names;
}

}  // namespace

bool is_setting_key(std::string_view name) {
  return std::any_of(std::begin(keys), std::end(keys),
                     [name](const Key& key) { return key.name == name; });
}

void read_setting(const config_setting_t& setting, Direction direction, int file,
                  std::span<const std::string_view> also, Layer& layer, const Report& report) {
  const std::string_view name = config_setting_name(&setting);
  const Key* key = std::find_if(std::begin(keys), std::end(keys),
                                [name](const Key& k) { return k.name == name; });
  if (key == std::end(keys)) {
    std::vector<std::string_view> valid = names_in(direction);
    valid.insert(valid.end(), also.begin(), also.end());
    report.key(setting, "unknown key; " + suggest_key(name, valid));
  } else if (!valid_in(*key, direction)) {
    report.key(setting, direction == Direction::inbound ? "belongs to outbound, not to inbound"
                                                        : "belongs to inbound, not to outbound");
  } else if (key->read(setting, layer.settings, report)) {
    layer.origins[static_cast<size_t>(key - keys)] = {file, line_of(setting)};
  }
}

std::vector<EffectiveSetting> Policy::effective(const Rule& rule) const {
  std::vector<EffectiveSetting> list;
  for (size_t i = 0; i < std::size(keys); i++) {
    if (!valid_in(keys[i], rule.direction)) continue;
    const Origin origin = rule.origins[i];
    std::string from = origin.file < 0 ? "default"
                                       : files_[static_cast<size_t>(origin.file)] + ":" +
                                             std::to_string(origin.line);
    list.push_back({keys[i].name, keys[i].show(rule.settings), std::move(from)});
  }
  return list;
}

}  // namespace gaiter::policy
