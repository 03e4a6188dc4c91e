// The verbs that look at policies: check, policy convert.
#include <memory>

#include "cli/check.h"
#include "cli/commands.h"
#include "cli/convert.h"
#include "cli/program_check.h"

namespace gaiter::cli {
namespace {

void add_check(CLI::App& app, Chosen& chosen) {
  CLI::App* verb = add_verb(
      app, "check",
      "Find what is wrong with a policy and its certificates.\n"
      "PATH is a policy file or directory; without it, what a program started here would use\n"
      "is checked: GAITER_POLICY and GAITER_POLICY_TEXT, else /etc/gaiter.\n"
      "With --program it is a program that is checked: can it be protected, are its calls covered?",
      "Example:\n"
      "  gaiter check /etc/gaiter\n"
      "  gaiter check --program redis-server\n\n"
      "Exit codes: 0 good; 1 warnings only; 2 errors: connections would be refused;\n"
      "126 and 127, with --program: as run.");
  const auto options = std::make_shared<CheckOptions>();
  add_path(verb, "PATH", options->path, "policy file or directory");
  add_path(verb, "--keyring", options->keyring, "check against this keyring, not the policy's");
  add_json(verb, options->json);
  const auto program = std::make_shared<std::string>();
  add_path(verb, "--program", *program, "check this program, not a policy");
  verb->callback([&chosen, options, program] {
    chosen.action = [options, program] {
      return program->empty() ? check(*options) : check_program({*program, options->json});
    };
  });
}

void add_convert(CLI::App& parent, Chosen& chosen) {
  CLI::App* verb = add_verb(
      parent, "convert",
      "Turn stunnel.conf or an AT-TLS policy into a policy of Gaiter's.\n"
      "It is printed; what has no counterpart, and what must be imported into the keyring\n"
      "first, is said at its top, and the former on standard error too.",
      "Example:\n"
      "  gaiter policy convert /etc/stunnel/stunnel.conf > gaiter.conf\n\n"
      "Exit codes: 0 all is converted; 1 converted, but read what is said; 2 refused.");
  const auto options = std::make_shared<ConvertOptions>();
  add_path(verb, "FILE", options->file, "what is converted")->required();
  verb->add_option("--from", options->from, "what FILE is: stunnel or at-tls; else found out")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"stunnel", "at-tls"}));
  verb->callback([&chosen, options] { chosen.action = [options] { return convert(*options); }; });
}

void add_policy(CLI::App& app, Chosen& chosen) {
  CLI::App* verb = add_verb(app, "policy", "Look at policies, and make them from those of others.",
                            "Example:\n"
                            "  gaiter policy convert stunnel.conf\n\n"
                            "Exit codes: each verb's own; 2 wrong usage.");
  verb->require_subcommand(0, 1);
  add_convert(*verb, chosen);
}

}  // namespace

void add_policy_verbs(CLI::App& app, Chosen& chosen) {
  add_check(app, chosen);
  add_policy(app, chosen);
}

}  // namespace gaiter::cli
