// enroll export, enroll import: mutual TLS between two hosts in two commands; and
// ticket-keys rotate.
#include <fmt/format.h>

#include <optional>

#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/keyring_files.h"
#include "cli/keyring_signer.h"
#include "cli/output.h"
#include "keyring/enrolment.h"
#include "keyring/errors.h"
#include "keyring/host_names.h"
#include "keyring/store.h"
#include "keyring/ticket_keys.h"
#include "keyring/words.h"

namespace gaiter::cli {
namespace {

using keyring::Error;
using keyring::Keyring;
using keyring::Result;

// This end needs a certificate too: the default, made by the CA if there is none.
Result<void> have_own_certificate(const Keyring& keyring, const std::string& ca) {
  const auto own = keyring.identity("");
  if (own || own.error().kind != Error::Kind::not_found) return {};
  const keyring::HostNames host = keyring::host_names();
  const auto made = keyring::create_entry(keyring, {.label = "localhost",
                                                    .common_name = host.name.substr(0, 64),
                                                    .dns_names = host.dns_names,
                                                    .ip_addresses = host.ip_addresses,
                                                    .signer = ca});
  if (!made) return std::unexpected(made.error());
  print("made the certificate localhost for this host, as there was none\n");
  return keyring::set_default(keyring, made->label);
}

// Enrolment of a keyring that may not be there yet.
Result<Keyring> keyring_with_ca(const std::string& path, std::string& ca) {
  auto keyring = keyring::create_keyring(path_or_default(path), asking({}));
  if (!keyring) return keyring;
  if (ca.empty()) {
    auto found = find_or_make_ca(*keyring);
    if (!found) return std::unexpected(found.error());
    ca = *std::move(found);
  }
  if (auto own = have_own_certificate(*keyring, ca); !own) return std::unexpected(own.error());
  return keyring;
}

}  // namespace

int keyring_enroll_export(const std::string& path, const EnrollOptions& options) {
  std::string ca = options.ca;
  const auto keyring = keyring_with_ca(path, ca);
  if (!keyring) return report(keyring.error());
  std::optional<keyring::Content> passphrase;
  if (options.ask_passphrase || !options.passphrase_file.empty()) {
    auto given = new_passphrase({.file = options.passphrase_file, .fd = -1});
    if (!given) return report(given.error());
    passphrase.emplace(*std::move(given));
  }
  const auto enrolment = keyring::export_enrolment(
      *keyring,
      {.host = options.host,
       .more = options.more,
       .ca = ca,
       .lifetime = options.days != 0 ? std::chrono::days(options.days) : std::chrono::days(397),
       .good_for = std::chrono::hours(options.hours),
       .passphrase = passphrase ? passphrase->view() : std::string_view()});
  if (!enrolment) return report(enrolment.error());
  const std::string out = options.out.empty() ? enrolment->label + ".enrolment" : options.out;
  const auto written = write_output(out, enrolment->text.view(), keyring::secret_mode);
  if (!written) return report(written.error());
  print(fmt::format(
      "wrote {}: SECRET, it holds the private key of {}{}\n"
      "bring it there by a safe way (scp) before {}, and say there:\n"
      "  gaiter keyring enroll import {}\n"
      "then delete it on both hosts; if it is lost: gaiter keyring revoke {}\n",
      out, options.host, passphrase ? ", under your passphrase" : "",
      keyring::time_text(enrolment->expires), out.substr(out.rfind('/') + 1), enrolment->label));
  return exit_ok;
}

int keyring_enroll_import(const std::string& path, const std::string& file,
                          const std::string& passphrase_file) {
  const auto text = read_input(file);
  if (!text) return report(text.error());
  std::optional<keyring::Content> passphrase;
  if (keyring::is_encrypted_enrolment(text->view())) {
    auto given = asking({.file = passphrase_file, .fd = -1})(file);
    if (!given) return report(given.error());
    passphrase.emplace(*std::move(given));
  }
  const auto keyring = keyring::create_keyring(path_or_default(path), asking({}));
  if (!keyring) return report(keyring.error());
  const auto enrolled = keyring::import_enrolment(
      *keyring, text->view(), passphrase ? passphrase->view() : std::string_view(), file);
  if (!enrolled) return report(enrolled.error());
  print(
      fmt::format("{} trusts {} now, and shows the certificate {}, its default\n"
                  "delete the file: rm {}\n",
                  keyring->path(), enrolled->ca_label, enrolled->label, file));
  return exit_ok;
}

int keyring_ticket_keys_rotate(const std::string& path) {
  const auto keyring = keyring::create_keyring(path_or_default(path), asking({}));
  if (!keyring) return report(keyring.error());
  const auto keys = keyring::rotate_ticket_keys(*keyring);
  if (!keys) return report(keys.error());
  print(fmt::format("{} has a new ticket key; {} are in use, the oldest from {}\n", keyring->path(),
                    keys->size(), keyring::time_text(keys->back().made)));
  return exit_ok;
}

}  // namespace gaiter::cli
