#include "keyring/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <span>

#include "keyring/errors.h"
#include "keyring/files.h"

namespace gaiter::keyring {
namespace {

constexpr std::string_view begin_mark = "-----BEGIN ";

std::unexpected<Error> refuse(const std::string& name, const std::string& why) {
  const std::string reason = take_openssl_reason();
  return fail(Error::Kind::invalid, name + " " + why + (reason.empty() ? "" : " (" + reason + ")"));
}

CertificatePtr certificate_from_der(std::span<const unsigned char> der) {
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

std::unexpected<Error> refuse_encrypted(const std::string& name) {
  ERR_clear_error();
  return refuse(name,
                "holds an encrypted private key; Gaiter asks for no passphrase: decrypt it first "
                "with `openssl pkey -in FILE -out FILE`");
}

Result<Bundle> parse_der(std::span<const unsigned char> der, const std::string& name) {
  Bundle bundle;
  if (CertificatePtr certificate = certificate_from_der(der)) {
    bundle.certificates.push_back(std::move(certificate));
    return bundle;
  }
  if (is_encrypted_key(der)) return refuse_encrypted(name);
  ERR_clear_error();
  bundle.key = key_from_der(der);
  if (bundle.key == nullptr) return refuse(name, "is neither a certificate nor a private key");
  ERR_clear_error();
  return bundle;
}

// One PEM block. `kind` and `header` are what stood around its bytes.
Result<void> take_block(Bundle& bundle, std::string_view kind, std::string_view header,
                        std::span<const unsigned char> der, const std::string& name) {
  if (kind == PEM_STRING_X509 || kind == PEM_STRING_X509_OLD) {
    CertificatePtr certificate = certificate_from_der(der);
    if (certificate == nullptr) return refuse(name, "holds a malformed certificate");
    bundle.certificates.push_back(std::move(certificate));
  } else if (kind == PEM_STRING_PKCS8 || header.contains("ENCRYPTED")) {
    return refuse_encrypted(name);
  } else if (kind == PEM_STRING_PKCS8INF || kind.ends_with(" PRIVATE KEY")) {
    if (bundle.key != nullptr) return refuse(name, "holds more than one private key");
    bundle.key = key_from_der(der);
    if (bundle.key == nullptr) return refuse(name, "holds a malformed private key");
    ERR_clear_error();
  } else if (kind != PEM_STRING_ECPARAMETERS) {  // `openssl ecparam -genkey` puts them first
    return refuse(name, "holds a \"" + std::string(kind) +
                            "\"; only certificates and a private key belong there");
  }
  return {};
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

size_t count_blocks(std::string_view bytes) {
  size_t count = 0;
  for (size_t at = bytes.find(begin_mark); at != bytes.npos; at = bytes.find(begin_mark, at + 1)) {
    ++count;
  }
  return count;
}

Result<std::string> drain(const BioPtr& bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(length));
}

// Calls take(kind, header, der) for each PEM block.
Result<void> for_each_block(std::string_view bytes, const std::string& name, const auto& take) {
  const BioPtr bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  if (bio == nullptr) return refuse(name, "cannot be read");
  size_t blocks = 0;
  for (;; ++blocks) {
    char* kind = nullptr;
    char* header = nullptr;
    unsigned char* der = nullptr;
    long length = 0;
    if (PEM_read_bio(bio.get(), &kind, &header, &der, &length) != 1) break;
    Result<void> taken = take(std::string_view(kind), std::string_view(header),
                              std::span<const unsigned char>(der, static_cast<size_t>(length)));
    OPENSSL_free(kind);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, static_cast<size_t>(length));
    if (!taken) return taken;
  }
  // OpenSSL calls the end of the data an error too, and takes a broken last block
  // for the end: count.
  if (blocks != count_blocks(bytes)) return refuse(name, "holds a malformed PEM block");
  ERR_clear_error();
  if (blocks == 0) return refuse(name, "holds no PEM block (-----BEGIN ...)");
  return {};
}

// A DER object is a SEQUENCE; PEM is text.
bool is_der(std::string_view bytes) { return bytes.starts_with('\x30'); }

std::span<const unsigned char> as_der(std::string_view bytes) {
  return {reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<Bundle> parse_bundle(std::string_view bytes, const std::string& name) {
  ERR_clear_error();
  if (bytes.size() > max_file_size) return refuse(name, "is longer than 1 MiB");
  if (is_der(bytes)) return parse_der(as_der(bytes), name);
  Bundle bundle;
  auto read = for_each_block(bytes, name, [&](auto kind, auto header, auto der) {
    return take_block(bundle, kind, header, der, name);
  });
  if (!read) return pass_on(read);
  return bundle;
}

Result<std::vector<CrlPtr>> parse_crls(std::string_view bytes, const std::string& name) {
  ERR_clear_error();
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
  return drain(bio);
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
