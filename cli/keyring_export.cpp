#include <fmt/format.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "cli/keyring.h"
#include "cli/keyring_files.h"
#include "cli/output.h"
#include "keyring/encrypted_key.h"
#include "keyring/errors.h"
#include "keyring/pem.h"
#include "keyring/pkcs12.h"

namespace gaiter::cli {
namespace {

using keyring::Content;
using keyring::Error;
using keyring::fail;
using keyring::Result;

Content content_of(std::string_view text) {
  return Content(std::vector<char>(text.begin(), text.end()));
}

Content content_of(const BioPtr& bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return content_of({data, static_cast<size_t>(length)});
}

Result<Content> to_der(const X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate, &der);
  if (length < 0) return fail(Error::Kind::system, take_openssl_reason());
  Content content = content_of({reinterpret_cast<char*>(der), static_cast<size_t>(length)});
  OPENSSL_free(der);
  return content;
}

Result<Content> to_pem(const EVP_PKEY* key, const std::vector<const X509*>& certificates,
                       const PassphraseOptions& passphrase) {
  const auto chain = keyring::certificates_to_pem(certificates);
  if (!chain) return std::unexpected(chain.error());
  if (key == nullptr) return content_of(*chain);
  auto pem = [&]() -> Result<BioPtr> {
    if (!passphrase.given()) return keyring::key_to_pem(key);
    const auto secret = new_passphrase(passphrase);
    if (!secret) return std::unexpected(secret.error());
    return keyring::key_to_encrypted_pem(key, secret->view());
  }();
  if (!pem) return std::unexpected(pem.error());
  // Both in one buffer that is wiped, with room from the start: no copy is left behind.
  const Content text = content_of(*pem);
  std::vector<char> both;
  both.reserve(text.view().size() + chain->size());
  both.insert(both.end(), text.view().begin(), text.view().end());
  both.insert(both.end(), chain->begin(), chain->end());
  return Content(std::move(both));
}

// Why the options cannot be, or "".
std::string contradiction(const ExportOptions& options) {
  if (options.private_key && options.out.empty())
    return "a private key is written to a file only, with mode 0600: name it with --out FILE";
  if (options.private_key && options.format == "der")
    return "DER holds one certificate and no key; use --format pkcs12 or pem";
  if (options.format != "pem" && options.out.empty() && isatty(STDOUT_FILENO) != 0)
    return "the terminal cannot show binary data: name a file with --out FILE";
  if (!options.replace && !options.out.empty() && access(options.out.c_str(), F_OK) == 0)
    return fmt::format("{} is there already; --replace writes over it", options.out);
  return "";
}

}  // namespace

int keyring_export(const std::string& path, const std::string& label,
                   const ExportOptions& options) {
  if (const std::string wrong = contradiction(options); !wrong.empty()) {
    say(printable(wrong));
    return exit_refused;
  }
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto entry = keyring->entry(label);
  if (!entry) return report(entry.error());
  KeyPtr key;
  if (options.private_key) {
    auto identity = keyring->identity(label);
    if (!identity) return report(identity.error());
    key = std::move(identity->key);
  }
  std::vector<const X509*> certificates{entry->leaf.get()};
  if (!options.leaf_only) {
    for (const CertificatePtr& above : entry->chain) certificates.push_back(above.get());
  }

  const auto made = [&]() -> Result<Content> {
    if (options.format == "der") return to_der(certificates.front());
    if (options.format != "pkcs12") return to_pem(key.get(), certificates, options.passphrase);
    const auto passphrase = new_passphrase(options.passphrase);
    if (!passphrase) return std::unexpected(passphrase.error());
    return keyring::make_pkcs12(key.get(), certificates, label, passphrase->view());
  }();
  if (!made) return report(made.error());
  const mode_t mode = options.private_key ? keyring::secret_mode : keyring::public_mode;
  const auto written = write_output(options.out, made->view(), mode);
  return written ? exit_ok : report(written.error());
}

}  // namespace gaiter::cli
