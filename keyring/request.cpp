#include "keyring/request.h"

#include <openssl/pem.h>

#include "base/text.h"
#include "keyring/errors.h"
#include "keyring/files.h"
#include "keyring/issue.h"
#include "keyring/pem.h"
#include "keyring/words.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

void free_extensions(STACK_OF(X509_EXTENSION) * stack) {
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
using ExtensionStackPtr =
    std::unique_ptr<STACK_OF(X509_EXTENSION), OpenSslDeleter<free_extensions>>;

std::unexpected<Error> refuse(const std::string& why) {
  take_openssl_reason();
  return fail(Error::Kind::invalid, why);
}

std::unexpected<Error> fail_openssl() {
  return fail(Error::Kind::system, "cannot make a request: " + take_openssl_reason());
}

ExtensionStackPtr extensions_of(const X509_REQ* request) {
  return ExtensionStackPtr(X509_REQ_get_extensions(const_cast<X509_REQ*>(request)));
}

template <class T>
T* value_of(const ExtensionStackPtr& extensions, int nid) {
  return static_cast<T*>(X509V3_get_d2i(extensions.get(), nid, nullptr, nullptr));
}

std::string whose(const X509_REQ* request) {
  return "the request of " + name_text(X509_REQ_get_subject_name(request));
}

Result<void> check_request(X509_REQ* request, const std::string& name) {
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request);
  if (key == nullptr) return refuse(name + " holds a request whose key cannot be read");
  if (auto good = check_strength(key, name); !good) return good;
  if (X509_REQ_verify_ex(request, key, library_context(), nullptr) != 1) {
    return refuse(name + " holds a request that its own key did not sign");
  }
  const auto extensions = extensions_of(request);
  const NamesPtr names(value_of<GENERAL_NAMES>(extensions, NID_subject_alt_name));
  if (names == nullptr && X509v3_get_ext_by_NID(extensions.get(), NID_subject_alt_name, -1) >= 0) {
    return refuse(name + " holds malformed subject alternative names");
  }
  take_openssl_reason();
  return check_names(names.get(), name);
}

// What the request's extended key usage asks for; both if it does not say.
Result<KeyPurpose> purpose_of(const X509_REQ* request) {
  const auto extensions = extensions_of(request);
  const std::unique_ptr<EXTENDED_KEY_USAGE, OpenSslDeleter<EXTENDED_KEY_USAGE_free>> usages(
      value_of<EXTENDED_KEY_USAGE>(extensions, NID_ext_key_usage));
  bool server = false, client = false;
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    const int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(usages.get(), i));
    server |= nid == NID_server_auth;
    client |= nid == NID_client_auth;
    if (nid != NID_server_auth && nid != NID_client_auth) {
      const char* const words = OBJ_nid2ln(nid);
      return refuse(whose(request) + " asks for the use \"" + (words != nullptr ? words : "?") +
                    "\"; say --server or --client to sign it for that alone");
    }
  }
  take_openssl_reason();
  if (server == client) return KeyPurpose::both;
  return server ? KeyPurpose::server : KeyPurpose::client;
}

Result<void> refuse_ca(const X509_REQ* request) {
  const auto extensions = extensions_of(request);
  const std::unique_ptr<BASIC_CONSTRAINTS, OpenSslDeleter<BASIC_CONSTRAINTS_free>> basic(
      value_of<BASIC_CONSTRAINTS>(extensions, NID_basic_constraints));
  take_openssl_reason();
  if (basic == nullptr || basic->ca == 0) return {};
  return refuse(whose(request) +
                " asks to be a CA itself, which is not signed; a CA below another is made with: "
                "gaiter keyring ca create LABEL --ca CA");
}

Result<NamesPtr> names_to_sign(const X509_REQ* request) {
  NamesPtr names = alternative_names(request);
  if (sk_GENERAL_NAME_num(names.get()) > 0) return names;
  const std::string name = common_name(X509_REQ_get_subject_name(request));
  if (!address_bytes(name).empty()) {
    return refuse(whose(request) +
                  " has an address as its common name, and nothing else: clients look for it among "
                  "the subject alternative names (IP:" +
                  name + ")");
  }
  if (!is_dns_name(name)) return NamesPtr();
  return general_names({.dns = {name}, .ip = {}, .uris = {}, .emails = {}});
}

// A server that must be given a stapled OCSP response (RFC 7633) keeps saying so.
bool keep_staple_demand(const X509_REQ* request, Extensions& extensions) {
  if (!must_staple(request)) return true;
  const auto asked = extensions_of(request);
  const int at = X509v3_get_ext_by_NID(asked.get(), NID_tlsfeature, -1);
  extensions.emplace_back(X509_EXTENSION_dup(X509v3_get_ext(asked.get(), at)));
  return extensions.back() != nullptr;
}

// What nobody would accept is not signed either: who asked would find out too late.
Result<void> refuse_unacceptable(const X509_REQ* request, const GENERAL_NAMES* names) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    const std::string text = alternative_name_text(name).substr(4);  // "dns:"
    if (const char* const why = why_unacceptable(text))
      return refuse(whose(request) + " asks for the name \"" + text + "\", which " + why);
  }
  return {};
}

// Who signs must be able to read what.
Result<void> refuse_what_is_not_shown(const X509_REQ* request) {
  const auto extensions = extensions_of(request);
  if (X509v3_get_ext_by_NID(extensions.get(), NID_tlsfeature, -1) >= 0 && !must_staple(request))
    return refuse(whose(request) + " demands TLS features other than status_request");
  if (!base::is_visible(name_text(X509_REQ_get_subject_name(request))))
    return refuse(whose(request) + " has characters in its subject that are not seen");
  const NamesPtr names = alternative_names(request);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    if (!can_be_shown(sk_GENERAL_NAME_value(names.get(), i)))
      return refuse(whose(request) + " asks for a name that cannot be shown, number " +
                    std::to_string(i + 1) + " of its subject alternative names");
  }
  return {};
}

}  // namespace

bool must_staple(const X509_REQ* request) {
  const std::unique_ptr<TLS_FEATURE, OpenSslDeleter<TLS_FEATURE_free>> features(
      value_of<TLS_FEATURE>(extensions_of(request), NID_tlsfeature));
  constexpr long status_request = 5;
  return sk_ASN1_INTEGER_num(features.get()) == 1 &&
         ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features.get(), 0)) == status_request;
}

NamesPtr alternative_names(const X509_REQ* request) {
  NamesPtr names(value_of<GENERAL_NAMES>(extensions_of(request), NID_subject_alt_name));
  take_openssl_reason();
  return names;
}

std::string common_name(const X509_NAME* subject) {
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return "";
  unsigned char* text = nullptr;
  const int length =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  std::string name(reinterpret_cast<const char*>(text),
                   length > 0 ? static_cast<size_t>(length) : 0);
  OPENSSL_free(text);
  return name;
}

Result<RequestPtr> make_request(const X509_NAME* subject, const GENERAL_NAMES* names, EVP_PKEY* key,
                                KeyPurpose purpose) {
  auto wanted = leaf_extensions(purpose, names, key, X509_NAME_entry_count(subject) == 0);
  if (!wanted) return pass_on(wanted);
  RequestPtr request(X509_REQ_new_ex(library_context(), nullptr));
  // Not the basic constraints: only CAs of some tools' making understand them there.
  const ExtensionStackPtr stack(sk_X509_EXTENSION_new_null());
  for (ExtensionPtr& extension : *wanted) {
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension.get()));
    if (nid == NID_basic_constraints) continue;
    if (stack == nullptr || sk_X509_EXTENSION_push(stack.get(), extension.get()) <= 0) {
      return fail_openssl();
    }
    static_cast<void>(extension.release());
  }
  if (request == nullptr || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_subject_name(request.get(), subject) != 1 ||
      X509_REQ_set_pubkey(request.get(), key) != 1 ||
      X509_REQ_add_extensions(request.get(), stack.get()) != 1 ||
      X509_REQ_sign(request.get(), key, digest_for(key)) == 0) {
    return fail_openssl();
  }
  return request;
}

Result<RequestPtr> parse_request(std::string_view bytes, const std::string& name) {
  if (bytes.size() > max_file_size) return refuse(name + " is longer than 1 MiB");
  const BioPtr bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  RequestPtr request(X509_REQ_new_ex(library_context(), nullptr));
  X509_REQ* into = request.get();
  if (bio == nullptr || into == nullptr) return fail_openssl();
  // On failure OpenSSL frees what it was given.
  X509_REQ* const read = is_der(bytes) ? d2i_X509_REQ_bio(bio.get(), &into)
                                       : PEM_read_bio_X509_REQ(bio.get(), &into, nullptr, nullptr);
  if (read == nullptr) {
    static_cast<void>(into == nullptr ? request.release() : nullptr);
    const bool certificate = bytes.contains("-----BEGIN CERTIFICATE-----");
    return refuse(name + (certificate ? " is a certificate, not a certificate signing request"
                                      : " holds no well-formed certificate signing request "
                                        "(-----BEGIN CERTIFICATE REQUEST-----)"));
  }
  if (auto good = check_request(request.get(), name); !good) return pass_on(good);
  return request;
}

Result<std::string> to_pem(const X509_REQ* request) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_X509_REQ(bio.get(), const_cast<X509_REQ*>(request)) != 1) {
    return fail_openssl();
  }
  return std::string(contents(bio));
}

Result<CertificatePtr> sign_request(X509_REQ* request, const Identity& ca,
                                    std::chrono::days lifetime, std::optional<KeyPurpose> purpose) {
  if (auto good = check_lifetime(lifetime); !good) return pass_on(good);
  if (auto good = refuse_ca(request); !good) return pass_on(good);
  if (auto good = refuse_what_is_not_shown(request); !good) return pass_on(good);
  if (!purpose) {
    auto asked = purpose_of(request);
    if (!asked) return pass_on(asked);
    purpose = *asked;
  }
  auto names = names_to_sign(request);
  if (!names) return pass_on(names);
  if (auto good = refuse_unacceptable(request, names->get()); !good) return pass_on(good);
  const X509_NAME* const subject = X509_REQ_get_subject_name(request);
  const bool nameless = X509_NAME_entry_count(subject) == 0;
  if (nameless && *names == nullptr) return refuse(whose(request) + " names nobody");
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request);
  auto extensions = leaf_extensions(*purpose, names->get(), key, nameless);
  if (!extensions) return pass_on(extensions);
  if (!keep_staple_demand(request, *extensions)) return fail_openssl();
  return issue({.subject = subject, .extensions = *extensions, .lifetime = lifetime}, key, &ca);
}

}  // namespace gaiter::keyring
