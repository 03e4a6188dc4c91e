// OpenSSL as a value library: owning pointers, the one private library context,
// and OpenSSL's error queue in words.
//
// OpenSSL is linked statically and hidden, and is never told to read a
// configuration file, so nothing here is shared with a program's own OpenSSL.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace gaiter {

template <auto Free>
struct OpenSslDeleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

// OpenSSL's own, out of line: the shim hands these objects on, and has no OpenSSL.
void free_key(EVP_PKEY* key);
void free_certificate(X509* certificate);
void free_trust_store(X509_STORE* store);
void free_crl(X509_CRL* crl);

using BioPtr = std::unique_ptr<BIO, OpenSslDeleter<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslDeleter<free_key>>;
using CertificatePtr = std::unique_ptr<X509, OpenSslDeleter<free_certificate>>;
using CrlPtr = std::unique_ptr<X509_CRL, OpenSslDeleter<free_crl>>;
using TrustStorePtr = std::unique_ptr<X509_STORE, OpenSslDeleter<free_trust_store>>;

// What was written to a memory BIO; good until more is.
std::string_view contents(const BioPtr& bio);

// The private OSSL_LIB_CTX that every Gaiter operation uses; made at the first
// call, never freed (a preload has no safe moment to do so). Thread-safe.
OSSL_LIB_CTX* library_context();

// Takes everything off this thread's OpenSSL error queue and returns the first
// reason in words ("certificate verify failed"), or "" if the queue was empty.
std::string take_openssl_reason();

}  // namespace gaiter
