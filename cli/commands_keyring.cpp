// `gaiter keyring`, and its verbs that manage entries.
#include "cli/commands_keyring.h"

#include "cli/keyring.h"

namespace gaiter::cli {
namespace {

void add_list(KeyringVerbs verbs) {
  CLI::App* verb = verbs.add("list",
                             "List the entries, one a line.\n"
                             "With usage, default, subject, names, key type, issuer and days left.",
                             "  gaiter keyring list --json\n");
  add_json(verb, verbs.shared->json);
  verbs.on(verb, [](const KeyringArguments& all) { return keyring_list(all.keyring, all.json); });
}

void add_show(KeyringVerbs verbs) {
  CLI::App* verb =
      verbs.add_with_label("show",
                           "Show one entry in full.\n"
                           "Its certificate, how long that is valid, and its chain; never the key.",
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
      "FILE is PEM: the certificate, then its chain; the key in it or in a file of its own.\n"
      "Without --usage one with a key is personal, a CA's is trusted to vouch for others,\n"
      "and any other is a site, trusted for itself alone.",
      "  gaiter keyring import web --cert fullchain.pem --key privkey.pem\n"
      "  gaiter keyring import house-ca --cert ca.pem\n");
  const auto options = std::make_shared<ImportOptions>();
  verb->add_option("--cert", options->certificate_file, "certificate and chain, PEM")
      ->required()
      ->type_name("FILE");
  verb->add_option("--key", options->key_file, "private key, PEM")->type_name("FILE");
  verb->add_option("--usage", options->usage, "personal, ca or site")
      ->type_name("USAGE")
      ->check(CLI::IsMember({"personal", "ca", "site"}));
  verb->add_flag("--replace", options->replace, "replace the entry of this label");
  verbs.on(verb, [options](const KeyringArguments& all) {
    return keyring_import(all.keyring, all.label, *options);
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

void add_entry_verbs(KeyringVerbs verbs) {
  add_list(verbs);
  add_show(verbs);
  add_import(verbs);
  add_default(verbs);
}

void add_keyring_verbs(CLI::App& app, Chosen& chosen) {
  KeyringVerbs verbs{app, std::make_shared<KeyringArguments>(), chosen};
  CLI::App* keyring = verbs.add(
      "keyring",
      "Manage certificates, private keys and trusted CAs.\n"
      "A keyring is a directory of labelled entries, one of which may be the default. Root's is\n"
      "/etc/gaiter/keyring, a user's ~/.local/share/gaiter/keyring.",
      "  gaiter keyring list\n");
  // Keeps what the options are parsed into alive, and leaves the action to the verbs.
  keyring->callback([shared = verbs.shared] {});
  add_entry_verbs({*keyring, verbs.shared, chosen});
  add_certificate_verbs({*keyring, verbs.shared, chosen});
}

}  // namespace gaiter::cli
