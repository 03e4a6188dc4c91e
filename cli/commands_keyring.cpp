// `gaiter keyring`, and its verbs that manage entries.
#include "cli/commands_keyring.h"

#include "cli/keyring.h"

namespace gaiter::cli {
namespace {

// --passphrase-file and --passphrase-fd; `what` is "of the file".
void add_passphrase(CLI::App* verb, PassphraseOptions& options, const std::string& what,
                    const std::string& prefix = "--") {
  CLI::Option* file =
      verb->add_option(prefix + "passphrase-file", options.file, "the passphrase " + what);
  file->type_name("FILE");
  verb->add_option(prefix + "passphrase-fd", options.fd, "the same from an open descriptor")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 20))
      ->excludes(file);
}

void add_usage(CLI::App* verb, std::string& usage) {
  verb->add_option("--usage", usage, "personal, ca or site")
      ->type_name("USAGE")
      ->check(CLI::IsMember({"personal", "ca", "site"}));
}

std::shared_ptr<bool> add_force(CLI::App* verb) {
  auto force = std::make_shared<bool>(false);
  verb->add_flag("--force", *force, "even if a rule uses it");
  return force;
}

void add_list(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add(
      "list",
      "List the entries, one a line.\n"
      "With usage, default, subject, names, key type, issuer, days left, and the rules of\n"
      "the policy that use it.",
      "  gaiter keyring list --json\n");
  add_json(verb, verbs.shared->json);
  verbs.on(verb, [](const KeyringArguments& all) { return keyring_list(all.keyring, all.json); });
}

void add_show(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "show",
      "Show one entry in full.\n"
      "Its certificate, how long that is valid, its chain as a tree, and the rules of the policy\n"
      "that use it; never the key.",
      "  gaiter keyring show localhost\n");
  add_json(verb, verbs.shared->json);
  verbs.on(verb, [](const KeyringArguments& all) {
    return keyring_show(all.keyring, all.label, all.json);
  });
}

void add_import(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "import",
      "Take in a certificate made elsewhere, with its key if there is one.\n"
      "FILEs are PEM, DER, PKCS#7 or PKCS#12, in any order: the certificate, its chain, the key.\n"
      "Without --usage one with a key is personal, a CA's is trusted to vouch for others,\n"
      "and any other is a site, trusted for itself alone.",
      "  gaiter keyring import web fullchain.pem privkey.pem\n"
      "  gaiter keyring import web keystore.p12 --passphrase-file secret\n"
      "  gaiter keyring import house-ca ca.pem\n");
  const auto options = std::make_shared<ImportOptions>();
  verb->add_option("FILE", options->files, "what to import; - is standard input")->type_name("");
  verb->add_option("--cert", options->certificate_file, "one more file")->type_name("FILE");
  verb->add_option("--key", options->key_file, "one more file")->type_name("FILE");
  add_usage(verb, options->usage);
  verb->add_option("--item", options->item, "which key of a PKCS#12 file, by its name")
      ->type_name("NAME");
  add_passphrase(verb, options->passphrase, "of the file or key");
  verb->add_flag("--replace", options->replace, "replace the entry of this label");
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_import(all.keyring, all.label, *options);
  });
}

void add_export(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label(
      "export",
      "Write out a certificate and its chain; the key only if told.\n"
      "To standard output, or to a file, which has mode 0600 if there is a key in it. A\n"
      "passphrase encrypts the key; PKCS#12 needs one.",
      "  gaiter keyring export house-ca > ca.pem\n"
      "  gaiter keyring export web --format pkcs12 --private-key --out web.p12\n");
  const auto options = std::make_shared<ExportOptions>();
  options->format = "pem";
  add_out(verb, options->out);
  CLI::Option* format = verb->add_option("--format", options->format, "pem, der or pkcs12");
  format->type_name("FORMAT")->check(CLI::IsMember({"pem", "der", "pkcs12"}));
  verb->add_flag_callback(
          "--pkcs12", [options] { options->format = "pkcs12"; }, "the same as --format pkcs12")
      ->excludes(format);
  verb->add_flag("--private-key", options->private_key, "with the private key");
  verb->add_flag("--no-chain", options->leaf_only, "the certificate alone");
  verb->add_flag("--replace", options->replace, "write over the file");
  add_passphrase(verb, options->passphrase, "of what is written");
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_export(all.keyring, all.label, *options);
  });
}

void add_default(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label("default",
                                        "Choose the default entry.\n"
                                        "Inbound rules that name no certificate use it.",
                                        "  gaiter keyring default redis\n");
  verbs.on(verb,
           [](const KeyringArguments& all) { return keyring_default(all.keyring, all.label); });
}

void add_trust(KeyringVerbs verbs) {
  CLI::App* trust = verbs.add_with_label("trust",
                                         "Trust an entry again.\n"
                                         "What was distrusted counts again.",
                                         "  gaiter keyring trust partner-ca\n");
  verbs.on(trust,
           [](const KeyringArguments& all) { return keyring_trust(all.keyring, all.label, true); });
  CLI::App* distrust = verbs.add_with_label(
      "distrust",
      "Keep an entry, but do not trust it.\n"
      "A CA or site vouches for nobody then, and a personal entry is not used.",
      "  gaiter keyring distrust partner-ca\n");
  verbs.on(distrust, [](const KeyringArguments& all) {
    return keyring_trust(all.keyring, all.label, false);
  });
}

void add_connect(KeyringVerbs verbs) {
  CLI::App* connect = verbs.add_with_label(
      "connect",
      "Share an entry of another keyring, or the CAs that the system trusts.\n"
      "LABEL stands for it here: renewed there, it is renewed here. Usage and trust are this\n"
      "keyring's own.",
      "  gaiter keyring --keyring ~/shop connect web --from /etc/gaiter/keyring\n"
      "  gaiter keyring connect public --from system:\n");
  const auto options = std::make_shared<ConnectOptions>();
  add_path(connect, "--from", options->from, "the other keyring, or system:")->required();
  connect->add_option("--entry", options->entry, "its label there, if it is another")
      ->type_name("LABEL");
  add_usage(connect, options->usage);
  verbs.on(connect, [options](const KeyringArguments& all) {
    return keyring_connect(all.keyring, all.label, *options);
  });

  CLI::App* disconnect =
      verbs.add_with_label("disconnect",
                           "Share an entry of another keyring no longer.\n"
                           "It stays where it is. Refused while a rule of the policy uses it.",
                           "  gaiter keyring --keyring ~/shop disconnect web\n");
  const auto force = add_force(disconnect);
  verbs.on(disconnect, [force](const KeyringArguments& all) {
    return keyring_disconnect(all.keyring, all.label, *force);
  });
}

void add_rename(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label("rename",
                                        "Give an entry another label.\n"
                                        "The default stays the default.",
                                        "  gaiter keyring rename web shop\n");
  const auto to = std::make_shared<std::string>();
  verb->add_option("NEW", *to, "its new label")->required();
  verbs.on(verb, [to](const KeyringArguments& all) {
    return keyring_rename(all.keyring, all.label, *to);
  });
}

void add_delete(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add_with_label("delete",
                                        "Remove an entry with its key.\n"
                                        "Refused while a rule of the policy uses it.",
                                        "  gaiter keyring delete old-web\n");
  const auto force = add_force(verb);
  verbs.on(verb, [force](const KeyringArguments& all) {
    return keyring_delete(all.keyring, all.label, *force);
  });
}

void add_match(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add(
      "match",
      "Find the key that a certificate belongs to.\n"
      "Prints the labels of the entries whose key is that of the certificate, or signing\n"
      "request, in FILE.",
      "  gaiter keyring match answer-of-the-ca.pem\n",
      "0 found; 1 no such key, or no keyring; 2 wrong usage or refused.");
  const auto file = std::make_shared<std::string>();
  verb->add_option("FILE", *file, "a certificate, or a signing request")->required();
  add_json(verb, verbs.shared->json);
  verbs.on(verb, [file](const KeyringArguments& all) {
    return keyring_match(all.keyring, *file, all.json);
  });
}

void add_audit(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add(
      "audit",
      "Look for what is weak, wrong or soon too old.\n"
      "Weak keys, SHA-1, certificates without names, that live long, have expired or soon will,\n"
      "keys that others can read, doubles, chains that are not whole.",
      "  gaiter keyring audit\n",
      "0 nothing; 1 warnings only, or no keyring; 2 errors, wrong usage or refused.");
  add_json(verb, verbs.shared->json);
  verbs.on(verb, [](const KeyringArguments& all) { return keyring_audit(all.keyring, all.json); });
}

void add_passwd(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add(
      "passwd",
      "Encrypt the private keys under a passphrase, or under another one.\n"
      "Keys that are made later are encrypted too. A service finds the passphrase in its\n"
      "credential gaiter-passphrase (LoadCredential=, systemd.exec(5)), or in the file of\n"
      "--for-services; a person is asked.",
      "  gaiter keyring passwd --passphrase-file secret --for-services /etc/gaiter/secret\n"
      "  gaiter keyring passwd --decrypt\n");
  const auto options = std::make_shared<PasswdOptions>();
  add_passphrase(verb, options->passphrase, "from now on");
  add_passphrase(verb, options->old, "until now", "--old-");
  verb->add_option("--for-services", options->for_services,
                   "a file (mode 0600) in which services find it")
      ->type_name("FILE");
  verb->add_flag("--decrypt", options->decrypt, "do without a passphrase from now on");
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_passwd(all.keyring, *options);
  });
}

}  // namespace

CLI::App* KeyringVerbs::add(const std::string& name, const std::string& description,
                            const std::string& examples, const std::string& exit_codes) {
  CLI::App* verb =
      add_verb(parent, name, description, "Example:\n" + examples + "\nExit codes: " + exit_codes);
  add_path(verb, "--keyring", shared->keyring, "the keyring's directory");
  return verb;
}

CLI::App* KeyringVerbs::add_with_label(const std::string& name, const std::string& description,
                                       const std::string& examples, const std::string& exit_codes) {
  CLI::App* verb = add(name, description, examples, exit_codes);
  verb->add_option("LABEL", shared->label, "the entry's name in the keyring")->required();
  return verb;
}

KeyringVerbs KeyringVerbs::add_group(const std::string& name, const std::string& description,
                                     const std::string& examples) {
  CLI::App* group = add(name, description, examples);
  // Keeps what the options are parsed into alive, and leaves the action to the verbs.
  group->callback([shared = shared] {});
  return {*group, shared, chosen};
}

void add_entry_verbs(KeyringVerbs verbs) {
  add_list(verbs);
  add_show(verbs);
  add_import(verbs);
  add_export(verbs);
  add_default(verbs);
  add_trust(verbs);
  add_connect(verbs);
  add_rename(verbs);
  add_delete(verbs);
  add_match(verbs);
  add_audit(verbs);
  add_passwd(verbs);
}

void add_keyring_verbs(CLI::App& app, Chosen& chosen) {
  KeyringVerbs top{app, std::make_shared<KeyringArguments>(), chosen};
  const KeyringVerbs verbs = top.add_group(
      "keyring",
      "Manage certificates, private keys and trusted CAs.\n"
      "A keyring is a directory of labelled entries, one of which may be the default. Root's is\n"
      "/etc/gaiter/keyring, a user's ~/.local/share/gaiter/keyring.",
      "  gaiter keyring list\n");
  add_entry_verbs(verbs);
  add_certificate_verbs(verbs);
  add_authority_verbs(verbs);
}

}  // namespace gaiter::cli
