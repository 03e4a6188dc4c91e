#include <fmt/format.h>

#include <expected>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/output.h"
#include "keyring/host_names.h"
#include "keyring/label.h"
#include "keyring/store.h"

namespace gaiter::cli {
namespace {

using keyring::Error;
using keyring::Keyring;
using keyring::NewCertificate;

constexpr std::chrono::days ca_lifetime{3650};

std::chrono::days lifetime_of(const CreateOptions& options) {
  if (options.days != 0) return std::chrono::days(options.days);
  return options.make_ca ? ca_lifetime : NewCertificate().lifetime;
}

// The label of the CA that signs when none was named: the only one with a key,
// or a new one.
keyring::Result<std::string> find_or_make_ca(const Keyring& keyring) {
  const auto entries = keyring.entries();
  if (!entries) return std::unexpected(entries.error());
  std::string label;
  for (const keyring::Entry& entry : *entries) {
    if (entry.usage != keyring::Usage::ca || !entry.has_key) continue;
    if (!label.empty()) {
      return std::unexpected(
          Error{Error::Kind::invalid,
                fmt::format("{} and {} could both sign: choose with --ca LABEL, or --self-signed",
                            label, entry.label)});
    }
    label = entry.label;
  }
  if (!label.empty()) return label;

  const auto made =
      keyring::create_entry(keyring, keyring::internal_ca(keyring::host_names().name));
  if (!made) return std::unexpected(made.error());
  print(fmt::format("made the CA {}, as there was none\n", made->label));
  return made->label;
}

}  // namespace

int keyring_create(const std::string& path, const std::string& label,
                   const CreateOptions& options) {
  // Before a keyring and a CA are made for nothing.
  if (const auto good = keyring::check_label(label); !good) return report(good.error());
  const auto keyring = keyring::create_keyring(path_or_default(path));
  if (!keyring) return report(keyring.error());

  NewCertificate request = {
      .label = label,
      .common_name = options.common_name.empty() ? label : options.common_name,
      .dns_names = options.dns,
      .ip_addresses = options.ip,
      .lifetime = lifetime_of(options),
      .is_ca = options.make_ca,
      .signer = options.ca};
  if (!options.make_ca && options.dns.empty() && options.ip.empty()) {
    const keyring::HostNames host = keyring::host_names();
    request.dns_names = host.dns_names;
    request.ip_addresses = host.ip_addresses;
  }
  if (!options.make_ca && !options.self_signed && options.ca.empty()) {
    auto signer = find_or_make_ca(*keyring);
    if (!signer) return report(signer.error());
    request.signer = std::move(*signer);
  }
  const auto entry = keyring::create_entry(*keyring, request);
  if (!entry) return report(entry.error());
  if (options.make_default) {
    if (const auto done = keyring::set_default(*keyring, label); !done) return report(done.error());
  }
  const CertificateFacts facts = facts_of(entry->leaf.get());
  print(fmt::format("made {} in {}: {}, {}{}, valid until {}\n", entry->label, keyring->path(),
                    facts.subject, request.signer.empty() ? "self-signed" : "signed by ",
                    request.signer, facts.not_after));
  return exit_ok;
}

}  // namespace gaiter::cli
