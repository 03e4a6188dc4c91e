// verify, bundle: what peers say of our certificates, and what they need to say it.
#include "keyring/verify.h"

#include <fmt/format.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/keyring_files.h"
#include "cli/output.h"
#include "keyring/pem.h"

namespace gaiter::cli {
namespace {

using keyring::Expectation;
using keyring::Keyring;

constexpr const char* one_liners =
    "To trust these CAs (FILE is this file):\n"
    "  curl              curl --cacert FILE https://HOST/\n"
    "  openssl           openssl s_client -CAfile FILE -connect HOST:PORT\n"
    "  Debian, Ubuntu    cp FILE /usr/local/share/ca-certificates/gaiter.crt; "
    "update-ca-certificates\n"
    "  RHEL, Fedora      cp FILE /etc/pki/ca-trust/source/anchors/; update-ca-trust\n"
    "  Java              keytool -importcert -noprompt -alias gaiter -file FILE -keystore "
    "TRUSTSTORE\n"
    "  Windows           certutil -addstore -f Root FILE\n"
    "  macOS             security add-trusted-cert -d -r trustRoot -k "
    "/Library/Keychains/System.keychain FILE\n"
    "  Firefox           Settings, Privacy & Security, View Certificates, Authorities, Import\n"
    "  Chrome on Linux   certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n gaiter -i FILE\n";

Expectation expectation_of(const VerifyOptions& options) {
  return {.role = options.role == "server"   ? Expectation::Role::server
                  : options.role == "client" ? Expectation::Role::client
                                             : Expectation::Role::any,
          .name = options.name};
}

Object to_object(const std::string& label,
                 const keyring::Result<std::vector<CertificatePtr>>& chain) {
  std::vector<Object> links;
  if (chain) {
    for (const CertificatePtr& link : *chain) {
      const CertificateFacts facts = facts_of(link.get());
      links.push_back({{"subject", facts.subject}, {"days_left", facts.days_left}});
    }
  }
  return {{"label", label},
          {"accepted", chain.has_value()},
          {"reason", chain ? std::string() : printable(chain.error().message)},
          {"chain", links}};
}

// The certificates of all trusted `ca` entries; `labels` are theirs.
keyring::Result<std::string> trusted_pem(const Keyring& keyring, std::vector<std::string>& labels) {
  const auto entries = keyring.entries();
  if (!entries) return std::unexpected(entries.error());
  std::vector<const X509*> certificates;
  for (const keyring::Entry& entry : *entries) {
    if (entry.usage != keyring::Usage::ca || !entry.trusted) continue;
    labels.push_back(entry.label);
    certificates.push_back(entry.leaf.get());
    for (const CertificatePtr& other : entry.chain) certificates.push_back(other.get());
  }
  return keyring::certificates_to_pem(certificates);
}

}  // namespace

int keyring_verify(const std::string& path, const std::string& label, const VerifyOptions& options,
                   bool json) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto entry = keyring->entry(label);
  if (!entry) return report(entry.error());
  const auto chain = keyring::verify_entry(*keyring, label, expectation_of(options));
  if (json) {
    print_json(to_object(label, chain));
    return chain ? exit_ok : exit_refused;
  }
  if (!chain) {
    say(printable("a peer would refuse " + label + ": " + chain.error().message));
    return exit_refused;
  }
  std::string text =
      fmt::format("a peer that trusts the CAs of {} would accept {}", keyring->path(), label);
  if (!options.role.empty()) text += " as a " + options.role;
  if (!options.name.empty()) text += " called " + options.name;
  text += ":\n";
  std::string indent;
  for (const CertificatePtr& link : *chain) {
    const CertificateFacts facts = facts_of(link.get());
    text += fmt::format("{}  {}, {} days left\n", indent, facts.subject, facts.days_left);
    indent += "  ";
  }
  print(text);
  return exit_ok;
}

int keyring_bundle(const std::string& path, const std::string& out) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  std::vector<std::string> labels;
  const auto pem = trusted_pem(*keyring, labels);
  if (!pem) return report(pem.error());
  if (labels.empty()) {
    say(fmt::format("{} trusts no CA: there is nothing to give to clients", keyring->path()));
    return exit_refused;
  }
  const auto written = write_output(out, *pem, keyring::public_mode);
  if (!written) return report(written.error());
  const std::string text = fmt::format("{} certificate authorities: {}\n{}", labels.size(),
                                       fmt::join(labels, ", "), one_liners);
  // The bundle itself may be what goes to standard output.
  std::fwrite(text.data(), 1, text.size(), out.empty() ? stderr : stdout);
  return exit_ok;
}

}  // namespace gaiter::cli
