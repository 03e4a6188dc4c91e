#include "keyring/encrypted_key.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "keyring/errors.h"

namespace gaiter::keyring {
namespace {

using InfoPtr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, OpenSslDeleter<PKCS8_PRIV_KEY_INFO_free>>;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, OpenSslDeleter<X509_ALGOR_free>>;
using EncryptedPtr = std::unique_ptr<X509_SIG, OpenSslDeleter<X509_SIG_free>>;

constexpr int iterations = 600'000;  // OWASP's advice for PBKDF2-HMAC-SHA256

std::unexpected<Error> fail_openssl() {
  return fail(Error::Kind::system, "cannot encrypt a private key: " + take_openssl_reason());
}

// pem_password_cb(3)
int give_passphrase(char* buffer, int size, int, void* passphrase) {
  const auto& text = *static_cast<const std::string_view*>(passphrase);
  if (text.size() > static_cast<size_t>(size)) return -1;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

// RFC 8018 A.2, A.3: how often a passphrase is hashed; 0 if it cannot be told.
long iterations_of(const X509_ALGOR* algorithm) {
  const void* parameter = nullptr;
  const ASN1_OBJECT* object = nullptr;
  int type = 0;
  X509_ALGOR_get0(&object, &type, &parameter, algorithm);
  if (type != V_ASN1_SEQUENCE) return 0;
  const auto* sequence = static_cast<const ASN1_STRING*>(parameter);
  const unsigned char* at = ASN1_STRING_get0_data(sequence);
  const long length = ASN1_STRING_length(sequence);
  long count = 0;
  if (OBJ_obj2nid(object) == NID_pbes2) {
    PBE2PARAM* const scheme = d2i_PBE2PARAM(nullptr, &at, length);
    if (scheme != nullptr) count = iterations_of(scheme->keyfunc);
    PBE2PARAM_free(scheme);
  } else if (OBJ_obj2nid(object) == NID_id_pbkdf2) {
    PBKDF2PARAM* const derivation = d2i_PBKDF2PARAM(nullptr, &at, length);
    if (derivation != nullptr) count = ASN1_INTEGER_get(derivation->iter);
    PBKDF2PARAM_free(derivation);
  } else {
    PBEPARAM* const derivation = d2i_PBEPARAM(nullptr, &at, length);
    if (derivation != nullptr) count = ASN1_INTEGER_get(derivation->iter);
    PBEPARAM_free(derivation);
  }
  return count;
}

std::unexpected<Error> refuse(const std::string& name, const std::string& why) {
  const std::string reason = take_openssl_reason();
  return fail(Error::Kind::invalid, name + " " + why + (reason.empty() ? "" : " (" + reason + ")"));
}

std::unexpected<Error> refuse_passphrase(const std::string& name) {
  return refuse(name, "cannot be decrypted: another passphrase, or a damaged key");
}

// OpenSSL's older way, in place of PKCS#8.
Result<KeyPtr> decrypt_by_header(const EncryptedKey& encrypted, std::string_view passphrase,
                                 const std::string& name) {
  std::string header(encrypted.header);
  EVP_CIPHER_INFO cipher;
  if (PEM_get_EVP_CIPHER_INFO(header.data(), &cipher) != 1) {
    return refuse(name, "holds a key encrypted by an unknown cipher");
  }
  // A block longer than the key that comes out.
  std::vector<unsigned char> bytes(encrypted.der.begin(), encrypted.der.end());
  long length = static_cast<long>(bytes.size());
  const bool decrypted =
      PEM_do_header(&cipher, bytes.data(), &length, give_passphrase, &passphrase) == 1;
  const unsigned char* at = bytes.data();
  KeyPtr key(decrypted ? d2i_AutoPrivateKey_ex(nullptr, &at, length, library_context(), nullptr)
                       : nullptr);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  if (key == nullptr) return refuse_passphrase(name);
  return key;
}

}  // namespace

Result<void> check_iterations(const X509_ALGOR* algorithm, const std::string& name) {
  if (iterations_of(algorithm) <= max_iterations) return {};
  return refuse(name, "wants more than " + std::to_string(max_iterations) +
                          " iterations to derive a key from the passphrase");
}

Result<KeyPtr> decrypt_key(const EncryptedKey& encrypted, std::string_view passphrase,
                           const std::string& name) {
  if (!encrypted.header.empty()) return decrypt_by_header(encrypted, passphrase, name);
  const unsigned char* at = encrypted.der.data();
  const EncryptedPtr box(d2i_X509_SIG(nullptr, &at, static_cast<long>(encrypted.der.size())));
  if (box == nullptr) return refuse(name, "holds a malformed encrypted private key");
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(box.get(), &algorithm, nullptr);
  if (auto good = check_iterations(algorithm, name); !good) return pass_on(good);
  const InfoPtr info(PKCS8_decrypt_ex(box.get(), passphrase.data(),
                                      static_cast<int>(passphrase.size()), library_context(),
                                      nullptr));
  KeyPtr key(info == nullptr ? nullptr : EVP_PKCS82PKEY_ex(info.get(), library_context(), nullptr));
  if (key == nullptr) return refuse_passphrase(name);
  return key;
}

Result<BioPtr> key_to_encrypted_pem(const EVP_PKEY* key, std::string_view passphrase) {
  const InfoPtr info(EVP_PKEY2PKCS8(key));
  AlgorithmPtr algorithm(PKCS5_pbe2_set_iv_ex(EVP_aes_256_cbc(), iterations, nullptr, 0, nullptr,
                                              NID_hmacWithSHA256, library_context()));
  if (info == nullptr || algorithm == nullptr) return fail_openssl();
  const EncryptedPtr encrypted(PKCS8_set0_pbe_ex(passphrase.data(),
                                                 static_cast<int>(passphrase.size()), info.get(),
                                                 algorithm.get(), library_context(), nullptr));
  if (encrypted == nullptr) return fail_openssl();
  static_cast<void>(algorithm.release());  // it belongs to `encrypted` now
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_PKCS8(bio.get(), encrypted.get()) != 1) return fail_openssl();
  return bio;
}

Result<KeyPtr> key_from_encrypted_pem(std::string_view pem, std::string_view passphrase,
                                      const std::string& name) {
  const size_t at = pem.find(encrypted_key_mark);
  if (at == pem.npos) return fail(Error::Kind::invalid, name + " holds no encrypted private key");
  pem.remove_prefix(at);
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyPtr key(bio == nullptr ? nullptr
                            : PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, give_passphrase,
                                                         &passphrase, library_context(), nullptr));
  const std::string reason = take_openssl_reason();
  if (key == nullptr) {
    return fail(Error::Kind::invalid,
                name + " cannot be decrypted: is it another passphrase? (" + reason + ")");
  }
  return key;
}

}  // namespace gaiter::keyring
