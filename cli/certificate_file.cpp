#include "cli/certificate_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "cli/certificate.h"
#include "keyring/pem.h"

namespace gaiter::cli {

std::expected<std::string, std::string> read_file(const std::string& path) {
  constexpr size_t longest = 1 << 20;
  const auto cannot = [&](const char* why) {
    return std::unexpected("cannot read " + path + ": " + why);
  };
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (file == nullptr) return cannot(std::strerror(errno));
  std::string text(longest + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return cannot(std::strerror(errno));
  if (text.size() > longest) return cannot("larger than 1 MiB");
  return text;
}

std::expected<std::vector<std::string>, std::string> fingerprints_of_file(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  const auto bundle = keyring::parse_bundle(*text, path);
  if (!bundle) return std::unexpected(bundle.error().message);
  std::vector<std::string> fingerprints;
  for (const CertificatePtr& certificate : bundle->certificates)
    fingerprints.push_back(facts_of(certificate.get()).fingerprint);
  return fingerprints;
}

}  // namespace gaiter::cli
