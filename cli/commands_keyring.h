// What the verbs of `gaiter keyring` share. The verbs that manage entries are
// registered in commands_keyring.cpp, those that make certificates in
// commands_keyring_certificates.cpp, those of a CA in commands_keyring_authority.cpp.
#pragma once

#include <memory>
#include <string>

#include "cli/commands.h"
#include "keyring/extensions.h"
#include "keyring/subject_names.h"

namespace gaiter::cli {

// --keyring may stand before or after the verb; so all verbs parse into one of these.
struct KeyringArguments {
  std::string keyring;  // "" = the default's path
  std::string label;
  bool json = false;
};

// Registers verbs below `parent`.
struct KeyringVerbs {
  CLI::App& parent;
  std::shared_ptr<KeyringArguments> shared;
  Chosen& chosen;

  // `examples`: lines that begin with two spaces and end with a newline. The verb has
  // --keyring; its exit codes are `exit_codes`.
  CLI::App* add(const std::string& name, const std::string& description,
                const std::string& examples, const std::string& exit_codes = usual_exit_codes);

  // The same for a verb on one entry, with the argument LABEL.
  CLI::App* add_with_label(const std::string& name, const std::string& description,
                           const std::string& examples,
                           const std::string& exit_codes = usual_exit_codes);

  // A verb that only has verbs of its own, for which the result is.
  KeyringVerbs add_group(const std::string& name, const std::string& description,
                         const std::string& examples);

  // What runs if `verb` is typed: int action(const KeyringArguments&).
  template <class Action>
  void on(CLI::App* verb, Action action) const {
    verb->callback([&chosen = chosen, shared = shared, action] {
      chosen.action = [shared, action] { return action(*shared); };
    });
  }

  static constexpr const char* usual_exit_codes =
      "0 done; 1 no such label or keyring; 2 wrong usage or refused.";
};

void add_entry_verbs(KeyringVerbs verbs);
void add_certificate_verbs(KeyringVerbs verbs);
void add_authority_verbs(KeyringVerbs verbs);

// ---- options that several of them have ----

void add_common_name(CLI::App* verb, std::string& name);
void add_names(CLI::App* verb, keyring::SubjectNames& names);
void add_key_type(CLI::App* verb, std::string& type);
CLI::Option* add_days(CLI::App* verb, int& days, const std::string& help);
void add_out(CLI::App* verb, std::string& out);
void add_purpose(CLI::App* verb, const std::function<void(keyring::KeyPurpose)>& set);

}  // namespace gaiter::cli
