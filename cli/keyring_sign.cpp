// ca sign: a CA of the keyring answers a request.
#include <fmt/format.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/keyring_files.h"
#include "cli/keyring_signer.h"
#include "cli/output.h"
#include "keyring/pem.h"
#include "keyring/request.h"
#include "keyring/signer.h"
#include "keyring/store.h"

namespace gaiter::cli {
int keyring_ca_sign(const std::string& path, const SignOptions& options) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  auto label = options.ca.empty() ? find_ca(*keyring) : options.ca;
  if (!label) return report(label.error());
  const auto ca = keyring::signer(*keyring, *label);
  if (!ca) return report(ca.error());
  const auto text = read_input(options.request);
  if (!text) return report(text.error());
  const auto request = keyring::parse_request(text->view(), options.request);
  if (!request) return report(request.error());
  const auto days =
      options.days != 0 ? std::chrono::days(options.days) : keyring::NewCertificate().lifetime;
  const auto certificate = keyring::sign_request(request->get(), *ca, days, options.purpose);
  if (!certificate) return report(certificate.error());
  const auto pem = keyring::certificates_to_pem(keyring::shown_chain(certificate->get(), *ca));
  if (!pem) return report(pem.error());
  const auto written = write_output(options.out, *pem, keyring::public_mode);
  if (!written) return report(written.error());
  const CertificateFacts facts = facts_of(certificate->get());
  say(fmt::format(
      "signed {} by {}, serial number {}, valid until {}, for: {}", facts.subject, *label,
      facts.serial, facts.not_after,
      facts.names.empty() ? "no names" : fmt::format("{}", fmt::join(facts.names, ", "))));
  return exit_ok;
}

}  // namespace gaiter::cli
