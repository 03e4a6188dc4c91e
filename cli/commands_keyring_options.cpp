// Options that several verbs of `gaiter keyring` have.
#include "cli/commands_keyring.h"
#include "keyring/key_type.h"

namespace gaiter::cli {

void add_common_name(CLI::App* verb, std::string& name) {
  verb->add_option("--cn", name, "the subject's common name, else the label")->type_name("NAME");
}

void add_names(CLI::App* verb, keyring::SubjectNames& names) {
  add_repeatable(verb, "--dns", names.dns, "NAME", "a host name that it is for; repeatable");
  add_repeatable(verb, "--ip", names.ip, "ADDRESS", "an address that it is for; repeatable");
  add_repeatable(verb, "--uri", names.uris, "URI", "a URI (SPIFFE) that it is for; repeatable");
  add_repeatable(verb, "--email", names.emails, "ADDRESS", "a mailbox that it is for; repeatable");
}

void add_key_type(CLI::App* verb, std::string& type) {
  verb->add_option("--key", type, "ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096 or ed25519")
      ->type_name("TYPE")
      ->check(CLI::IsMember(keyring::key_type_words()));
}

CLI::Option* add_days(CLI::App* verb, int& days, const std::string& help) {
  return verb->add_option("--days", days, help)->type_name("N")->check(CLI::Range(1, 36500));
}

void add_out(CLI::App* verb, std::string& out) {
  add_path(verb, "--out", out, "the file to write, else standard output");
}

void add_purpose(CLI::App* verb, const std::function<void(keyring::KeyPurpose)>& set) {
  CLI::Option* server = verb->add_flag_callback(
      "--server", [set] { set(keyring::KeyPurpose::server); }, "for a server alone");
  verb->add_flag_callback(
          "--client", [set] { set(keyring::KeyPurpose::client); }, "for a client alone")
      ->excludes(server);
}

}  // namespace gaiter::cli
