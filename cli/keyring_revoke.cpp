// revoke, crl, ocsp: what the keyring's CA takes back, and how peers hear of it.
#include <fmt/format.h>
#include <openssl/x509.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/keyring_files.h"
#include "cli/keyring_signer.h"
#include "cli/output.h"
#include "keyring/crl_import.h"
#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/ocsp_response.h"
#include "keyring/pem.h"
#include "keyring/revocation.h"
#include "keyring/signer.h"
#include "keyring/words.h"
#include "keyring/x509_text.h"

namespace gaiter::cli {
namespace {

using keyring::Error;
using keyring::Keyring;
using keyring::Result;
using keyring::Revoked;

struct Target {
  std::string ca;
  Revoked revoked;
};

bool is_hexadecimal(std::string_view text) {
  return !text.empty() && text.size() <= 40 &&
         text.find_first_not_of("0123456789ABCDEF") == text.npos;
}

// "0x2f:01" -> "2F01", as serial_text() has it.
std::string plain_serial(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::string serial;
  for (const char c : text) {
    if (c == ':') continue;
    serial += static_cast<char>(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
  }
  return serial;
}

Result<Target> target_of(const Keyring& keyring, X509* certificate, const std::string& reason) {
  auto ca = keyring::find_signer(keyring, certificate);
  if (!ca) return std::unexpected(ca.error());
  if (!*ca) {
    return keyring::fail(Error::Kind::invalid,
                         keyring::subject_text(certificate) +
                             " is self-signed: nobody can revoke it; whoever trusts it must stop");
  }
  return Target{(*ca)->label,
                {keyring::serial_text(X509_get0_serialNumber(certificate)), keyring::now(), reason,
                 keyring::subject_text(certificate)}};
}

Result<Target> find_target(const Keyring& keyring, const std::string& label,
                           const RevokeOptions& options) {
  if (!options.serial.empty()) {
    const std::string serial = plain_serial(options.serial);
    if (!is_hexadecimal(serial)) {
      return keyring::fail(Error::Kind::invalid,
                           "\"" + options.serial + "\" is no serial number; right would be: 2F01");
    }
    return Target{options.ca, {serial, keyring::now(), options.reason, "by serial number"}};
  }
  if (!options.file.empty()) {
    const auto text = read_input(options.file);
    if (!text) return std::unexpected(text.error());
    const auto bundle = keyring::parse_bundle(text->view(), options.file);
    if (!bundle) return std::unexpected(bundle.error());
    if (bundle->certificates.empty()) {
      return keyring::fail(Error::Kind::invalid, options.file + " holds no certificate");
    }
    return target_of(keyring, bundle->certificates.front().get(), options.reason);
  }
  const auto entry = keyring.entry(label);
  if (!entry) return std::unexpected(entry.error());
  return target_of(keyring, entry->leaf.get(), options.reason);
}

}  // namespace

int keyring_revoke(const std::string& path, const std::string& label,
                   const RevokeOptions& options) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto target = find_target(*keyring, label, options);
  if (!target) return report(target.error());
  const auto crls =
      keyring::make_crl(*keyring, target->ca, keyring::usual_crl_life, target->revoked);
  if (!crls) return report(crls.error());
  print(
      fmt::format("revoked {}, serial number {}, by {}: {}\n"
                  "its list number {} is in {}/{}/{}; peers elsewhere need it:\n"
                  "  gaiter keyring crl --ca {} --out FILE\n",
                  target->revoked.subject, target->revoked.serial, target->ca,
                  target->revoked.reason, keyring::crl_number(crls->front().get()), keyring->path(),
                  target->ca, keyring::crl_pem, target->ca));
  return exit_ok;
}

int keyring_crl(const std::string& path, const std::string& ca, int days, const std::string& out) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto label = ca.empty() ? find_ca(*keyring) : ca;
  if (!label) return report(label.error());
  const auto crls = keyring::make_crl(
      *keyring, *label, days != 0 ? std::chrono::days(days) : keyring::usual_crl_life);
  if (!crls) return report(crls.error());
  const auto pem = keyring::crls_to_pem(*crls);
  if (!pem) return report(pem.error());
  const auto written = write_output(out, *pem, keyring::public_mode);
  if (!written) return report(written.error());
  const auto revoked = keyring::read_revoked(*keyring, *label);
  const X509_CRL* const first = crls->front().get();
  say(fmt::format(
      "list number {} of {}: {} revoked, next update by {}{}", keyring::crl_number(first), *label,
      revoked ? revoked->size() : 0,
      keyring::time_text(keyring::time_of(X509_CRL_get0_nextUpdate(first))),
      crls->size() == 1
          ? ""
          : fmt::format("; signed by its key and by {} that it had before", crls->size() - 1)));
  return exit_ok;
}

int keyring_crl_import(const std::string& path, const std::string& ca, const std::string& file) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto text = read_input(file);
  if (!text) return report(text.error());
  const auto lists = keyring::import_crls(*keyring, ca, text->view(), file);
  if (!lists) return report(lists.error());
  for (const CrlPtr& list : *lists) {
    const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(list.get());
    print(fmt::format(
        "{} in {} has the list of {}: number {}, {} revoked{}\n", ca, keyring->path(),
        printable(keyring::name_text(X509_CRL_get_issuer(list.get()))),
        keyring::crl_number(list.get()),
        sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list.get())) < 0
            ? 0
            : sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list.get())),
        next == nullptr ? "" : ", next update by " + keyring::time_text(keyring::time_of(next))));
  }
  return exit_ok;
}

int keyring_ocsp(const std::string& path, const std::string& label, const OcspOptions& options) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  Result<keyring::OcspFacts> facts;
  if (options.import_file.empty()) {
    facts = keyring::make_ocsp_response(
        *keyring, label,
        options.days != 0 ? std::chrono::days(options.days) : keyring::usual_ocsp_life);
  } else {
    const auto der = read_input(options.import_file);
    if (!der) return report(der.error());
    facts = keyring::import_ocsp_response(*keyring, label, der->view(), options.import_file);
  }
  if (!facts) return report(facts.error());
  if (!options.out.empty()) {
    const auto der =
        keyring::read_entry_file(*keyring, label, keyring::ocsp_der, keyring::Guard::write);
    if (!der) return report(der.error());
    const auto written = write_output(options.out, der->view(), keyring::public_mode);
    if (!written) return report(written.error());
  }
  print(fmt::format("{} in {} has an OCSP response: {}, from {}{}\n", label, keyring->path(),
                    facts->status, keyring::time_text(facts->this_update),
                    facts->next_update == std::chrono::sys_seconds()
                        ? ""
                        : " to " + keyring::time_text(facts->next_update)));
  return exit_ok;
}

}  // namespace gaiter::cli
