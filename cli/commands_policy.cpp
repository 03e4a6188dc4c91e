// The verbs that look at policies: check.
#include <memory>

#include "cli/check.h"
#include "cli/commands.h"

namespace gaiter::cli {
namespace {

void add_check(CLI::App& app, Chosen& chosen) {
  CLI::App* verb = add_verb(
      app, "check",
      "Find what is wrong with a policy and its certificates.\n"
      "PATH is a policy file or directory; without it, what a program started here would use\n"
      "is checked: GAITER_POLICY and GAITER_POLICY_TEXT, else /etc/gaiter.",
      "Example:\n"
      "  gaiter check /etc/gaiter\n\n"
      "Exit codes: 0 good; 1 warnings only; 2 errors: connections would be refused.");
  const auto options = std::make_shared<CheckOptions>();
  add_path(verb, "PATH", options->path, "policy file or directory");
  add_path(verb, "--keyring", options->keyring, "check against this keyring, not the policy's");
  add_json(verb, options->json);
  verb->callback([&chosen, options] { chosen.action = [options] { return check(*options); }; });
}

}  // namespace

void add_policy_verbs(CLI::App& app, Chosen& chosen) { add_check(app, chosen); }

}  // namespace gaiter::cli
