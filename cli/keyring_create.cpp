// create, ca create: a key and its certificate in one.
#include <fmt/format.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/keyring_signer.h"
#include "cli/output.h"
#include "keyring/host_names.h"
#include "keyring/label.h"
#include "keyring/store.h"

namespace gaiter::cli {
namespace {

using keyring::NewCertificate;

constexpr std::chrono::days ca_lifetime{3650};

std::chrono::days days_or(int days, std::chrono::days usual) {
  return days != 0 ? std::chrono::days(days) : usual;
}

int make(const keyring::Keyring& keyring, const NewCertificate& request, bool make_default) {
  const auto entry = keyring::create_entry(keyring, request);
  if (!entry) return report(entry.error());
  if (make_default) {
    if (const auto done = keyring::set_default(keyring, request.label); !done) {
      return report(done.error());
    }
  }
  const CertificateFacts facts = facts_of(entry->leaf.get());
  print(fmt::format("made {} in {}: {}, {}{}, valid until {}\n", entry->label, keyring.path(),
                    facts.subject, request.signer.empty() ? "self-signed" : "signed by ",
                    request.signer, facts.not_after));
  return exit_ok;
}

}  // namespace

int keyring_create(const std::string& path, const std::string& label,
                   const CreateOptions& options) {
  // Before a keyring and a CA are made for nothing.
  if (const auto good = keyring::check_label(label); !good) return report(good.error());
  const auto keyring = keyring::create_keyring(path_or_default(path), asking({}));
  if (!keyring) return report(keyring.error());

  NewCertificate request = {
      .label = label,
      .common_name = options.common_name.empty() ? label : options.common_name,
      .dns_names = options.names.dns,
      .ip_addresses = options.names.ip,
      .lifetime = days_or(options.days, NewCertificate().lifetime),
      .signer = options.ca,
      .uris = options.names.uris,
      .emails = options.names.emails,
      .key_type = *keyring::key_type(options.key_type),
      .purpose = options.purpose};
  if (options.names.empty()) {
    const keyring::HostNames host = keyring::host_names();
    request.dns_names = host.dns_names;
    request.ip_addresses = host.ip_addresses;
  }
  if (!options.self_signed && options.ca.empty()) {
    auto signer = find_or_make_ca(*keyring);
    if (!signer) return report(signer.error());
    request.signer = std::move(*signer);
  }
  return make(*keyring, request, options.make_default);
}

int keyring_ca_create(const std::string& path, const std::string& label, const CaOptions& options) {
  if (const auto good = keyring::check_label(label); !good) return report(good.error());
  const auto keyring = keyring::create_keyring(path_or_default(path), asking({}));
  if (!keyring) return report(keyring.error());
  return make(*keyring,
              {.label = label,
               .common_name = options.common_name.empty() ? label : options.common_name,
               .dns_names = {},
               .ip_addresses = {},
               .lifetime = days_or(options.days, ca_lifetime),
               .is_ca = true,
               .signer = options.ca,
               .key_type = *keyring::key_type(options.key_type),
               .limits = options.limits},
              false);
}

}  // namespace gaiter::cli
