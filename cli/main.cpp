// The `gaiter` command: what can be typed, and what --help says. Each verb is a
// function in a file of its name.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/check.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "cli/run.h"
#include "cli/version.h"
#include "policy/ports.h"
#include "policy/vocabulary.h"

namespace gaiter::cli {
namespace {

// What the arguments ask for; returns the exit code.
using Action = std::function<int()>;

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
    return fmt::format("  {:<12}{}\n", verb->get_name(), text.substr(0, text.find('\n')));
  }
};

CLI::App* add_verb(CLI::App& parent, const std::string& name, const std::string& description,
                   const std::string& footer) {
  return parent.add_subcommand(name, description)->footer(footer)->group("Verbs");
}

void add_path(CLI::App* verb, const std::string& name, std::string& path, const std::string& help) {
  verb->add_option(name, path, help)->type_name("PATH")->check([](const std::string& text) {
    return std::string(text.empty() ? "the path is empty" : "");
  });
}

// May be given again and again, one value each time.
CLI::Option* add_repeatable(CLI::App* verb, const std::string& name,
                            std::vector<std::string>& values, const std::string& type,
                            const std::string& help) {
  return verb->add_option(name, values, help)->allow_extra_args(false)->type_name(type);
}

std::string check_ports(const std::string& text) {
  const auto range = policy::parse_port_range(text);
  return range ? "" : range.error();
}

void add_run(CLI::App& app, RunOptions& options, Action& action) {
  CLI::App* verb = add_verb(
      app, "run",
      "Start a program with its TCP connections under TLS.\n"
      "The options before -- make the policy: --listen protects what the program serves,\n"
      "--connect what it connects to; policy files can say more. On first use a keyring with\n"
      "an internal CA and a certificate for this host is made.",
      "Examples:\n"
      "  gaiter run --listen 6379 -- redis-server --port 6379\n"
      "  gaiter run --connect 6379 -- redis-cli -h localhost\n\n"
      "Exit codes: the program's own; 2 wrong usage or refused: the reason is printed and the\n"
      "program not started; 126 the program cannot be executed; 127 there is no such program.");
  add_path(verb, "--policy", options.policy, "policy file or directory");
  add_path(verb, "--keyring", options.keyring, "directory of certificates and keys");
  CLI::Option* listen = add_repeatable(verb, "--listen", options.listen, "PORT",
                                       "protect connections accepted at PORT, or a range A-B");
  listen->check(check_ports);
  add_repeatable(verb, "--connect", options.connect, "PORT",
                 "protect connections made to PORT, or a range A-B")
      ->check(check_ports);
  verb->add_option("--client-auth", options.client_auth,
                   "certificates of clients: none, optional or required")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"none", "optional", "required"}))
      ->needs(listen);
  verb->add_flag("--strict", options.strict, "block every TCP connection without a rule");
  verb->add_flag("-q,--quiet", options.quiet, "do not say how clients can connect");
  verb->prefix_command();
  verb->callback([&] { action = [&] { return run(options); }; });
}

void add_check(CLI::App& app, CheckOptions& options, Action& action) {
  CLI::App* verb = add_verb(
      app, "check",
      "Find what is wrong with a policy and its certificates.\n"
      "PATH is a policy file or directory; without it, what a program started here would use\n"
      "is checked: GAITER_POLICY and GAITER_POLICY_TEXT, else /etc/gaiter.",
      "Example:\n"
      "  gaiter check /etc/gaiter\n\n"
      "Exit codes: 0 good; 1 warnings only; 2 errors: connections would be refused.");
  add_path(verb, "PATH", options.path, "policy file or directory");
  add_path(verb, "--keyring", options.keyring, "check against this keyring, not the policy's");
  verb->add_flag("--json", options.json, "print JSON");
  verb->callback([&] { action = [&] { return check(options); }; });
}

void add_version(CLI::App& app, bool& json, Action& action) {
  CLI::App* verb =
      add_verb(app, "version",
               "Show the versions of Gaiter and of the libraries in it.\n"
               "With the back end that seals and opens records of each cipher on this CPU.",
               "Example:\n"
               "  gaiter version --json\n\n"
               "Exit codes: 0 always.");
  verb->add_flag("--json", json, "print JSON");
  verb->callback([&] { action = [&] { return version(json); }; });
}

struct KeyringOptions {
  std::string keyring;
  std::string label;
  bool json = false;
  CreateOptions create;
  ImportOptions import;
};

CLI::App* add_keyring_verb(CLI::App& parent, const std::string& name,
                           const std::string& description, const std::string& examples,
                           KeyringOptions& options) {
  CLI::App* verb =
      add_verb(parent, name, description,
               "Example:\n" + examples +
                   "\nExit codes: 0 done; 1 no such label or keyring; 2 wrong usage or refused.");
  add_path(verb, "--keyring", options.keyring, "the keyring's directory");
  return verb;
}

CLI::App* with_label(CLI::App* verb, KeyringOptions& options) {
  verb->add_option("LABEL", options.label, "the entry's name in the keyring")->required();
  return verb;
}

void add_create(CLI::App& parent, KeyringOptions& all, Action& action) {
  CLI::App* verb = with_label(
      add_keyring_verb(
          parent, "create",
          "Make a key (EC P-256) and its certificate.\n"
          "It is signed by the keyring's CA, which is made if there is none. Without --dns and\n"
          "--ip the certificate is for this host.",
          "  gaiter keyring create redis --dns redis.internal --ip 10.0.0.5 --default\n", all),
      all);
  CreateOptions& options = all.create;
  verb->add_option("--cn", options.common_name, "the subject's common name, else the label")
      ->type_name("NAME");
  add_repeatable(verb, "--dns", options.dns, "NAME", "a host name that it is for; repeatable");
  add_repeatable(verb, "--ip", options.ip, "ADDRESS", "an address that it is for; repeatable");
  verb->add_option("--days", options.days, "how long it is valid, else 397; a CA 3650")
      ->type_name("N")
      ->check(CLI::Range(1, 36500));
  CLI::Option* ca = verb->add_option("--ca", options.ca, "the CA that signs");
  ca->type_name("LABEL");
  verb->add_flag("--self-signed", options.self_signed, "signed by no CA")->excludes(ca);
  verb->add_flag("--make-ca", options.make_ca, "make a CA: self-signed, or below --ca");
  verb->add_flag("--default", options.make_default, "make it the keyring's default");
  verb->callback(
      [&] { action = [&] { return keyring_create(all.keyring, all.label, all.create); }; });
}

void add_import(CLI::App& parent, KeyringOptions& all, Action& action) {
  CLI::App* verb = with_label(
      add_keyring_verb(
          parent, "import",
          "Take in a certificate made elsewhere, with its key if there is one.\n"
          "FILE is PEM: the certificate, then its chain; the key in it or in a file of its own.\n"
          "Without --usage one with a key is personal, a CA's is trusted to vouch for others,\n"
          "and any other is a site, trusted for itself alone.",
          "  gaiter keyring import web --cert fullchain.pem --key privkey.pem\n"
          "  gaiter keyring import house-ca --cert ca.pem\n",
          all),
      all);
  ImportOptions& options = all.import;
  verb->add_option("--cert", options.certificate_file, "certificate and chain, PEM")
      ->required()
      ->type_name("FILE");
  verb->add_option("--key", options.key_file, "private key, PEM")->type_name("FILE");
  verb->add_option("--usage", options.usage, "personal, ca or site")
      ->type_name("USAGE")
      ->check(CLI::IsMember({"personal", "ca", "site"}));
  verb->add_flag("--replace", options.replace, "replace the entry of this label");
  verb->callback(
      [&] { action = [&] { return keyring_import(all.keyring, all.label, all.import); }; });
}

void add_keyring(CLI::App& app, KeyringOptions& options, Action& action) {
  CLI::App* verb = add_keyring_verb(
      app, "keyring",
      "Manage certificates, private keys and trusted CAs.\n"
      "A keyring is a directory of labelled entries, one of which may be the default. Root's is\n"
      "/etc/gaiter/keyring, a user's ~/.local/share/gaiter/keyring.",
      "  gaiter keyring list\n", options);

  CLI::App* list =
      add_keyring_verb(*verb, "list",
                       "List the entries, one a line.\n"
                       "With usage, default, subject, names, key type, issuer and days left.",
                       "  gaiter keyring list --json\n", options);
  list->add_flag("--json", options.json, "print JSON");
  list->callback([&] { action = [&] { return keyring_list(options.keyring, options.json); }; });

  CLI::App* show = with_label(
      add_keyring_verb(*verb, "show",
                       "Show one entry in full.\n"
                       "Its certificate, how long that is valid, and its chain; never the key.",
                       "  gaiter keyring show localhost\n", options),
      options);
  show->add_flag("--json", options.json, "print JSON");
  show->callback(
      [&] { action = [&] { return keyring_show(options.keyring, options.label, options.json); }; });

  add_create(*verb, options, action);
  add_import(*verb, options, action);

  CLI::App* choose = with_label(add_keyring_verb(*verb, "default",
                                                 "Choose the default entry.\n"
                                                 "Inbound rules that name no certificate use it.",
                                                 "  gaiter keyring default redis\n", options),
                                options);
  choose->callback(
      [&] { action = [&] { return keyring_default(options.keyring, options.label); }; });
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

  Action action;
  RunOptions run_options;
  CheckOptions check_options;
  KeyringOptions keyring_options;
  bool json = false;
  add_run(app, run_options, action);
  add_check(app, check_options, action);
  add_keyring(app, keyring_options, action);
  add_version(app, json, action);

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
  if (!action) {
    std::fputs(app.help().c_str(), stderr);
    return exit_refused;
  }
  if (runs) {
    std::vector<std::string>& command = run_options.command;
    command = verb.remaining();
    if (!command.empty() && command.front().starts_with('-'))
      return refuse(verb, "unknown option " + printable(command.front()));
    // In `run PROGRAM --` even the dashes are the program's.
    command.insert(command.end(), command.empty() && dashes != end ? dashes + 1 : dashes, end);
    if (command.empty()) return refuse(verb, "no program to start");
  }
  return action();
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
