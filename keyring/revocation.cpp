#include "keyring/revocation.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/extensions.h"
#include "keyring/former_keys.h"
#include "keyring/succession.h"
#include "keyring/words.h"
#include "keyring/writer.h"

namespace gaiter::keyring {
namespace {

using TimePtr = std::unique_ptr<ASN1_TIME, OpenSslDeleter<ASN1_TIME_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, OpenSslDeleter<ASN1_INTEGER_free>>;
using EntryPtr = std::unique_ptr<X509_REVOKED, OpenSslDeleter<X509_REVOKED_free>>;

struct Reason {
  std::string_view word;
  int code;
};

// RFC 5280 5.3.1. removeFromCRL is for delta lists, which Gaiter does not make.
constexpr std::array reasons{
    Reason{"unspecified", CRL_REASON_UNSPECIFIED},
    Reason{"keyCompromise", CRL_REASON_KEY_COMPROMISE},
    Reason{"cACompromise", CRL_REASON_CA_COMPROMISE},
    Reason{"affiliationChanged", CRL_REASON_AFFILIATION_CHANGED},
    Reason{"superseded", CRL_REASON_SUPERSEDED},
    Reason{"cessationOfOperation", CRL_REASON_CESSATION_OF_OPERATION},
    Reason{"certificateHold", CRL_REASON_CERTIFICATE_HOLD},
    Reason{"privilegeWithdrawn", CRL_REASON_PRIVILEGE_WITHDRAWN},
};

// Clocks of peers may lag.
constexpr std::chrono::minutes backdating{5};

std::unexpected<Error> fail_openssl() {
  return fail(Error::Kind::system, "cannot make a revocation list: " + take_openssl_reason());
}

std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<Revoked> parse_line(std::string_view line) {
  Revoked revoked;
  revoked.serial = take_word(line);
  const auto time = parse_time(take_word(line));
  revoked.reason = take_word(line);
  revoked.subject = line;
  if (!time || revoked.serial.empty() || !std::ranges::all_of(revoked.serial, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
      })) {
    return std::nullopt;
  }
  if (std::ranges::find(revocation_reasons(), revoked.reason) == revocation_reasons().end()) {
    return std::nullopt;
  }
  revoked.time = *time;
  return revoked;
}

Result<std::vector<Revoked>> parse_revoked(std::string_view text, const std::string& path) {
  std::vector<Revoked> all;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    auto revoked = parse_line(line);
    if (!revoked) {
      return fail(Error::Kind::invalid, path + ":" + std::to_string(number) +
                                            ": a line must read SERIAL TIME REASON SUBJECT: "
                                            "2F01 2026-01-31T12:00:00Z superseded CN=redis");
    }
    all.push_back(*std::move(revoked));
  }
  return all;
}

std::string print(const std::vector<Revoked>& all) {
  std::string text;
  for (const Revoked& one : all) {
    text += one.serial + " " + time_text(one.time) + " " + one.reason + " " + one.subject + "\n";
  }
  return text;
}

TimePtr make_time(std::chrono::sys_seconds time) {
  // RFC 5280 5.1.2.4: UTCTime through 2049, and GeneralizedTime after that.
  return TimePtr(ASN1_TIME_set(nullptr, time.time_since_epoch().count()));
}

bool add_line(X509_CRL* crl, const Revoked& revoked) {
  BIGNUM* number = nullptr;
  BN_hex2bn(&number, revoked.serial.c_str());
  const IntegerPtr serial(BN_to_ASN1_INTEGER(number, nullptr));
  BN_free(number);
  EntryPtr entry(X509_REVOKED_new());
  const TimePtr time = make_time(revoked.time);
  if (serial == nullptr || entry == nullptr || time == nullptr ||
      X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), time.get()) != 1) {
    return false;
  }
  if (const int reason = revocation_code(revoked.reason); reason >= 0) {
    const std::unique_ptr<ASN1_ENUMERATED, OpenSslDeleter<ASN1_ENUMERATED_free>> code(
        ASN1_ENUMERATED_new());
    if (code == nullptr || ASN1_ENUMERATED_set(code.get(), reason) != 1 ||
        X509_REVOKED_add1_ext_i2d(entry.get(), NID_crl_reason, code.get(), 0, 0) != 1) {
      return false;
    }
  }
  if (X509_CRL_add0_revoked(crl, entry.get()) != 1) return false;
  static_cast<void>(entry.release());
  return true;
}

bool add_identity(X509_CRL* crl, X509* issuer, long number) {
  const IntegerPtr value(ASN1_INTEGER_new());
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, crl, 0);
  const ExtensionPtr points_up(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid"));
  take_openssl_reason();  // an old CA may have no key identifier to point to
  return value != nullptr && ASN1_INTEGER_set(value.get(), number) == 1 &&
         X509_CRL_add1_ext_i2d(crl, NID_crl_number, value.get(), 0, 0) == 1 &&
         (points_up == nullptr || X509_CRL_add_ext(crl, points_up.get(), -1) == 1);
}

Result<CrlPtr> sign_crl(const Identity& ca, const std::vector<Revoked>& all, long number,
                        std::chrono::days lifetime) {
  CrlPtr crl(X509_CRL_new_ex(library_context(), nullptr));
  const TimePtr from = make_time(now() - backdating);
  const TimePtr until = make_time(now() + lifetime);
  if (crl == nullptr || from == nullptr || until == nullptr ||
      X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(ca.leaf.get())) != 1 ||
      X509_CRL_set1_lastUpdate(crl.get(), from.get()) != 1 ||
      X509_CRL_set1_nextUpdate(crl.get(), until.get()) != 1 ||
      !std::ranges::all_of(all, [&](const Revoked& one) { return add_line(crl.get(), one); }) ||
      X509_CRL_sort(crl.get()) != 1 || !add_identity(crl.get(), ca.leaf.get(), number) ||
      X509_CRL_sign(crl.get(), ca.key.get(), digest_for(ca.key.get())) == 0) {
    return fail_openssl();
  }
  return crl;
}

// What is in the entry's file, or nothing if there is no such file.
Result<std::string> read_optional(const Keyring& keyring, const std::string& label,
                                  const char* name) {
  auto content = read_entry_file(keyring, label, name, Guard::write);
  if (content) return std::string(content->view());
  if (content.error().kind == Error::Kind::not_found) return std::string();
  return pass_on(content);
}

bool may_sign(const Identity& ca) {
  return (X509_get_key_usage(ca.leaf.get()) & X509v3_KU_CRL_SIGN) != 0;
}

// One more than any list by this CA has.
Result<long> next_number(const Keyring& keyring, const std::string& label) {
  auto crls = read_crls(keyring.path() + "/" + label);
  if (!crls) return pass_on(crls);
  long highest = 0;
  for (const CrlPtr& crl : *crls) highest = std::max(highest, crl_number(crl.get()));
  return highest + 1;
}

// The same list by each of the signers that may.
Result<std::vector<CrlPtr>> sign_crls(const Keyring& keyring, const std::vector<Identity>& signers,
                                      const std::vector<Revoked>& all, std::chrono::days lifetime) {
  auto number = next_number(keyring, signers.front().label);
  if (!number) return pass_on(number);
  std::vector<CrlPtr> crls;
  for (const Identity& ca : signers) {
    if (!may_sign(ca)) continue;
    auto crl = sign_crl(ca, all, *number, lifetime);
    if (!crl) return pass_on(crl);
    crls.push_back(*std::move(crl));
  }
  return crls;
}

}  // namespace

const std::vector<std::string>& revocation_reasons() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all;
    for (const Reason& reason : reasons) all.emplace_back(reason.word);
    return all;
  }();
  return words;
}

int revocation_code(std::string_view reason) {
  const auto known = std::ranges::find(reasons, reason, &Reason::word);
  return known != reasons.end() && known != reasons.begin() ? known->code : -1;
}

std::string revocation_word(int code) {
  const auto known = std::ranges::find(reasons, code, &Reason::code);
  return std::string(known != reasons.end() ? known->word : reasons.front().word);
}

long crl_number(const X509_CRL* crl) {
  const IntegerPtr number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, nullptr, nullptr)));
  take_openssl_reason();
  return number != nullptr ? ASN1_INTEGER_get(number.get()) : 0;
}

Result<std::vector<Revoked>> read_revoked(const Keyring& keyring, const std::string& label) {
  auto text = read_optional(keyring, label, revoked_list);
  if (!text) return pass_on(text);
  return parse_revoked(*text, keyring.path() + "/" + label + "/" + revoked_list);
}

Result<std::string> crls_to_pem(const std::vector<CrlPtr>& crls) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  for (const CrlPtr& crl : crls) {
    if (bio == nullptr || PEM_write_bio_X509_CRL(bio.get(), crl.get()) != 1) return fail_openssl();
  }
  return std::string(contents(bio));
}

Result<std::vector<CrlPtr>> make_crl(const Keyring& keyring, const std::string& label,
                                     std::chrono::days lifetime,
                                     const std::optional<Revoked>& added) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  auto signers = list_signers(keyring, label);
  if (!signers) return pass_on(signers);
  if (!may_sign(signers->front())) {
    return fail(Error::Kind::invalid, "\"" + label + "\" may not sign revocation lists");
  }
  auto all = read_revoked(keyring, label);
  if (!all) return pass_on(all);
  if (added) {
    if (std::ranges::find(*all, added->serial, &Revoked::serial) != all->end()) {
      return fail(Error::Kind::exists, added->subject + " (serial number " + added->serial +
                                           ") is revoked already by \"" + label + "\"");
    }
    all->push_back(*added);
  }
  auto crls = sign_crls(keyring, *signers, *all, lifetime);
  if (!crls) return pass_on(crls);
  auto pem = crls_to_pem(*crls);
  if (!pem) return pass_on(pem);
  const std::string list = print(*all);
  auto written = writer->change(label, {{revoked_list, list}, {crl_pem, *pem}});
  if (!written) return pass_on(written);
  return crls;
}

Result<std::optional<std::string>> crls_after_rollover(const Keyring& keyring,
                                                       const std::string& label, Identity next) {
  const auto present = read_crls(keyring.path() + "/" + label);
  if (!present) return std::unexpected(present.error());
  if (present->empty() || !may_sign(next)) return std::nullopt;
  auto signers = list_signers(keyring, label);
  if (!signers) return pass_on(signers);
  signers->insert(signers->begin(), std::move(next));
  auto all = read_revoked(keyring, label);
  if (!all) return pass_on(all);
  auto crls = sign_crls(keyring, *signers, *all, usual_crl_life);
  if (!crls) return pass_on(crls);
  auto pem = crls_to_pem(*crls);
  if (!pem) return pass_on(pem);
  return std::optional(*std::move(pem));
}

}  // namespace gaiter::keyring
