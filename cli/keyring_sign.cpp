// ca sign: a CA of the keyring answers a request.
#include <fmt/format.h>
#include <openssl/x509v3.h>

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
namespace {

const char* uses_of(X509* certificate) {
  const uint32_t uses = X509_get_extended_key_usage(certificate);
  const bool server = (uses & XKU_SSL_SERVER) != 0, client = (uses & XKU_SSL_CLIENT) != 0;
  return server && client ? "server and client" : server ? "server" : "client";
}

}  // namespace

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
      "signed {} by {}, serial number {}, valid until {}, key {} {}, as {}{}, for: {}",
      facts.subject.empty() ? "no subject" : facts.subject, *label, facts.serial, facts.not_after,
      facts.key_type, facts.key_fingerprint, uses_of(certificate->get()),
      keyring::must_staple(request->get()) ? ", which must staple an OCSP response" : "",
      facts.names.empty() ? "no names" : fmt::format("{}", fmt::join(facts.names, ", "))));
  return exit_ok;
}

}  // namespace gaiter::cli
