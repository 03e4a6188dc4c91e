// The verbs of `gaiter keyring` for whoever runs a CA: it signs, takes back, and brings
// other hosts in.
#include "cli/commands_keyring.h"
#include "cli/keyring_certificates.h"
#include "keyring/revocation.h"

namespace gaiter::cli {
namespace {

void add_ca_create(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "create",
      "Make a CA: a key and a certificate that signs others.\n"
      "It is trusted in this keyring, and signs there what `create` and `ca sign` make.",
      "  gaiter keyring ca create house-ca --permit internal --permit 10.0.0.0/8\n");
  const auto options = std::make_shared<CaOptions>();
  add_common_name(verb, options->common_name);
  add_key_type(verb, options->key_type);
  add_days(verb, options->days, "how long it is valid, else 3650");
  verb->add_option("--path-length", options->limits.path_length,
                   "how many CAs may stand below it, else 0; -1 for any number")
      ->type_name("N")
      ->check(CLI::Range(-1, 10));
  add_repeatable(verb, "--permit", options->limits.permitted, "NAME",
                 "a domain or network that it may sign for, else all");
  add_repeatable(verb, "--exclude", options->limits.excluded, "NAME", "one that it may not");
  verb->add_option("--ca", options->ca, "the CA that signs it, else itself")->type_name("LABEL");
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_ca_create(all.keyring, all.label, *options);
  });
}

void add_ca_sign(KeyringVerbs verbs) {
  CLI::App* verb =
      verbs.add("sign",
                "Sign a certificate signing request, made by any tool.\n"
                "All names that it asks for are kept; what the CA may not sign is refused.",
                "  gaiter keyring ca sign web.csr --ca house-ca --out web.pem\n");
  const auto options = std::make_shared<SignOptions>();
  add_path(verb, "REQUEST", options->request, "the request's file, PEM or DER; - for stdin")
      ->required();
  verb->add_option("--ca", options->ca, "the CA that signs, else the only one")->type_name("LABEL");
  add_out(verb, options->out);
  add_days(verb, options->days, "how long it is valid, else 397");
  add_purpose(verb, [options](keyring::KeyPurpose purpose) { options->purpose = purpose; });
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_ca_sign(all.keyring, *options);
  });
}

void add_revoke(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add(
      "revoke",
      "Revoke a certificate that a CA of this keyring signed.\n"
      "The CA's revocation list is signed anew, and counts here at once. The certificate is\n"
      "an entry's, or in a file, or known by its serial number alone.",
      "  gaiter keyring revoke redis --reason keyCompromise\n");
  const auto options = std::make_shared<RevokeOptions>();
  CLI::Option* label = verb->add_option("LABEL", verbs.shared->label, "the entry's name");
  CLI::Option* file = add_path(verb, "--file", options->file, "a certificate that is in no entry");
  CLI::Option* serial =
      verb->add_option("--serial", options->serial, "its serial number, hexadecimal");
  serial->type_name("NUMBER");
  CLI::Option* ca = verb->add_option("--ca", options->ca, "the CA that signed the serial number");
  ca->type_name("LABEL");
  serial->needs(ca);
  file->excludes(label)->excludes(serial);
  serial->excludes(label);
  verb->add_option("--reason", options->reason, "why, else unspecified")
      ->type_name("REASON")
      ->check(CLI::IsMember(keyring::revocation_reasons()));
  verb->parse_complete_callback([label, file, serial] {
    if (label->empty() && file->empty() && serial->empty())
      throw CLI::RequiredError("LABEL, --file or --serial");
  });
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_revoke(all.keyring, all.label, *options);
  });
}

void add_crl(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add("crl",
                             "Sign a CA's revocation list anew, and print it; or take in that of "
                             "another CA.\n"
                             "It gets the next number and is good for 30 days, or --days. After a\n"
                             "rollover it is signed once more by each key that the CA had before.\n"
                             "With --import the list (PEM or DER) goes into the entry of the CA\n"
                             "that signed it.",
                             "  gaiter keyring crl --ca house-ca --out house-ca.crl\n"
                             "  gaiter keyring crl company-ca --import company.crl\n");
  const auto ca = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>();
  const auto file = std::make_shared<std::string>();
  const auto days = std::make_shared<int>(0);
  CLI::Option* label =
      verb->add_option("label,--ca", *ca, "the CA, else the only one")->type_name("LABEL");
  CLI::Option* import =
      add_path(verb, "--import", *file, "a revocation list that was signed elsewhere")
          ->needs(label);
  add_out(verb, *out);
  add_days(verb, *days, "until its next update, else 30")->excludes(import);
  verbs.on(verb, [ca, out, file, days](const KeyringArguments& all) {
    if (!file->empty()) return keyring_crl_import(all.keyring, *ca, *file);
    return keyring_crl(all.keyring, *ca, *days, *out);
  });
}

void add_ocsp(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "ocsp",
      "Make or take in an OCSP response to staple.\n"
      "Made, it is signed by the CA of this keyring, and says what that has revoked. Servers\n"
      "staple it from their next connection on.",
      "  gaiter keyring ocsp redis --days 3\n"
      "  gaiter keyring ocsp web --import web.der\n");
  const auto options = std::make_shared<OcspOptions>();
  CLI::Option* file = add_path(verb, "--import", options->import_file,
                               "a response (DER) that was fetched elsewhere");
  add_path(verb, "--out", options->out, "write it to a file, too");
  add_days(verb, options->days, "how long it is good, else 7")->excludes(file);
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_ocsp(all.keyring, all.label, *options);
  });
}

void add_bundle(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add("bundle",
                             "Print the CA certificates that clients need.\n"
                             "And how curl, Java, Windows, browsers and others are told to trust "
                             "them.",
                             "  gaiter keyring bundle --out ca.pem\n");
  const auto out = std::make_shared<std::string>();
  add_out(verb, *out);
  verbs.on(verb, [out](const KeyringArguments& all) { return keyring_bundle(all.keyring, *out); });
}

void add_enroll_export(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add(
      "export",
      "Write one file that brings another host in.\n"
      "It holds a key and certificate for HOST, and the CA: a SECRET, and good for 24 hours.\n"
      "This host gets a CA and a certificate, too, if it has none.",
      "  gaiter keyring enroll export b.internal\n");
  const auto options = std::make_shared<EnrollOptions>();
  verb->add_option("HOST", options->host, "the other host's name or address")->required();
  add_names(verb, options->more);
  verb->add_option("--ca", options->ca, "the CA that signs")->type_name("LABEL");
  add_path(verb, "--out", options->out, "the file, else HOST.enrolment");
  add_days(verb, options->days, "how long the certificate is valid, else 397");
  verb->add_option("--hours", options->hours, "how long the file is good, else 24")
      ->type_name("N")
      ->check(CLI::Range(1, 24 * 30));
  verb->add_flag("--passphrase", options->ask_passphrase, "ask for one, and encrypt the key");
  add_path(verb, "--passphrase-file", options->passphrase_file, "it is in this file's first line");
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_enroll_export(all.keyring, *options);
  });
}

void add_enroll_import(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add("import",
                             "Take in what `enroll export` wrote on another host.\n"
                             "Its CA is trusted, and its certificate becomes this host's default.",
                             "  gaiter keyring enroll import b.internal.enrolment\n");
  const auto file = std::make_shared<std::string>();
  const auto passphrase_file = std::make_shared<std::string>();
  add_path(verb, "FILE", *file, "the file; - for standard input")->required();
  add_path(verb, "--passphrase-file", *passphrase_file, "the passphrase is in its first line");
  verbs.on(verb, [file, passphrase_file](const KeyringArguments& all) {
    return keyring_enroll_import(all.keyring, *file, *passphrase_file);
  });
}

void add_ticket_keys_rotate(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add("rotate",
                             "Make a new key for session tickets.\n"
                             "Tickets by the two keys before it are still taken.",
                             "  gaiter keyring ticket-keys rotate\n");
  verbs.on(verb,
           [](const KeyringArguments& all) { return keyring_ticket_keys_rotate(all.keyring); });
}

}  // namespace

void add_authority_verbs(KeyringVerbs verbs) {
  const KeyringVerbs ca = verbs.add_group("ca", "Make CAs, and let them sign requests.",
                                          "  gaiter keyring ca create house-ca\n");
  add_ca_create(ca);
  add_ca_sign(ca);
  add_revoke(verbs);
  add_crl(verbs);
  add_ocsp(verbs);
  add_bundle(verbs);
  const KeyringVerbs enroll =
      verbs.add_group("enroll", "Mutual TLS between two hosts, in two commands.",
                      "  gaiter keyring enroll export b.internal\n");
  add_enroll_export(enroll);
  add_enroll_import(enroll);
  add_ticket_keys_rotate(verbs.add_group("ticket-keys",
                                         "Keys of session tickets, kept in the keyring.",
                                         "  gaiter keyring ticket-keys rotate\n"));
}

}  // namespace gaiter::cli
