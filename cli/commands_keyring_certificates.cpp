// The verbs of `gaiter keyring` that make and renew certificates.
#include "cli/commands_keyring.h"
#include "cli/keyring_certificates.h"
#include "keyring/key_type.h"

namespace gaiter::cli {
namespace {

void add_create(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "create",
      "Make a key and its certificate.\n"
      "It is signed by the keyring's CA, which is made if there is none. Without names the\n"
      "certificate is for this host.",
      "  gaiter keyring create redis --dns redis.internal --ip 10.0.0.5 --default\n");
  const auto options = std::make_shared<CreateOptions>();
  add_common_name(verb, options->common_name);
  add_names(verb, options->names);
  add_key_type(verb, options->key_type);
  add_days(verb, options->days, "how long it is valid, else 397");
  add_purpose(verb, [options](keyring::KeyPurpose purpose) { options->purpose = purpose; });
  CLI::Option* ca = verb->add_option("--ca", options->ca, "the CA that signs");
  ca->type_name("LABEL");
  verb->add_flag("--self-signed", options->self_signed, "signed by no CA")->excludes(ca);
  verb->add_flag("--default", options->make_default, "make it the keyring's default");
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_create(all.keyring, all.label, *options);
  });
}

void add_request(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "request",
      "Print a certificate signing request for a CA elsewhere.\n"
      "A new LABEL gets a key that waits for its certificate. Of an entry that is there, its\n"
      "next key is meant, or the key in use, with the subject and all names that it has.",
      "  gaiter keyring request web --dns www.example.org --out web.csr\n");
  const auto options = std::make_shared<RequestOptions>();
  add_common_name(verb, options->common_name);
  add_names(verb, options->names);
  add_key_type(verb, options->key_type);
  add_out(verb, options->out);
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_request(all.keyring, all.label, *options);
  });
}

void add_receive(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "receive",
      "Take in the certificate that a CA signed for a request.\n"
      "It joins the key that it is for; its chain is completed from the CAs of the keyring\n"
      "and the system. One for another key, or by a CA that neither trusts, is refused.",
      "  gaiter keyring receive web web.pem\n");
  const auto file = std::make_shared<std::string>();
  const auto any_ca = std::make_shared<bool>(false);
  add_path(verb, "FILE", *file, "the answer: the certificate, perhaps with its chain")->required();
  verb->add_flag("--any-ca", *any_ca, "also if nobody here trusts who signed it");
  verbs.on(verb, [file, any_ca](const KeyringArguments& all) {
    return keyring_receive(all.keyring, all.label, *file, *any_ca);
  });
}

void add_renew(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "renew",
      "Make a new certificate for the same key and names.\n"
      "By the CA of the keyring that signed the old one, or self-signed as it was. Programs\n"
      "use it from their next connection on.",
      "  gaiter keyring renew redis\n");
  const auto days = std::make_shared<int>(0);
  add_days(verb, *days, "how long it is valid, else as long as the old one was");
  verbs.on(verb, [days](const KeyringArguments& all) {
    return keyring_renew(all.keyring, all.label, *days);
  });
}

void add_rekey(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "rekey",
      "Make a new key beside the one in use, and its certificate.\n"
      "Nothing changes for programs until `rollover`. If the issuer is elsewhere, `request`\n"
      "then prints what it must sign.",
      "  gaiter keyring rekey redis && gaiter keyring rollover redis\n");
  const auto type = std::make_shared<std::string>();
  const auto again = std::make_shared<bool>(false);
  add_key_type(verb, *type);
  verb->add_flag("--again", *again, "replace a next key that is there already");
  verbs.on(verb, [type, again](const KeyringArguments& all) {
    return keyring_rekey(all.keyring, all.label, *type, *again);
  });
}

void add_rollover(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "rollover",
      "Switch to the next key and certificate, in one step.\n"
      "The old certificate is kept until it expires, and the old key goes. Of a CA the old\n"
      "certificate stays trusted, and the old key signs revocation lists for what it signed,\n"
      "until then.",
      "  gaiter keyring rollover redis\n");
  verbs.on(verb,
           [](const KeyringArguments& all) { return keyring_rollover(all.keyring, all.label); });
}

void add_needs_renewal(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "needs-renewal",
      "Tell by the exit code whether a certificate needs to be renewed.\n"
      "That is when 66% of its life are over, or as --threshold says.",
      "  gaiter keyring needs-renewal redis --threshold 30d && gaiter keyring renew redis\n",
      "0 it needs to be renewed; 1 it does not; 2 no such label or keyring, or wrong\n"
      "usage; 255 it cannot be read.");
  const auto threshold = std::make_shared<std::string>("66%");
  verb->add_option("--threshold", *threshold, "share of its life (66%), or days left (30d)")
      ->type_name("WHEN");
  verbs.on(verb, [threshold](const KeyringArguments& all) {
    return keyring_needs_renewal(all.keyring, all.label, *threshold);
  });
}

void add_expiring(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add("expiring",
                             "List what expires soon, or has expired.\n"
                             "Also CAs and peers that are trusted.",
                             "  gaiter keyring expiring --within 14\n",
                             "0 nothing expires so soon; 1 something does; 2 refused.");
  const auto within = std::make_shared<int>(30);
  verb->add_option("--within", *within, "days from now, else 30")
      ->type_name("DAYS")
      ->check(CLI::Range(0, 36500));
  add_json(verb, verbs.shared->json);
  verbs.on(verb, [within](const KeyringArguments& all) {
    return keyring_expiring(all.keyring, *within, all.json);
  });
}

void add_verify(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "verify",
      "Say what a peer would say of an entry's certificate.\n"
      "The peer trusts the CAs of this keyring, and knows their revocation lists.",
      "  gaiter keyring verify redis --as server --name redis.internal\n",
      "0 it would be accepted; 1 no such label or keyring; 2 it would be refused: the reason\n"
      "is printed.");
  const auto role = std::make_shared<std::string>();
  const auto name = std::make_shared<std::string>();
  verb->add_option("--as", *role, "what it shall be: server or client")
      ->type_name("ROLE")
      ->check(CLI::IsMember({"server", "client"}));
  verb->add_option("--name", *name, "the name or address that the peer asks for")
      ->type_name("NAME");
  add_json(verb, verbs.shared->json);
  verbs.on(verb, [role, name](const KeyringArguments& all) {
    return keyring_verify(all.keyring, all.label, {.role = *role, .name = *name}, all.json);
  });
}

}  // namespace

void add_certificate_verbs(KeyringVerbs verbs) {
  add_create(verbs);
  add_request(verbs);
  add_receive(verbs);
  add_renew(verbs);
  add_rekey(verbs);
  add_rollover(verbs);
  add_needs_renewal(verbs);
  add_expiring(verbs);
  add_verify(verbs);
}

}  // namespace gaiter::cli
