#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "keyring/store.h"

namespace gaiter::cli {
namespace {

using keyring::Error;
using keyring::Usage;

constexpr size_t file_size_limit = 1 << 20;

// Text that may hold a private key; wiped when it goes.
struct Secret {
  std::string text;
  Secret() = default;
  Secret(Secret&&) = default;
  Secret& operator=(Secret&&) = default;
  ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }
};

// Appends the file to `secret`, so that no copy is left elsewhere.
keyring::Result<void> append_file(Secret& secret, const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (file == nullptr) {
    return std::unexpected(Error{Error::Kind::unreadable,
                                 fmt::format("cannot read {}: {}", path, std::strerror(errno))});
  }
  setvbuf(file.get(), nullptr, _IONBF, 0);
  const size_t before = secret.text.size();
  secret.text.resize(before + file_size_limit);
  const size_t got = std::fread(secret.text.data() + before, 1, file_size_limit, file.get());
  if (std::ferror(file.get()) != 0 || got == file_size_limit) {
    return std::unexpected(
        Error{Error::Kind::unreadable,
              fmt::format("cannot read {}: {}", path,
                          got == file_size_limit ? "larger than 1 MiB" : std::strerror(errno))});
  }
  secret.text.resize(before + got);
  secret.text += '\n';
  return {};
}

// What `pem` is for when --usage does not say.
Usage usual_usage(std::string_view pem) {
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos) return Usage::personal;
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const CertificatePtr leaf(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  return leaf != nullptr && !facts_of(leaf.get()).is_ca ? Usage::site : Usage::ca;
}

Usage usage_of(const std::string& word, std::string_view pem) {
  if (word == "personal") return Usage::personal;
  if (word == "ca") return Usage::ca;
  if (word == "site") return Usage::site;
  return usual_usage(pem);
}

}  // namespace

int keyring_import(const std::string& path, const std::string& label,
                   const ImportOptions& options) {
  Secret pem;
  pem.text.reserve(2 * file_size_limit + 2);
  if (auto read = append_file(pem, options.certificate_file); !read) return report(read.error());
  if (!options.key_file.empty()) {
    if (auto read = append_file(pem, options.key_file); !read) return report(read.error());
  }
  const auto keyring = keyring::create_keyring(path_or_default(path));
  if (!keyring) return report(keyring.error());
  const auto entry = keyring::import_entry(*keyring, label, usage_of(options.usage, pem.text),
                                           pem.text, options.replace);
  if (!entry) {
    Error error = entry.error();
    if (error.kind == Error::Kind::invalid)
      error.message = options.certificate_file + ": " + error.message;
    return report(error);
  }
  const CertificateFacts facts = facts_of(entry->leaf.get());
  print(fmt::format("imported {} into {}: {}, valid until {}\n", entry->label, keyring->path(),
                    facts.subject, facts.not_after));
  return exit_ok;
}

}  // namespace gaiter::cli
