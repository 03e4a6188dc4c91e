#include <fmt/format.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_files.h"
#include "cli/output.h"
#include "keyring/format.h"
#include "keyring/store.h"

namespace gaiter::cli {

int keyring_import(const std::string& path, const std::string& label,
                   const ImportOptions& options) {
  std::vector<std::string> names = options.files;
  for (const std::string& name : {options.certificate_file, options.key_file})
    if (!name.empty()) names.push_back(name);
  if (names.empty()) {
    say("no file to import; name it after the label (see `gaiter keyring import --help`)");
    return exit_refused;
  }
  std::vector<keyring::Content> contents;
  std::vector<std::string> skipped;
  keyring::Import import{.files = {},
                         .usage = {},
                         .item = options.item,
                         .replace = options.replace,
                         .skipped = &skipped};
  for (const std::string& name : names) {
    auto content = read_input(name);
    if (!content) return report(content.error());
    contents.push_back(*std::move(content));
    import.files.push_back({name == "-" ? "the standard input" : name, contents.back().view()});
  }
  if (!options.usage.empty()) import.usage = *keyring::usage_of(options.usage);

  const auto keyring = keyring::create_keyring(path_or_default(path), asking({}));
  if (!keyring) return report(keyring.error());
  const auto entry = keyring::import_entry(*keyring, label, import, asking(options.passphrase));
  if (!entry) return report(entry.error());
  for (const std::string& what : skipped) say(printable("skipped in " + what));
  const CertificateFacts facts = facts_of(entry->leaf.get());
  print(fmt::format("imported {} into {}: {}, {}, valid until {}\n", entry->label, keyring->path(),
                    keyring::word(entry->usage), facts.subject, facts.not_after));
  if (const std::string remark = remark_on_site(*entry); !remark.empty())
    print(fmt::format("note: {} {}\n", entry->label, remark));
  return exit_ok;
}

}  // namespace gaiter::cli
