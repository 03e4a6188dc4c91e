// `gaiter run`.
#include <memory>

#include "cli/commands.h"
#include "cli/run.h"
#include "policy/ports.h"

namespace gaiter::cli {
namespace {

std::string check_ports(const std::string& text) {
  const auto range = policy::parse_port_range(text);
  return range ? "" : range.error();
}

}  // namespace

void add_run_verb(CLI::App& app, Chosen& chosen) {
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
  const auto options = std::make_shared<RunOptions>();
  add_path(verb, "--policy", options->policy, "policy file or directory");
  add_path(verb, "--keyring", options->keyring, "directory of certificates and keys");
  CLI::Option* listen = add_repeatable(verb, "--listen", options->listen, "PORT",
                                       "protect connections accepted at PORT, or a range A-B");
  listen->check(check_ports);
  CLI::Option* connect = add_repeatable(verb, "--connect", options->connect, "PORT",
                                        "protect connections made to PORT, or a range A-B");
  connect->check(check_ports);
  verb->add_option("--client-auth", options->client_auth,
                   "certificates of clients: none, optional or required")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"none", "optional", "required"}))
      ->needs(listen);
  add_repeatable(verb, "--allow", options->allow, "PEER",
                 "clients that may connect, such as dns:*.example; or any-trusted")
      ->needs(listen);
  verb->add_option("--client-certificate", options->client_certificate,
                   "shown to servers that ask: a label, or `default`")
      ->type_name("LABEL")
      ->needs(connect);
  verb->add_flag("--strict", options->strict, "block every TCP connection without a rule");
  verb->add_flag("-q,--quiet", options->quiet, "do not say how clients can connect");
  verb->prefix_command();
  verb->callback([&chosen, options] {
    chosen = {.action = [options] { return run(*options); }, .program = &options->command};
  });
}

}  // namespace gaiter::cli
