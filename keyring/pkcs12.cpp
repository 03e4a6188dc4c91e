#include "keyring/pkcs12.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "keyring/chain.h"
#include "keyring/encrypted_key.h"
#include "keyring/errors.h"
#include "keyring/pem.h"

namespace gaiter::keyring {
namespace {

using Pkcs12Ptr = std::unique_ptr<PKCS12, OpenSslDeleter<PKCS12_free>>;
using InfoPtr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, OpenSslDeleter<PKCS8_PRIV_KEY_INFO_free>>;

void free_bags(STACK_OF(PKCS12_SAFEBAG) * bags) {
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}
void free_safes(STACK_OF(PKCS7) * safes) { sk_PKCS7_pop_free(safes, PKCS7_free); }
using BagsPtr = std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), OpenSslDeleter<free_bags>>;
using SafesPtr = std::unique_ptr<STACK_OF(PKCS7), OpenSslDeleter<free_safes>>;

constexpr int max_nesting = 8;
constexpr int iterations = 100'000;

std::unexpected<Error> refuse(const std::string& name, const std::string& why) {
  const std::string reason = take_openssl_reason();
  return fail(Error::Kind::invalid, name + " " + why + (reason.empty() ? "" : " (" + reason + ")"));
}

Pkcs12Ptr decode(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = at + der.size();
  Pkcs12Ptr file(d2i_PKCS12(nullptr, &at, static_cast<long>(der.size())));
  return at == end ? std::move(file) : nullptr;
}

// An empty passphrase and none are two things (RFC 7292 B.1): two bytes of zero, or nothing.
// Tools write either for "none", and 3DES as PKCS#12 uses it tells them apart.
struct Passphrase {
  const char* data = nullptr;  // null = none
  int length = 0;
};
constexpr Passphrase without[] = {{"", 0}, {nullptr, 0}};

Passphrase from(std::string_view text) { return {text.data(), static_cast<int>(text.size())}; }

// Reads the safes of one file.
class Reader {
 public:
  Reader(const PKCS12& file, const std::string& name) : file_(file), name_(name) {}

  bool has_mac() const { return PKCS12_mac_present(&file_) == 1; }

  // Whether the passphrase is the file's, which has a MAC.
  Result<bool> opens(Passphrase passphrase) {
    auto* const file = const_cast<PKCS12*>(&file_);
    const ASN1_INTEGER* count = nullptr;
    PKCS12_get0_mac(nullptr, nullptr, nullptr, &count, file);
    if (count != nullptr && ASN1_INTEGER_get(count) > max_iterations) {
      return refuse(name_, "wants more than " + std::to_string(max_iterations) +
                               " iterations to check its passphrase");
    }
    const bool right = PKCS12_verify_mac(file, passphrase.data, passphrase.length) == 1;
    ERR_clear_error();
    return right;
  }

  // May be called again, with another passphrase.
  Result<void> read(Passphrase passphrase) {
    passphrase_ = passphrase;
    keys_.clear();
    certificates_.clear();
    const SafesPtr safes(PKCS12_unpack_authsafes(&file_));
    if (safes == nullptr) return refuse(name_, "is a malformed PKCS#12 file");
    for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
      if (auto read = read_safe(sk_PKCS7_value(safes.get(), i)); !read) return read;
    }
    return {};
  }

  // Whether another passphrase might do: something is encrypted, by a cipher that we have.
  bool asks_for_another() const { return is_encrypted_ && !is_outdated_; }

  // A key's certificate is that which fits it, and its chain is what issued that.
  Result<std::vector<Pkcs12Item>> items() {
    std::vector<Pkcs12Item> items;
    std::vector<bool> used(certificates_.size(), false);
    for (Named<KeyPtr>& key : keys_) {
      std::vector<CertificatePtr> all;
      for (const Named<CertificatePtr>& certificate : certificates_) {
        X509_up_ref(certificate.object.get());
        all.emplace_back(certificate.object.get());
      }
      Pkcs12Item item{.name = key.name, .key = std::move(key.object), .certificates = {}};
      if (!bring_leaf_forward(all, item.key.get())) {
        return refuse(name_, "holds a private key that fits none of its certificates");
      }
      sort_chain(all);
      for (size_t i = 0; i < certificates_.size(); ++i) {
        for (const CertificatePtr& one : all) {
          if (one.get() != certificates_[i].object.get()) continue;
          used[i] = true;
          if (item.name.empty() && one == all.front()) item.name = certificates_[i].name;
        }
      }
      item.certificates = std::move(all);
      items.push_back(std::move(item));
    }
    for (size_t i = 0; i < certificates_.size(); ++i) {
      if (used[i]) continue;
      Pkcs12Item& item = items.emplace_back();
      item.name = certificates_[i].name;
      item.certificates.push_back(std::move(certificates_[i].object));
    }
    if (items.empty()) return refuse(name_, "holds neither a certificate nor a private key");
    return items;
  }

 private:
  template <class Pointer>
  struct Named {
    std::string name;
    Pointer object;
  };

  Result<void> read_safe(PKCS7* safe) {
    BagsPtr bags;
    if (PKCS7_type_is_data(safe)) {
      bags.reset(PKCS12_unpack_p7data(safe));
    } else if (PKCS7_type_is_encrypted(safe)) {
      if (safe->d.encrypted == nullptr || safe->d.encrypted->enc_data == nullptr) {
        return refuse(name_, "is a malformed PKCS#12 file");
      }
      const X509_ALGOR* const algorithm = safe->d.encrypted->enc_data->algorithm;
      if (auto good = check_iterations(algorithm, name_); !good) return good;
      is_encrypted_ = true;
      bags.reset(PKCS12_unpack_p7encdata(safe, passphrase_.data, passphrase_.length));
      if (bags == nullptr) return refuse_encrypted();
    } else {
      return refuse(name_, "holds a part that is encrypted for a certificate, not by a passphrase");
    }
    if (bags == nullptr) return refuse(name_, "is a malformed PKCS#12 file");
    return read_bags(bags.get(), 0);
  }

  Result<void> read_bags(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth) {
    if (depth == max_nesting) return refuse(name_, "nests its contents too deeply");
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
      if (auto read = read_bag(sk_PKCS12_SAFEBAG_value(bags, i), depth); !read) return read;
    }
    return {};
  }

  Result<void> read_bag(PKCS12_SAFEBAG* bag, int depth) {
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
      case NID_keyBag:
        return add_key(bag, PKCS12_SAFEBAG_get0_p8inf(bag));
      case NID_pkcs8ShroudedKeyBag: {
        const X509_ALGOR* algorithm = nullptr;
        X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, nullptr);
        if (auto good = check_iterations(algorithm, name_); !good) return good;
        is_encrypted_ = true;
        const InfoPtr info(PKCS12_decrypt_skey(bag, passphrase_.data, passphrase_.length));
        if (info == nullptr) return refuse_encrypted();
        return add_key(bag, info.get());
      }
      case NID_certBag:
        return add_certificate(bag);
      case NID_safeContentsBag:
        return read_bags(PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
      default:
        return {};  // secrets and CRLs, which are none of ours
    }
  }

  Result<void> add_key(PKCS12_SAFEBAG* bag, const PKCS8_PRIV_KEY_INFO* info) {
    KeyPtr key(info == nullptr ? nullptr : EVP_PKCS82PKEY_ex(info, library_context(), nullptr));
    if (key == nullptr) return refuse(name_, "holds a malformed private key");
    keys_.push_back({friendly_name(bag), std::move(key)});
    return {};
  }

  Result<void> add_certificate(PKCS12_SAFEBAG* bag) {
    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) return {};
    const CertificatePtr read(PKCS12_SAFEBAG_get1_cert(bag));
    unsigned char* der = nullptr;
    const int length = read == nullptr ? -1 : i2d_X509(read.get(), &der);
    // Once more, so that it belongs to our own library context.
    CertificatePtr own(length < 0 ? nullptr
                                  : certificate_from_der({der, static_cast<size_t>(length)}));
    OPENSSL_free(der);
    if (own == nullptr) return refuse(name_, "holds a malformed certificate");
    certificates_.push_back({friendly_name(bag), std::move(own)});
    return {};
  }

  static std::string friendly_name(PKCS12_SAFEBAG* bag) {
    char* const text = PKCS12_get_friendlyname(bag);  // UTF-8
    const std::string name = text != nullptr ? text : "";
    OPENSSL_free(text);
    return name;
  }

  std::unexpected<Error> refuse_encrypted() {
    const unsigned long code = ERR_peek_error();
    if (ERR_GET_REASON(code) == ERR_R_UNSUPPORTED || ERR_GET_LIB(code) == ERR_LIB_EVP) {
      is_outdated_ = true;
      return refuse(name_,
                    "cannot be decrypted: its cipher is outdated, or the file is damaged; `openssl "
                    "pkcs12 -legacy` reads such files");
    }
    return refuse(name_, "cannot be decrypted: another passphrase, or a damaged file");
  }

  const PKCS12& file_;
  const std::string& name_;
  Passphrase passphrase_;
  bool is_encrypted_ = false, is_outdated_ = false;
  std::vector<Named<KeyPtr>> keys_;
  std::vector<Named<CertificatePtr>> certificates_;
};

// As somebody has written it who just pressed return, or encrypted nothing. False: it takes a
// passphrase.
Result<bool> read_without(Reader& reader) {
  for (const Passphrase& passphrase : without) {
    if (reader.has_mac()) {
      auto open = reader.opens(passphrase);
      if (!open) return pass_on(open);
      if (!*open) continue;
    }
    auto read = reader.read(passphrase);
    ERR_clear_error();
    if (read) return true;
    if (reader.has_mac() || !reader.asks_for_another()) return pass_on(read);
  }
  return false;
}

}  // namespace

bool is_pkcs12(std::string_view der) {
  const bool is = decode(der) != nullptr;
  ERR_clear_error();
  return is;
}

Result<std::vector<Pkcs12Item>> parse_pkcs12(std::string_view der, const std::string& name,
                                             const AskPassphrase& ask) {
  ERR_clear_error();
  const Pkcs12Ptr file = decode(der);
  if (file == nullptr) return refuse(name, "is no PKCS#12 file, or a malformed one");
  Reader reader(*file, name);
  if (auto read = read_without(reader); !read || *read) {
    if (!read) return pass_on(read);
    return reader.items();
  }
  if (!ask) return refuse(name, "needs a passphrase");
  auto given = ask(name);
  if (!given) return pass_on(given);
  if (reader.has_mac()) {
    auto open = reader.opens(from(given->view()));
    if (!open) return pass_on(open);
    if (!*open) return refuse(name, "has another passphrase");
  }
  if (auto read = reader.read(from(given->view())); !read) return pass_on(read);
  ERR_clear_error();
  return reader.items();
}

Result<Content> make_pkcs12(const EVP_PKEY* key, const std::vector<const X509*>& certificates,
                            const std::string& friendly_name, std::string_view passphrase) {
  const auto failed = [] {
    return fail(Error::Kind::system, "cannot make a PKCS#12 file: " + take_openssl_reason());
  };
  // OpenSSL reads all of these, but its signature is not const.
  STACK_OF(X509)* const above = sk_X509_new_null();
  for (size_t i = key != nullptr ? 1 : 0; i < certificates.size(); ++i) {
    if (above == nullptr || sk_X509_push(above, const_cast<X509*>(certificates[i])) == 0) {
      sk_X509_free(above);
      return failed();
    }
  }
  const std::string secret(passphrase);
  const Pkcs12Ptr file(PKCS12_create_ex(
      secret.c_str(), friendly_name.c_str(), const_cast<EVP_PKEY*>(key),
      key != nullptr ? const_cast<X509*>(certificates.front()) : nullptr, above, NID_aes_256_cbc,
      NID_aes_256_cbc, iterations, iterations, 0, library_context(), nullptr));
  sk_X509_free(above);
  unsigned char* der = nullptr;
  const int length = file == nullptr ? -1 : i2d_PKCS12(file.get(), &der);
  if (length < 0) return failed();
  Content content(std::vector<char>(der, der + length));
  OPENSSL_clear_free(der, static_cast<size_t>(length));
  return content;
}

}  // namespace gaiter::keyring
