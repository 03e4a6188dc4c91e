#include "keyring/extensions.h"

#include "keyring/errors.h"

namespace gaiter::keyring {
namespace {

std::unexpected<Error> fail_openssl() {
  return fail(Error::Kind::system, "cannot make an extension: " + take_openssl_reason());
}

// `value` in OpenSSL's extension syntax: only ever one of our own constants.
bool add(Extensions& extensions, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, nullptr, nullptr, nullptr, nullptr, 0);
  extensions.emplace_back(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extensions.back() != nullptr;
}

bool add_value(Extensions& extensions, int nid, bool critical, const void* value) {
  extensions.emplace_back(X509V3_EXT_i2d(nid, critical ? 1 : 0, const_cast<void*>(value)));
  return extensions.back() != nullptr;
}

bool add_names(Extensions& extensions, const GENERAL_NAMES* names, bool critical) {
  return names == nullptr || add_value(extensions, NID_subject_alt_name, critical, names);
}

}  // namespace

Result<Extensions> leaf_extensions(KeyPurpose purpose, const GENERAL_NAMES* names,
                                   const EVP_PKEY* key, bool names_are_critical) {
  // An RSA key may also be asked to decrypt (RFC 5246 7.4.2), by peers that Gaiter is not.
  const bool encrypts = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  const char* const usage =
      encrypts ? "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature";
  const char* const extended = purpose == KeyPurpose::both     ? "serverAuth,clientAuth"
                               : purpose == KeyPurpose::server ? "serverAuth"
                                                               : "clientAuth";
  Extensions extensions;
  if (!add(extensions, NID_basic_constraints, "critical,CA:FALSE") ||
      !add(extensions, NID_key_usage, usage) || !add(extensions, NID_ext_key_usage, extended) ||
      !add_names(extensions, names, names_are_critical)) {
    return fail_openssl();
  }
  return extensions;
}

Result<Extensions> ca_extensions(const CaLimits& limits, const GENERAL_NAMES* names) {
  auto constraints = name_constraints(limits.permitted, limits.excluded);
  if (!constraints) return pass_on(constraints);
  std::string basic = "critical,CA:TRUE";
  if (limits.path_length != any_path_length) {
    basic += ",pathlen:" + std::to_string(limits.path_length);
  }
  Extensions extensions;
  // An OCSP response is signed with this key too, for which 4.2.1.3 wants digitalSignature.
  if (!add(extensions, NID_basic_constraints, basic) ||
      !add(extensions, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign") ||
      !add_names(extensions, names, false)) {
    return fail_openssl();
  }
  if (*constraints != nullptr &&
      !add_value(extensions, NID_name_constraints, true, constraints->get())) {
    return fail_openssl();
  }
  return extensions;
}

Result<Extensions> extensions_to_keep(const X509* certificate) {
  Extensions extensions;
  for (int i = 0; i < X509_get_ext_count(certificate); ++i) {
    X509_EXTENSION* const extension = X509_get_ext(certificate, i);
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (nid == NID_subject_key_identifier || nid == NID_authority_key_identifier) continue;
    extensions.emplace_back(X509_EXTENSION_dup(extension));
    if (extensions.back() == nullptr) return fail_openssl();
  }
  return extensions;
}

NamesPtr alternative_names(const X509* certificate) {
  NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  take_openssl_reason();
  return names;
}

}  // namespace gaiter::keyring
