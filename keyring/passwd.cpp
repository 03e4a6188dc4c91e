// The passphrase over a keyring's private keys.
#include "keyring/encrypted_key.h"
#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/former_keys.h"
#include "keyring/label.h"
#include "keyring/passphrase.h"
#include "keyring/pem.h"
#include "keyring/store.h"

namespace gaiter::keyring {
namespace {

struct KeyFile {
  std::string label;
  std::string name;
  Content before;  // as it is in the file
  KeyPtr key;
};

Result<KeyFile> read_key(const Directory& entry, const std::string& label, const std::string& name,
                         const std::vector<AskPassphrase>& asks) {
  auto content = read_file(entry, name.c_str(), Guard::read);
  if (!content) return pass_on(content);
  Result<Bundle> bundle = fail(Error::Kind::invalid, "no passphrase");
  for (const AskPassphrase& ask : asks) {
    if (!bundle) bundle = parse_bundle(content->view(), entry.path_of(name), ask);
  }
  if (!bundle) return pass_on(bundle);
  if (bundle->key == nullptr) {
    return fail(Error::Kind::invalid, entry.path_of(name) + " holds no private key");
  }
  return KeyFile{label, name, *std::move(content), std::move(bundle->key)};
}

// Every private key in the keyring. One that is encrypted is tried with each of `asks`.
Result<std::vector<KeyFile>> read_keys(const Directory& keyring,
                                       const std::vector<AskPassphrase>& asks) {
  const auto labels = list(keyring);
  if (!labels) return std::unexpected(labels.error());
  std::vector<KeyFile> keys;
  for (const std::string& label : *labels) {
    if (!check_label(label) || !is_directory(keyring, label)) continue;
    const auto entry = open_directory(keyring, label);
    if (!entry) return std::unexpected(entry.error());
    std::vector<std::string> names = former_key_files(*entry);
    names.insert(names.end(), {key_pem, next_key_pem});
    for (const std::string& name : names) {
      if (!exists(*entry, name.c_str())) continue;
      auto key = read_key(*entry, label, name, asks);
      if (!key) return pass_on(key);
      keys.push_back(*std::move(key));
    }
  }
  return keys;
}

Result<void> write(Writer& writer, const KeyFile& file, std::string_view text) {
  return writer.change(file.label, {{.name = file.name, .content = text, .mode = secret_mode}});
}

// Writes each as to_text(key) has it, then `conf`; or if something fails, all as it was.
Result<void> rewrite(Writer& writer, const std::vector<KeyFile>& keys, const KeyringConf& conf,
                     const auto& to_text) {
  Result<void> written;
  size_t done = 0;
  for (; written && done < keys.size(); ++done) {
    auto pem = to_text(keys[done].key.get());
    written = pem ? write(writer, keys[done], contents(*pem)) : pass_on(pem);
  }
  if (written) written = writer.put_conf(conf);
  // There was room for these, and they were no longer.
  while (!written && done-- > 0) {
    static_cast<void>(write(writer, keys[done], keys[done].before.view()));
  }
  return written;
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
  // All are read before the first is written: with a wrong passphrase nothing changes.
  auto keys = read_keys(writer->directory(), {with_new, present_passphrase(keyring, *conf)});
  if (!keys) return pass_on(keys);
  conf->encrypted = true;
  conf->passphrase_file = passphrase_file;
  auto encrypted = rewrite(*writer, *keys, *conf, [&](const EVP_PKEY* key) {
    return key_to_encrypted_pem(key, passphrase);
  });
  if (!encrypted) return pass_on(encrypted);
  return keys->size();
}

Result<size_t> decrypt_keys(const Keyring& keyring) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  auto conf = writer->conf();
  if (!conf) return pass_on(conf);
  auto keys = read_keys(writer->directory(), {present_passphrase(keyring, *conf)});
  if (!keys) return pass_on(keys);
  // First, as the writer does what it says.
  const KeyringConf before = *conf;
  conf->encrypted = false;
  if (auto written = writer->put_conf(*conf); !written) return pass_on(written);
  conf->passphrase_file.clear();
  if (auto decrypted = rewrite(*writer, *keys, *conf, key_to_pem); !decrypted) {
    static_cast<void>(writer->put_conf(before));
    return pass_on(decrypted);
  }
  return keys->size();
}

}  // namespace gaiter::keyring
