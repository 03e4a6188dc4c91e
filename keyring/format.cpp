#include "keyring/format.h"

#include "keyring/errors.h"
#include "keyring/label.h"

namespace gaiter::keyring {
namespace {

constexpr std::string_view format_version = "1";

struct Line {
  size_t number;
  std::string_view key, value;
};

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const size_t first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::unexpected<Error> refuse(const std::string& path, size_t line, const std::string& why) {
  return fail(Error::Kind::invalid, path + ":" + std::to_string(line) + ": " + why);
}

Result<std::vector<Line>> parse_lines(std::string_view text, const std::string& path) {
  std::vector<Line> lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const size_t equals = line.find('=');
    if (equals == line.npos) return refuse(path, number, "a line must read `key = value`");
    const std::string_view key = trim(line.substr(0, equals));
    for (const Line& earlier : lines) {
      if (earlier.key == key) {
        return refuse(path, number, "`" + std::string(key) + "` is given twice");
      }
    }
    lines.push_back({number, key, trim(line.substr(equals + 1))});
  }
  return lines;
}

std::unexpected<Error> refuse_key(const std::string& path, const Line& line, const char* known) {
  return refuse(path, line.number, "unknown key `" + std::string(line.key) + "`; known: " + known);
}

std::unexpected<Error> refuse_value(const std::string& path, const Line& line, const char* known) {
  return refuse(path, line.number,
                std::string(line.key) + " = " + std::string(line.value) + ": must be " + known);
}

// Whether it can be where an entry really is.
bool is_connection(std::string_view value) {
  const size_t slash = value.rfind('/');
  return value == system_repository ||
         (value.starts_with('/') && slash != 0 && check_label(value.substr(slash + 1)));
}

}  // namespace

const char* word(Usage usage) {
  switch (usage) {
    case Usage::personal:
      return "personal";
    case Usage::ca:
      return "ca";
    case Usage::site:
      return "site";
  }
  return "?";
}

Result<Usage> usage_of(std::string_view value) {
  for (const Usage usage : {Usage::personal, Usage::ca, Usage::site}) {
    if (value == word(usage)) return usage;
  }
  return fail(Error::Kind::invalid,
              "\"" + std::string(value) + "\" is no usage: personal, ca or site");
}

Result<KeyringConf> parse_keyring_conf(std::string_view text, const std::string& path) {
  auto lines = parse_lines(text, path);
  if (!lines) return pass_on(lines);
  KeyringConf conf;
  bool versioned = false;
  for (const Line& line : *lines) {
    if (line.key == "format") {
      if (line.value != format_version) {
        return refuse(path, line.number,
                      "format " + std::string(line.value) + " is unknown; this Gaiter reads " +
                          std::string(format_version));
      }
      versioned = true;
    } else if (line.key == "default") {
      if (auto good = check_label(line.value); !good) {
        return refuse(path, line.number, good.error().message);
      }
      conf.default_label = line.value;
    } else if (line.key == "keys") {
      if (line.value != "encrypted" && line.value != "clear") {
        return refuse_value(path, line, "encrypted or clear");
      }
      conf.encrypted = line.value == "encrypted";
    } else if (line.key == "passphrase_file") {
      if (!line.value.starts_with('/')) return refuse_value(path, line, "an absolute path");
      conf.passphrase_file = line.value;
    } else {
      return refuse_key(path, line, "format, default, keys, passphrase_file");
    }
  }
  if (!versioned) return fail(Error::Kind::invalid, path + " has no `format = 1`");
  return conf;
}

Result<EntryConf> parse_entry_conf(std::string_view text, const std::string& path) {
  auto lines = parse_lines(text, path);
  if (!lines) return pass_on(lines);
  EntryConf conf;
  bool used = false;
  for (const Line& line : *lines) {
    if (line.key == "usage") {
      const auto usage = usage_of(line.value);
      if (!usage) return refuse_value(path, line, "personal, ca or site");
      conf.usage = *usage;
      used = true;
    } else if (line.key == "trust") {
      if (line.value != "on" && line.value != "off") return refuse_value(path, line, "on or off");
      conf.trusted = line.value == "on";
    } else if (line.key == "origin") {
      conf.origin = line.value;
    } else if (line.key == "connected") {
      if (!is_connection(line.value)) {
        return refuse_value(path, line, "KEYRING/LABEL, absolute, or system:");
      }
      conf.connected = line.value;
    } else {
      return refuse_key(path, line, "usage, trust, origin, connected");
    }
  }
  if (!used) {
    return fail(Error::Kind::invalid, path + " has no `usage = personal`, `ca` or `site`");
  }
  return conf;
}

std::string print(const KeyringConf& conf) {
  std::string text = "format = " + std::string(format_version) + "\n";
  if (!conf.default_label.empty()) text += "default = " + conf.default_label + "\n";
  if (conf.encrypted) text += "keys = encrypted\n";
  if (!conf.passphrase_file.empty()) text += "passphrase_file = " + conf.passphrase_file + "\n";
  return text;
}

std::string print(const EntryConf& conf) {
  return std::string("usage = ") + word(conf.usage) + "\ntrust = " + (conf.trusted ? "on" : "off") +
         "\norigin = " + conf.origin + "\n" +
         (conf.connected.empty() ? "" : "connected = " + conf.connected + "\n");
}

}  // namespace gaiter::keyring
