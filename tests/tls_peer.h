// For tests of the handshake: certificates made on the spot, and a foreign TLS
// peer: a plain OpenSSL SSL object over memory, set up by nothing of Gaiter's.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/handshake.h"
#include "engine/records.h"
#include "keyring/keyring.h"

namespace gaiter::engine {

using Data = std::vector<uint8_t>;

// ---- certificates ----

struct Issued {
  CertificatePtr certificate;
  KeyPtr key;
};

struct Request {
  std::string common_name;
  std::string names;                             // "DNS:a.example,IP:10.0.0.1"
  long valid_from = -3600, valid_until = 86400;  // seconds from now
  bool is_ca = false;
  const char* key_type = "EC";           // or "RSA"
  const char* extended_usage = nullptr;  // "serverAuth"
  std::vector<std::string> organizations = {};
};

inline KeyPtr make_key(const std::string& type) {
  return KeyPtr(type == "RSA" ? EVP_PKEY_Q_keygen(library_context(), nullptr, "RSA", size_t{2048})
                              : EVP_PKEY_Q_keygen(library_context(), nullptr, "EC", "P-256"));
}

// Signed by `issuer`, or by itself.
inline Issued issue(const Request& request, const Issued* issuer = nullptr) {
  static long serial = 1;
  Issued made{CertificatePtr(X509_new_ex(library_context(), nullptr)), make_key(request.key_type)};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), request.valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), request.valid_until);
  const auto call = [certificate](const char* type, const std::string& value) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), type, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, 0);
  };
  for (const std::string& organization : request.organizations) call("O", organization);
  call("CN", request.common_name);
  X509_set_pubkey(certificate, made.key.get());
  const X509* signer = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  const auto extend = [&](int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  };
  if (request.is_ca) extend(NID_basic_constraints, "critical,CA:TRUE");
  if (!request.names.empty()) extend(NID_subject_alt_name, request.names);
  if (request.extended_usage != nullptr) extend(NID_ext_key_usage, request.extended_usage);
  X509_sign(certificate, issuer != nullptr ? issuer->key.get() : made.key.get(), EVP_sha256());
  return made;
}

inline CertificatePtr share(const CertificatePtr& certificate) {
  X509_up_ref(certificate.get());
  return CertificatePtr(certificate.get());
}

inline keyring::Identity identity_of(const Issued& issued) {
  EVP_PKEY_up_ref(issued.key.get());
  return {"test", share(issued.certificate), {}, KeyPtr(issued.key.get())};
}

inline TrustStorePtr trusting(const std::vector<const Issued*>& trusted) {
  TrustStorePtr store(X509_STORE_new());
  for (const Issued* one : trusted) X509_STORE_add_cert(store.get(), one->certificate.get());
  return store;
}

// ---- the foreign peer ----

using ContextPtr = std::unique_ptr<SSL_CTX, OpenSslDeleter<SSL_CTX_free>>;

inline int keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* sessions = static_cast<std::vector<SessionPtr>*>(SSL_get_app_data(ssl));
  if (sessions == nullptr) return 0;
  sessions->emplace_back(session);
  return 1;
}

struct ForeignSettings {
  Role role = Role::server;
  int version = 0;              // both minimum and maximum; 0 = any
  const char* suite = nullptr;  // of either version
  const Issued* identity = nullptr;
  const Issued* trusts = nullptr;  // null: verifies nothing
  size_t tickets = 0;              // TLS 1.3 server
};

inline ContextPtr foreign_context(const ForeignSettings& settings) {
  ContextPtr made(
      SSL_CTX_new_ex(library_context(), nullptr,
                     settings.role == Role::server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* context = made.get();
  SSL_CTX_set_min_proto_version(context, settings.version);
  SSL_CTX_set_max_proto_version(context, settings.version);
  if (settings.suite != nullptr) {
    if (settings.version == TLS1_3_VERSION)
      SSL_CTX_set_ciphersuites(context, settings.suite);
    else
      SSL_CTX_set_cipher_list(context, settings.suite);
  }
  if (settings.identity != nullptr)
    SSL_CTX_use_cert_and_key(context, settings.identity->certificate.get(),
                             settings.identity->key.get(), nullptr, 1);
  if (settings.trusts != nullptr)
    SSL_CTX_set1_cert_store(context, trusting({settings.trusts}).get());
  if (settings.trusts != nullptr)
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_num_tickets(context, settings.tickets);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const uint8_t*>("test"), 4);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  return made;
}

class ForeignPeer {
 public:
  explicit ForeignPeer(SSL_CTX* context, SSL_SESSION* resumed = nullptr) : ssl(SSL_new(context)) {
    BIO* in = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl, in, BIO_new(BIO_s_mem()));
    SSL_set_app_data(ssl, &sessions);
    if (SSL_is_server(ssl) == 1)
      SSL_set_accept_state(ssl);
    else
      SSL_set_connect_state(ssl);
    if (resumed != nullptr) SSL_set_session(ssl, resumed);
  }
  ~ForeignPeer() {
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    ERR_clear_error();
  }
  ForeignPeer(const ForeignPeer&) = delete;
  ForeignPeer& operator=(const ForeignPeer&) = delete;

  // Bytes for it, and what it answers; the handshake goes on.
  Data exchange(const Data& bytes) {
    give(bytes);
    if (SSL_is_init_finished(ssl) == 0) SSL_do_handshake(ssl);
    note_alert();
    return sent();
  }

  void give(const Data& bytes) {
    if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
  }

  Data sent() {
    uint8_t* data = nullptr;
    const long length = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
    Data out(data, data + length);
    (void)BIO_reset(SSL_get_wbio(ssl));
    return out;
  }

  Data written(const std::string& text) {
    SSL_write(ssl, text.data(), static_cast<int>(text.size()));
    return sent();
  }

  std::string read() {
    char text[20000];
    const int length = SSL_read(ssl, text, sizeof text);
    note_alert();
    return length > 0 ? std::string(text, static_cast<size_t>(length)) : "";
  }

  // The fatal alert that came, if one did.
  void note_alert() {
    while (const unsigned long code = ERR_get_error()) {
      last_error = ERR_reason_error_string(code) != nullptr ? ERR_reason_error_string(code) : "?";
      if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET)
        alert = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;
    }
  }

  SSL* ssl;
  std::vector<SessionPtr> sessions;
  int alert = -1;
  std::string last_error;
};

// ---- our side after the handshake ----

inline Data sealed(WriteState& state, const std::string& text) {
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  IovCursor from(&piece, 1);
  Data record(sealed_length(state, text.size()));
  record.resize(seal(state, ContentType::application_data, from, text.size(), record.data()));
  return record;
}

struct Opened {
  std::string text;
  Received last;
};

inline Opened opened(ReadState& state, Data records, Tickets* tickets = nullptr) {
  Inbox inbox = {};
  inbox.data = records.data();
  inbox.capacity = inbox.cipher_length = static_cast<uint32_t>(records.size());
  std::string text(records.size(), '\0');
  const iovec piece{text.data(), text.size()};
  IovCursor sink(&piece, 1);
  TicketSink to_tickets;
  to_tickets.self = tickets;
  to_tickets.take = [](void* self, const uint8_t* record, size_t length) {
    if (self != nullptr) static_cast<Tickets*>(self)->take({record, length});
  };
  Opened result{};
  result.last = receive(state, inbox, sink, to_tickets);
  result.text = text.substr(0, result.last.delivered);
  return result;
}

}  // namespace gaiter::engine
