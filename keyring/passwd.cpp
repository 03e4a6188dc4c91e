// The passphrase over a keyring's private keys.
#include "keyring/encrypted_key.h"
#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/label.h"
#include "keyring/passphrase.h"
#include "keyring/pem.h"
#include "keyring/store.h"

namespace gaiter::keyring {
namespace {

std::string_view text_of(const BioPtr& bio) {
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(length)};
}

// Calls write(label, file name, key) for every private key in the keyring, under the
// writer's lock. A key that is encrypted is tried with each of `asks`.
Result<size_t> for_each_key(const Writer& writer, const std::vector<AskPassphrase>& asks,
                            const auto& write) {
  const auto labels = list(writer.directory());
  if (!labels) return std::unexpected(labels.error());
  size_t count = 0;
  for (const std::string& label : *labels) {
    if (!check_label(label) || !is_directory(writer.directory(), label)) continue;
    for (const char* name : {key_pem, next_key_pem}) {
      const auto entry = open_directory(writer.directory(), label);
      if (!entry) return std::unexpected(entry.error());
      if (!exists(*entry, name)) continue;
      const auto content = read_file(*entry, name, Guard::read);
      if (!content) return std::unexpected(content.error());
      Result<Bundle> bundle = fail(Error::Kind::invalid, "no passphrase");
      for (const AskPassphrase& ask : asks) {
        if (!bundle) bundle = parse_bundle(content->view(), entry->path_of(name), ask);
      }
      if (!bundle) return pass_on(bundle);
      if (bundle->key == nullptr) {
        return fail(Error::Kind::invalid, entry->path_of(name) + " holds no private key");
      }
      if (auto written = write(label, name, bundle->key.get()); !written) return pass_on(written);
      ++count;
    }
  }
  return count;
}

AskPassphrase present_passphrase(const Keyring& keyring, const KeyringConf& conf) {
  return [&](const std::string& file) {
    return find_passphrase(file, conf.passphrase_file, keyring.ask());
  };
}

}  // namespace

Result<size_t> encrypt_keys(const Keyring& keyring, std::string_view passphrase,
                            const std::string& passphrase_file) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  auto conf = writer->conf();
  if (!conf) return pass_on(conf);
  const AskPassphrase with_new = [&](const std::string&) -> Result<Content> {
    return Content(std::vector<char>(passphrase.begin(), passphrase.end()));
  };
  auto count = for_each_key(
      *writer, {with_new, present_passphrase(keyring, *conf)},
      [&](const std::string& label, const char* name, const EVP_PKEY* key) -> Result<void> {
        auto pem = key_to_encrypted_pem(key, passphrase);
        if (!pem) return pass_on(pem);
        return writer->change(label,
                              {{.name = name, .content = text_of(*pem), .mode = secret_mode}});
      });
  if (!count) return count;
  conf->encrypted = true;
  conf->passphrase_file = passphrase_file;
  if (auto written = writer->put_conf(*conf); !written) return pass_on(written);
  return count;
}

Result<size_t> decrypt_keys(const Keyring& keyring) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  auto conf = writer->conf();
  if (!conf) return pass_on(conf);
  const KeyringConf before = *conf;
  // First, as the writer does what it says.
  conf->encrypted = false;
  if (auto written = writer->put_conf(*conf); !written) return pass_on(written);
  auto count = for_each_key(
      *writer, {present_passphrase(keyring, before)},
      [&](const std::string& label, const char* name, const EVP_PKEY* key) -> Result<void> {
        auto pem = key_to_pem(key);
        if (!pem) return pass_on(pem);
        return writer->change(label,
                              {{.name = name, .content = text_of(*pem), .mode = secret_mode}});
      });
  if (!count) return count;
  conf->passphrase_file.clear();
  if (auto written = writer->put_conf(*conf); !written) return pass_on(written);
  return count;
}

}  // namespace gaiter::keyring
