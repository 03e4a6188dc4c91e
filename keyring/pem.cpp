#include "keyring/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>

#include "keyring/encrypted_key.h"
#include "keyring/errors.h"
#include "keyring/files.h"
#include "keyring/undecoded_keys.h"

namespace gaiter::keyring {

CertificatePtr certificate_from_der(std::span<const unsigned char> der, PublicKeys public_keys) {
  const KeysUndecoded leave(public_keys == PublicKeys::leave);
  X509* certificate = X509_new_ex(library_context(), nullptr);
  const unsigned char* at = der.data();
  // On failure d2i frees what it was given.
  if (certificate == nullptr ||
      d2i_X509(&certificate, &at, static_cast<long>(der.size())) == nullptr) {
    return nullptr;
  }
  CertificatePtr owned(certificate);
  return at == der.data() + der.size() ? std::move(owned) : nullptr;
}

namespace {

constexpr std::string_view begin_mark = "-----BEGIN ";

using Pkcs7Ptr = std::unique_ptr<PKCS7, OpenSslDeleter<PKCS7_free>>;

// Of which a file with a key and its certificate may hold some: for other programs.
constexpr std::string_view harmless[] = {
    PEM_STRING_DHPARAMS, PEM_STRING_DHXPARAMS,  PEM_STRING_DSAPARAMS, PEM_STRING_ECPARAMETERS,
    PEM_STRING_PUBLIC,   PEM_STRING_RSA_PUBLIC, PEM_STRING_X509_REQ,  PEM_STRING_X509_REQ_OLD};

constexpr std::string_view key_mark = "PRIVATE KEY-----";

std::unexpected<Error> refuse(const std::string& name, const std::string& why) {
  const std::string reason = take_openssl_reason();
  return fail(Error::Kind::invalid, name + " " + why + (reason.empty() ? "" : " (" + reason + ")"));
}

KeyPtr key_from_der(std::span<const unsigned char> der) {
  const unsigned char* at = der.data();
  KeyPtr key(d2i_AutoPrivateKey_ex(nullptr, &at, static_cast<long>(der.size()), library_context(),
                                   nullptr));
  return at == der.data() + der.size() ? std::move(key) : nullptr;
}

// EncryptedPrivateKeyInfo (RFC 5958 3) has the syntax of a DigestInfo.
bool is_encrypted_key(std::span<const unsigned char> der) {
  const unsigned char* at = der.data();
  X509_SIG* info = d2i_X509_SIG(nullptr, &at, static_cast<long>(der.size()));
  X509_SIG_free(info);
  return info != nullptr && at == der.data() + der.size();
}

Result<KeyPtr> unlock(const EncryptedKey& encrypted, const std::string& name,
                      const AskPassphrase& ask) {
  if (!ask) {
    return refuse(name, "holds an encrypted private key, and there is no passphrase for it");
  }
  ERR_clear_error();
  const auto passphrase = ask(name);
  if (!passphrase) return std::unexpected(passphrase.error());
  return decrypt_key(encrypted, passphrase->view(), name);
}

// What the bytes are called, who knows the passphrase, and what is wanted.
struct Reading {
  const std::string& name;
  const AskPassphrase& ask;
  PublicKeys public_keys;
};

// The certificates of a PKCS#7 (RFC 2315) SignedData, which nobody need have signed.
Result<void> take_pkcs7(Bundle& bundle, std::span<const unsigned char> der,
                        const Reading& reading) {
  const std::string& name = reading.name;
  const unsigned char* at = der.data();
  const Pkcs7Ptr message(d2i_PKCS7(nullptr, &at, static_cast<long>(der.size())));
  if (message == nullptr || at != der.data() + der.size()) {
    return refuse(name, "holds a malformed PKCS#7 message");
  }
  const STACK_OF(X509)* found = nullptr;
  if (PKCS7_type_is_signed(message.get()) && message->d.sign != nullptr) {
    found = message->d.sign->cert;
  }
  if (sk_X509_num(found) <= 0) return refuse(name, "holds a PKCS#7 message without certificates");
  for (int i = 0; i < sk_X509_num(found); ++i) {
    unsigned char* bytes = nullptr;
    const int length = i2d_X509(sk_X509_value(found, i), &bytes);
    CertificatePtr own(length < 0 ? nullptr
                                  : certificate_from_der({bytes, static_cast<size_t>(length)},
                                                         reading.public_keys));
    OPENSSL_free(bytes);
    if (own == nullptr) return refuse(name, "holds a malformed certificate");
    bundle.certificates.push_back(std::move(own));
  }
  return {};
}

Result<Bundle> parse_der(std::span<const unsigned char> der, const Reading& reading) {
  Bundle bundle;
  if (CertificatePtr certificate = certificate_from_der(der, reading.public_keys)) {
    bundle.certificates.push_back(std::move(certificate));
    return bundle;
  }
  if (is_encrypted_key(der)) {
    auto key = unlock({.der = der}, reading.name, reading.ask);
    if (!key) return pass_on(key);
    bundle.key = *std::move(key);
    return bundle;
  }
  ERR_clear_error();
  bundle.key = key_from_der(der);
  if (bundle.key == nullptr && !take_pkcs7(bundle, der, reading)) {
    return refuse(reading.name,
                  "is neither a certificate nor a private key, and no PKCS#7 message");
  }
  ERR_clear_error();
  return bundle;
}

Result<void> take_key(Bundle& bundle, Result<KeyPtr> key, const std::string& name) {
  if (!key) return pass_on(key);
  if (bundle.key != nullptr) return refuse(name, "holds more than one private key");
  if (*key == nullptr) return refuse(name, "holds a malformed private key");
  bundle.key = *std::move(key);
  ERR_clear_error();
  return {};
}

// `openssl x509 -trustout` puts behind a certificate what it is good for.
Result<void> take_trusted(Bundle& bundle, std::span<const unsigned char> der,
                          const Reading& reading) {
  const unsigned char* at = der.data();
  const auto length = static_cast<long>(der.size());
  const CertificatePtr read(d2i_X509_AUX(nullptr, &at, length));
  unsigned char* bytes = nullptr;
  const int size = read != nullptr && at == der.data() + length ? i2d_X509(read.get(), &bytes) : -1;
  CertificatePtr own(
      size < 0 ? nullptr
               : certificate_from_der({bytes, static_cast<size_t>(size)}, reading.public_keys));
  OPENSSL_free(bytes);
  if (own == nullptr) return refuse(reading.name, "holds a malformed certificate");
  if (sk_ASN1_OBJECT_num(X509_get0_reject_objects(read.get())) > 0) {
    return refuse(reading.name,
                  "holds a certificate with the note that it is not to be trusted for something "
                  "(openssl x509 -addreject)");
  }
  bundle.certificates.push_back(std::move(own));
  bundle.skipped.emplace_back("the notes of a TRUSTED CERTIFICATE");
  return {};
}

// One PEM block. `kind` and `header` are what stood around its bytes.
Result<void> take_block(Bundle& bundle, std::string_view kind, std::string_view header,
                        std::span<const unsigned char> der, const Reading& reading) {
  const std::string& name = reading.name;
  if (kind == PEM_STRING_X509 || kind == PEM_STRING_X509_OLD) {
    CertificatePtr certificate = certificate_from_der(der, reading.public_keys);
    if (certificate == nullptr) return refuse(name, "holds a malformed certificate");
    bundle.certificates.push_back(std::move(certificate));
    return {};
  }
  if (kind == PEM_STRING_PKCS7 || kind == PEM_STRING_CMS) return take_pkcs7(bundle, der, reading);
  if (kind == PEM_STRING_PKCS8 || header.contains("ENCRYPTED")) {
    return take_key(bundle, unlock({.der = der, .header = header}, name, reading.ask), name);
  }
  if (kind == PEM_STRING_PKCS8INF || kind.ends_with(" PRIVATE KEY")) {
    return take_key(bundle, key_from_der(der), name);
  }
  if (kind == PEM_STRING_X509_TRUSTED) return take_trusted(bundle, der, reading);
  if (std::ranges::find(harmless, kind) != std::end(harmless)) {
    bundle.skipped.emplace_back(kind);
    return {};
  }
  return refuse(name, "holds a \"" + std::string(kind) +
                          "\"; only certificates and a private key belong there");
}

CrlPtr crl_from_der(std::span<const unsigned char> der) {
  X509_CRL* crl = X509_CRL_new_ex(library_context(), nullptr);
  const unsigned char* at = der.data();
  if (crl == nullptr || d2i_X509_CRL(&crl, &at, static_cast<long>(der.size())) == nullptr) {
    return nullptr;
  }
  CrlPtr owned(crl);
  return at == der.data() + der.size() ? std::move(owned) : nullptr;
}

// Where one begins, a line does: else it is a comment that speaks of one.
size_t count_blocks(std::string_view bytes) {
  size_t count = 0;
  for (size_t at = bytes.find(begin_mark); at != bytes.npos; at = bytes.find(begin_mark, at + 1)) {
    const size_t before = at == 0 ? bytes.npos : bytes.find_last_not_of(" \t", at - 1);
    count += before == bytes.npos || bytes[before] == '\n' || bytes[before] == '\r';
  }
  return count;
}

// Calls take(kind, header, der) for each PEM block.
Result<void> for_each_block(std::string_view bytes, const std::string& name, const auto& take) {
  const BioPtr bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  if (bio == nullptr) return refuse(name, "cannot be read");
  // A key must not lie about in memory; for the rest OpenSSL's secure heap is too small.
  const unsigned flags =
      PEM_FLAG_EAY_COMPATIBLE | (bytes.contains(key_mark) ? PEM_FLAG_SECURE : 0U);
  size_t blocks = 0;
  for (;; ++blocks) {
    char* kind = nullptr;
    char* header = nullptr;
    unsigned char* der = nullptr;
    long length = 0;
    if (PEM_read_bio_ex(bio.get(), &kind, &header, &der, &length, flags) != 1) break;
    Result<void> taken = take(std::string_view(kind), std::string_view(header),
                              std::span<const unsigned char>(der, static_cast<size_t>(length)));
    OPENSSL_secure_free(kind);
    OPENSSL_secure_free(header);
    OPENSSL_secure_clear_free(der, static_cast<size_t>(length));
    if (!taken) return taken;
  }
  // OpenSSL calls the end of the data an error too, and takes a broken last block
  // for the end: count.
  if (blocks != count_blocks(bytes)) return refuse(name, "holds a malformed PEM block");
  ERR_clear_error();
  if (blocks == 0) return refuse(name, "holds no PEM block (-----BEGIN ...)");
  return {};
}

std::span<const unsigned char> as_der(std::string_view bytes) {
  return {reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()};
}

}  // namespace

// A SEQUENCE begins with a byte that is "0" in text.
bool is_der(std::string_view bytes) {
  return bytes.starts_with('\x30') && !bytes.contains(begin_mark);
}

Result<Bundle> parse_bundle(std::string_view bytes, const std::string& name,
                            const AskPassphrase& ask, PublicKeys public_keys) {
  ERR_clear_error();
  if (bytes.size() > max_file_size) return refuse(name, "is longer than 1 MiB");
  if (bytes.empty()) return refuse(name, "is empty");
  const Reading reading{name, ask, public_keys};
  if (is_der(bytes)) return parse_der(as_der(bytes), reading);
  Bundle bundle;
  auto read = for_each_block(bytes, name, [&](auto kind, auto header, auto der) {
    return take_block(bundle, kind, header, der, reading);
  });
  if (!read) return pass_on(read);
  return bundle;
}

Result<std::vector<CrlPtr>> parse_crls(std::string_view bytes, const std::string& name) {
  ERR_clear_error();
  if (bytes.empty()) return refuse(name, "is empty");
  std::vector<CrlPtr> crls;
  const auto take = [&](std::string_view kind, std::string_view,
                        std::span<const unsigned char> der) -> Result<void> {
    if (kind != PEM_STRING_X509_CRL) {
      return refuse(name, "holds a \"" + std::string(kind) + "\"; only CRLs belong there");
    }
    CrlPtr crl = crl_from_der(der);
    if (crl == nullptr) return refuse(name, "holds a malformed CRL");
    crls.push_back(std::move(crl));
    return {};
  };
  auto read = is_der(bytes) ? take(PEM_STRING_X509_CRL, {}, as_der(bytes))
                            : for_each_block(bytes, name, take);
  if (!read) return pass_on(read);
  return crls;
}

Result<std::string> certificates_to_pem(const std::vector<const X509*>& certificates) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  for (const X509* certificate : certificates) {
    if (bio == nullptr || PEM_write_bio_X509(bio.get(), const_cast<X509*>(certificate)) != 1) {
      return fail(Error::Kind::system, "cannot write a certificate: " + take_openssl_reason());
    }
  }
  return std::string(contents(bio));
}

Result<BioPtr> key_to_pem(const EVP_PKEY* key) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), const_cast<EVP_PKEY*>(key),
                                                      nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return fail(Error::Kind::system, "cannot write a private key: " + take_openssl_reason());
  }
  return bio;
}

}  // namespace gaiter::keyring
