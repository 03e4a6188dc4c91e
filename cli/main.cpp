// The `gaiter` command: the way from the arguments to a verb, and to the exit code.
// What can be typed is in commands_*.cpp; each verb is a function in a file of its
// name.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/version.h"
#include "policy/vocabulary.h"

namespace gaiter::cli {
namespace {

// Help that says what a verb does, how it is used, an example, and exit codes.
class Help : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    return app->get_description() + "\n\n";
  }

  std::string make_usage(const CLI::App* app, std::string name) const override {
    if (!app->get_prefix_command()) return Formatter::make_usage(app, name);
    return "Usage: " + name + " [OPTIONS] -- PROGRAM [ARGUMENT]...\n";
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_type_size() == 0 || option->get_positional()) return "";
    const std::string type = option->get_type_name();  // "TYPE:the values that are allowed"
    return " " + type.substr(0, type.find(':'));
  }

  // In the list of verbs: the first line of the verb's own help.
  std::string make_subcommand(const CLI::App* verb) const override {
    const std::string text = verb->get_description();
    return fmt::format("  {:<15}{}\n", verb->get_name(), text.substr(0, text.find('\n')));
  }
};

void add_version(CLI::App& app, bool& json, Chosen& chosen) {
  CLI::App* verb =
      add_verb(app, "version",
               "Show the versions of Gaiter and of the libraries in it.\n"
               "With the back end that seals and opens records of each cipher on this CPU.",
               "Example:\n"
               "  gaiter version --json\n\n"
               "Exit codes: 0 always.");
  add_json(verb, json);
  verb->callback([&] { chosen.action = [&] { return version(json); }; });
}

// The verb that was typed, as deep as it goes: "keyring list".
const CLI::App& chosen(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return verbs.empty() ? app : chosen(*verbs.front());
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name()
                                     : full_name(*app.get_parent()) + " " + app.get_name();
}

// What is wrong with the words that no verb took.
std::string unexpected_words(const CLI::App& verb, const std::vector<std::string>& words) {
  const auto verbs = verb.get_subcommands({});
  if (verbs.empty() || words.front().starts_with('-'))
    return "unexpected argument: " + printable(words.front());
  std::vector<std::string> names;
  for (const CLI::App* known : verbs) names.push_back(known->get_name());
  const std::vector<std::string_view> views(names.begin(), names.end());
  return fmt::format("there is no verb \"{}\"; {}", printable(words.front()),
                     policy::suggest_key(words.front(), views));
}

int refuse(const CLI::App& verb, const std::string& message) {
  say(fmt::format("{} (see `{} --help`)", message, full_name(verb)));
  return exit_refused;
}

int main(int argc, char** argv) {
  CLI::App app(
      "TLS over the TCP sockets of programs that know nothing of TLS.\n"
      "Policies say which connections are protected, keyrings hold the certificates.",
      "gaiter");
  const auto help = std::make_shared<Help>();
  help->label("SUBCOMMAND", "VERB");
  help->label("Positionals", "Arguments");
  app.formatter(help);
  app.set_help_flag("-h,--help", "this help");
  bool want_version = false;
  app.add_flag("--version", want_version, "the same as `gaiter version`");
  app.footer("`gaiter VERB --help` says more of each. The manual is gaiter(1).");

  // Without a limit a program of `run` that is called like a verb is taken for one.
  app.require_subcommand(0, 1);

  Chosen asked;
  add_run_verb(app, asked);
  add_policy_verbs(app, asked);
  add_keyring_verbs(app, asked);
  bool json = false;
  add_version(app, json, asked);

  // What follows the first -- of `run` is the program's and not ours to look at.
  char** const end = argv + argc;
  const bool runs = argc > 1 && argv[1] == std::string_view("run");
  char** const dashes =
      runs ? std::find_if(argv + 2, end, [](std::string_view word) { return word == "--"; }) : end;
  std::vector<std::string> words(argv + 1, dashes);
  std::ranges::reverse(words);  // as CLI11 wants them
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return exit_ok;
  } catch (const CLI::ParseError& error) {
    const CLI::App& verb = chosen(app);
    const bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    return refuse(verb,
                  extras ? unexpected_words(verb, verb.remaining(true)) : printable(error.what()));
  }
  if (want_version) return version(false);

  const CLI::App& verb = chosen(app);
  if (!asked.action) {
    std::fputs(app.help().c_str(), stderr);
    return exit_refused;
  }
  if (asked.program != nullptr) {
    std::vector<std::string>& command = *asked.program;
    command = verb.remaining();
    if (!command.empty() && command.front().starts_with('-'))
      return refuse(verb, "unknown option " + printable(command.front()));
    // In `run PROGRAM --` even the dashes are the program's.
    command.insert(command.end(), command.empty() && dashes != end ? dashes + 1 : dashes, end);
    if (command.empty()) return refuse(verb, "no program to start");
  }
  return asked.action();
}

}  // namespace
}  // namespace gaiter::cli

int main(int argc, char** argv) {
  const int code = gaiter::cli::main(argc, argv);
  if (std::fflush(stdout) != 0) {
    gaiter::cli::say("cannot write the output");
    return gaiter::cli::exit_refused;
  }
  return code;
}
