// What another program's TLS configuration becomes: rules of Gaiter's, what has to
// be imported into the keyring, and what a person has to know.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace gaiter::cli {

struct ConvertedRule {
  std::string name;
  int line;                           // of what it was converted from
  std::vector<std::string> comments;  // lines above it
  std::vector<std::string> body;      // "key = value;", or "# ..."

  void comment(std::string text) { comments.push_back(std::move(text)); }

  // `value` as a policy writes it (cli/policy_values.h).
  void set(std::string_view key, const std::string& value) {
    body.push_back(std::string(key) + " = " + value + ";");
  }
};

class Conversion {
 public:
  // `file` names what is converted, as messages show it.
  explicit Conversion(std::string file) : file_(std::move(file)) {}

  // Rules count in this order. The reference lasts as long as the conversion.
  ConvertedRule& add_rule(const std::string& name, int line);

  // What has no counterpart, or what a person has to decide: shown on standard
  // error, and at the top of the policy.
  void note(int line, std::string text);

  // What the files say that Gaiter has no use for: "pid", "output".
  void not_needed(int line, std::string_view word);

  // A label for the identity in these files, made from `wish` if they have none
  // yet; remembers the import. `key` may be empty: in `certificate`, or unknown.
  std::string identity_label(const std::string& certificate, const std::string& key,
                             std::string_view wish);

  // The same for certificates that are trusted; `usage`: "ca" or "site".
  std::string trust_label(const std::string& certificate, std::string_view usage,
                          std::string_view wish);

  // A command to be typed before the policy is used.
  void command(const std::string& text);

  struct Note {
    int line;
    std::string text;
  };
  const std::string& file() const { return file_; }
  const std::deque<ConvertedRule>& rules() const { return rules_; }
  const std::vector<Note>& notes() const { return notes_; }  // by line

  // The policy, a gaiter.conf.
  std::string policy() const;

 private:
  struct Import {
    std::string label;
    std::string certificate;
    std::string key;
    std::string usage;  // "" = personal
  };
  std::string label_for(Import wanted, std::string_view wish);

  std::string file_;
  std::deque<ConvertedRule> rules_;
  std::vector<Note> notes_;
  std::vector<std::string> not_needed_;
  std::vector<Import> imports_;
  std::vector<std::string> commands_;
};

// A label that a keyring accepts, as near to `wish` as can be.
std::string label_from(std::string_view wish);

// "redis" for "/etc/stunnel/redis.pem".
std::string_view stem(std::string_view path);

// A word as a shell reads it back.
std::string shell_word(std::string_view word);

}  // namespace gaiter::cli
