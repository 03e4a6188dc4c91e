#include "keyring/errors.h"
#include "keyring/host_names.h"
#include "keyring/issue.h"
#include "keyring/store.h"
#include "keyring/writer.h"

namespace gaiter::keyring {
namespace {

// The CA that signs what this keyring needs.
Result<Identity> make_ca(Writer& writer, const HostNames& host) {
  const NewCertificate request = internal_ca(host.name);
  Identity ca{.label = request.label, .leaf = {}, .chain = {}, .key = {}};
  auto key = make_key();
  if (!key) return pass_on(key);
  auto certificate = issue(request, key->get(), nullptr);
  if (!certificate) return pass_on(certificate);
  const NewEntry entry{.conf = {.usage = Usage::ca, .trusted = true, .origin = "created"},
                       .certificates = {certificate->get()},
                       .key = key->get()};
  // `replace`: an earlier first use may have died before keyring.conf.
  if (auto made = writer.put(request.label, entry, true); !made) return pass_on(made);
  ca.leaf = *std::move(certificate);
  ca.key = *std::move(key);
  return ca;
}

Result<void> make_localhost(Writer& writer, const HostNames& host, const Identity& ca) {
  const NewCertificate request{.label = "localhost",
                               .common_name = "localhost",
                               .dns_names = host.dns_names,
                               .ip_addresses = host.ip_addresses,
                               .lifetime = std::chrono::days{397},
                               .is_ca = false,
                               .signer = ca.label};
  auto key = make_key();
  if (!key) return pass_on(key);
  auto certificate = issue(request, key->get(), &ca);
  if (!certificate) return pass_on(certificate);
  const NewEntry entry{
      .conf = {.usage = Usage::personal, .trusted = true, .origin = "signed by " + ca.label},
      .certificates = {certificate->get()},
      .key = key->get()};
  if (auto made = writer.put(request.label, entry, true); !made) return made;
  return writer.put_conf({.default_label = request.label});
}

}  // namespace

NewCertificate internal_ca(const std::string& host_name) {
  return {.label = "gaiter-ca",
          .common_name = ("Gaiter CA on " + host_name).substr(0, max_common_name),
          .dns_names = {},
          .ip_addresses = {},
          .lifetime = std::chrono::days{3650},
          .is_ca = true,
          .signer = {}};
}

Result<FirstUse> open_or_create(const std::string& path) {
  auto there = Keyring::open(path);
  if (there) return FirstUse{*std::move(there), false};
  if (there.error().kind != Error::Kind::not_found) return pass_on(there);

  bool made = false;
  {
    auto writer = Writer::lock_new(path);
    if (!writer) return pass_on(writer);
    if (!writer->is_keyring()) {  // else another process was faster
      const HostNames host = host_names();
      auto ca = make_ca(*writer, host);
      if (!ca) return pass_on(ca);
      if (auto finished = make_localhost(*writer, host, *ca); !finished) return pass_on(finished);
      made = true;
    }
  }
  auto keyring = Keyring::open(path);
  if (!keyring) return pass_on(keyring);
  return FirstUse{*std::move(keyring), made};
}

}  // namespace gaiter::keyring
