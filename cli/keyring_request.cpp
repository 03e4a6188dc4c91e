// request, receive: certificates that a CA elsewhere signs.
#include <fmt/format.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/keyring_files.h"
#include "cli/output.h"
#include "keyring/host_names.h"
#include "keyring/pending.h"
#include "keyring/store.h"

namespace gaiter::cli {
namespace {

using keyring::Error;

keyring::Result<keyring::RequestPtr> make_request(const keyring::Keyring& keyring,
                                                  const std::string& label,
                                                  const RequestOptions& options) {
  auto there = keyring::request_again(keyring, label);
  if (there || there.error().kind != Error::Kind::not_found) return there;
  keyring::NewRequest wanted{
      .label = label,
      .common_name = options.common_name.empty() ? label : options.common_name,
      .names = options.names,
      .key_type = *keyring::key_type(options.key_type)};
  if (wanted.names.empty()) {
    const keyring::HostNames host = keyring::host_names();
    wanted.names.dns = host.dns_names;
    wanted.names.ip = host.ip_addresses;
  }
  return keyring::request_entry(keyring, wanted);
}

}  // namespace

int keyring_request(const std::string& path, const std::string& label,
                    const RequestOptions& options) {
  const auto keyring = keyring::create_keyring(path_or_default(path), asking({}));
  if (!keyring) return report(keyring.error());
  const auto request = make_request(*keyring, label, options);
  if (!request) return report(request.error());
  const auto pem = keyring::to_pem(request->get());
  if (!pem) return report(pem.error());
  const auto written = write_output(options.out, *pem, keyring::public_mode);
  if (!written) return report(written.error());
  say(fmt::format("when the CA has signed it: gaiter keyring receive {} FILE", label));
  return exit_ok;
}

int keyring_receive(const std::string& path, const std::string& label, const std::string& file,
                    bool any_ca) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto answer = read_input(file);
  if (!answer) return report(answer.error());
  const auto received = keyring::receive_answer(*keyring, label, answer->view(), file, any_ca);
  if (!received) return report(received.error());
  if (!received->missing.empty()) {
    say(printable(fmt::format("the CA did not sign: {}", fmt::join(received->missing, ", "))));
  }
  if (!received->system_ca.empty()) {
    say(
        printable(fmt::format("its CA, {}, is one that the system trusts; peers are only checked "
                              "against it with: gaiter keyring connect public --from system:",
                              received->system_ca)));
  }
  const CertificateFacts facts = facts_of(received->certificate.get());
  print(fmt::format("received {} in {}: {}, issued by {}, valid until {}\n", label, keyring->path(),
                    facts.subject, facts.issuer, facts.not_after));
  if (received->is_next) {
    print(fmt::format("switch to it with: gaiter keyring rollover {}\n", label));
  }
  return exit_ok;
}

}  // namespace gaiter::cli
