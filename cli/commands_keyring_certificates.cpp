// The verbs of `gaiter keyring` that make certificates.
#include "cli/commands_keyring.h"
#include "cli/keyring_certificates.h"

namespace gaiter::cli {
namespace {

void add_create(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "create",
      "Make a key (EC P-256) and its certificate.\n"
      "It is signed by the keyring's CA, which is made if there is none. Without --dns and\n"
      "--ip the certificate is for this host.",
      "  gaiter keyring create redis --dns redis.internal --ip 10.0.0.5 --default\n");
  const auto options = std::make_shared<CreateOptions>();
  verb->add_option("--cn", options->common_name, "the subject's common name, else the label")
      ->type_name("NAME");
  add_repeatable(verb, "--dns", options->dns, "NAME", "a host name that it is for; repeatable");
  add_repeatable(verb, "--ip", options->ip, "ADDRESS", "an address that it is for; repeatable");
  verb->add_option("--days", options->days, "how long it is valid, else 397; a CA 3650")
      ->type_name("N")
      ->check(CLI::Range(1, 36500));
  CLI::Option* ca = verb->add_option("--ca", options->ca, "the CA that signs");
  ca->type_name("LABEL");
  verb->add_flag("--self-signed", options->self_signed, "signed by no CA")->excludes(ca);
  verb->add_flag("--make-ca", options->make_ca, "make a CA: self-signed, or below --ca");
  verb->add_flag("--default", options->make_default, "make it the keyring's default");
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_create(all.keyring, all.label, *options);
  });
}

}  // namespace

void add_certificate_verbs(KeyringVerbs verbs) { add_create(verbs); }

}  // namespace gaiter::cli
