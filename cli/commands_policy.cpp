// The verbs that look at policies: check, explain, policy show, diff and convert.
#include <memory>

#include "cli/check.h"
#include "cli/commands.h"
#include "cli/convert.h"
#include "cli/explain.h"
#include "cli/policy_diff.h"
#include "cli/policy_show.h"
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
      "Exit codes: 0 good, perhaps with notes; 1 warnings; 2 errors: connections would be "
      "refused;\n"
      "126 and 127, with --program: as run.");
  const auto options = std::make_shared<CheckOptions>();
  add_path(verb, "PATH", options->path, "policy file or directory");
  add_path(verb, "--keyring", options->keyring, "check against this keyring, not the policy's");
  verb->add_option("--expires-within", options->soon,
                   "days that a certificate has to last, else 30")
      ->type_name("DAYS")
      ->check(CLI::Range(0, 36500));
  add_json(verb, options->json);
  const auto program = std::make_shared<std::string>();
  add_path(verb, "--program", *program, "check this program, not a policy");
  verb->callback([&chosen, options, program] {
    chosen.action = [options, program] {
      return program->empty() ? check(*options) : check_program({*program, options->json});
    };
  });
}

void add_explain(CLI::App& app, Chosen& chosen) {
  CLI::App* verb = add_verb(
      app, "explain",
      "Say what would happen to a connection, and why.\n"
      "The rule that is for it, why each earlier one is not, its settings with where each was\n"
      "written, and its certificates. Nothing is connected to.",
      "Example:\n"
      "  gaiter explain inbound --local 127.0.0.1:6379 --remote 10.0.0.1:5555\n\n"
      "Exit codes: 0 a rule is for it; 1 none is; 2 wrong usage, or the policy has errors.");
  const auto options = std::make_shared<ExplainOptions>();
  verb->add_option("DIRECTION", options->direction, "inbound (accepted) or outbound (connected)")
      ->required()
      ->check(CLI::IsMember({"inbound", "outbound"}));
  const auto add_end = [&](const std::string& name, std::string& text, const std::string& help) {
    verb->add_option(name, text, help)->type_name("ADDRESS:PORT");
  };
  add_end("--local", options->local, "this host's end, such as 127.0.0.1:6379 or [::1]:6379");
  add_end("--remote", options->remote, "the other end");
  add_path(verb, "--program", options->program, "the executable, else rules with one do not match");
  verb->add_option("--user", options->user, "whose process, else yours")->type_name("USER");
  verb->add_option("--group", options->group, "its group, else the user's")->type_name("GROUP");
  verb->add_option("--unit", options->unit, "its systemd unit, else none")->type_name("UNIT");
  add_path(verb, "--policy", options->policy, "policy file or directory, else as `gaiter check`");
  add_path(verb, "--keyring", options->keyring, "look there for certificates");
  add_json(verb, options->json);
  verb->callback([&chosen, options] { chosen.action = [options] { return explain(*options); }; });
}

void add_show(CLI::App& parent, Chosen& chosen) {
  CLI::App* verb = add_verb(parent, "show",
                            "Show the rules, in the order in which they are tried.\n"
                            "With --json also the settings of each, and where each was written.",
                            "Example:\n"
                            "  gaiter policy show /etc/gaiter\n\n"
                            "Exit codes: 0 shown; 2 wrong usage, or the policy has errors.");
  struct Options {
    std::string path;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  add_path(verb, "PATH", options->path, "policy file or directory, else as `gaiter check`");
  add_json(verb, options->json);
  verb->callback([&chosen, options] {
    chosen.action = [options] { return policy_show(options->path, options->json); };
  });
}

void add_diff(CLI::App& parent, Chosen& chosen) {
  CLI::App* verb =
      add_verb(parent, "diff",
               "Show what another policy would change.\n"
               "Rules that are removed (-), added (+), changed (~) or tried in another order (^),\n"
               "told apart by their names; what two policies only write differently is the same.",
               "Example:\n"
               "  gaiter policy diff /etc/gaiter ./new\n\n"
               "Exit codes: 0 the same; 1 different; 2 wrong usage, or a policy has errors.");
  struct Options {
    std::string before;
    std::string after;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  add_path(verb, "A", options->before, "policy file or directory")->required();
  add_path(verb, "B", options->after, "what it is compared with")->required();
  add_json(verb, options->json);
  verb->callback([&chosen, options] {
    chosen.action = [options] {
      return policy_diff(options->before, options->after, options->json);
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
                            "  gaiter policy show\n\n"
                            "Exit codes: each verb's own; 2 wrong usage.");
  verb->require_subcommand(0, 1);
  add_show(*verb, chosen);
  add_diff(*verb, chosen);
  add_convert(*verb, chosen);
}

}  // namespace

void add_policy_verbs(CLI::App& app, Chosen& chosen) {
  add_check(app, chosen);
  add_explain(app, chosen);
  add_policy(app, chosen);
}

}  // namespace gaiter::cli
