#include "keyring/enrolment.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "keyring/certificate_check.h"
#include "keyring/chain.h"
#include "keyring/encrypted_key.h"
#include "keyring/errors.h"
#include "keyring/issue.h"
#include "keyring/label.h"
#include "keyring/pem.h"
#include "keyring/signer.h"
#include "keyring/words.h"
#include "keyring/writer.h"

namespace gaiter::keyring {
namespace {

constexpr std::string_view first_line = "gaiter enrolment 1\n";
constexpr std::string_view trust_mark = "\ntrusted CA:\n";
constexpr int max_ca_labels = 9;

std::unexpected<Error> refuse(const std::string& why) { return fail(Error::Kind::invalid, why); }

// Colons are not for labels, and an IPv6 address has them.
std::string label_for(std::string host) {
  std::ranges::replace(host, ':', '_');
  std::ranges::replace(host, '*', '_');
  return host;
}

// The value of the header line `NAME: value`; "" if there is none.
std::string field(std::string_view text, std::string_view name) {
  const std::string_view head = text.substr(0, text.find("-----BEGIN "));
  const std::string mark = "\n" + std::string(name) + ": ";
  const size_t at = head.find(mark);
  if (at == head.npos) return "";
  const std::string_view rest = head.substr(at + mark.size());
  return std::string(rest.substr(0, rest.find('\n')));
}

std::string head_of(const NewEnrolment& wanted, std::chrono::sys_seconds expires) {
  return std::string(first_line) +
         "SECRET: this file holds the private key of a host. Bring it there by a safe way, say\n"
         "    gaiter keyring enroll import FILE\n"
         "there, and delete it everywhere.\n"
         "host: " +
         wanted.host + "\nCA: " + wanted.ca + "\nexpires: " + time_text(expires) + "\n";
}

Result<BioPtr> key_text(const EVP_PKEY* key, std::string_view passphrase) {
  return passphrase.empty() ? key_to_pem(key) : key_to_encrypted_pem(key, passphrase);
}

// Everything of the file in one piece of memory that is wiped.
Content join(const std::vector<std::string_view>& parts) {
  size_t length = 0;
  for (const std::string_view part : parts) length += part.size();
  std::vector<char> bytes;
  bytes.reserve(length);
  for (const std::string_view part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return Content(std::move(bytes));
}

SubjectNames names_of(const NewEnrolment& wanted) {
  SubjectNames names = wanted.more;
  auto& list = address_bytes(wanted.host).empty() ? names.dns : names.ip;
  list.insert(list.begin(), wanted.host);
  return names;
}

// What the other host shall trust: all that the CA's entry holds.
Result<std::string> trusted_pem(const Keyring& keyring, const std::string& ca) {
  auto entry = keyring.entry(ca);
  if (!entry) return pass_on(entry);
  std::vector<const X509*> certificates{entry->leaf.get()};
  for (const CertificatePtr& other : entry->chain) certificates.push_back(other.get());
  return certificates_to_pem(certificates);
}

Result<void> put(Writer& writer, const std::string& label, const EntryConf& conf,
                 const std::vector<const X509*>& certificates, const EVP_PKEY* key) {
  return writer.put(label, {.conf = conf, .certificates = certificates, .key = key}, false);
}

std::vector<const X509*> borrow(const std::vector<CertificatePtr>& certificates) {
  std::vector<const X509*> borrowed;
  for (const CertificatePtr& one : certificates) borrowed.push_back(one.get());
  return borrowed;
}

// The host's own entry, as the default; or nothing at all.
Result<void> put_default(Writer& writer, const ParsedEnrolment& parsed) {
  auto conf = writer.conf();
  if (!conf) return pass_on(conf);
  auto added =
      put(writer, parsed.label, {.usage = Usage::personal, .trusted = true, .origin = "enrolled"},
          borrow(parsed.certificates), parsed.key.get());
  if (!added) return added;
  conf->default_label = parsed.label;
  auto chosen = writer.put_conf(*conf);
  if (!chosen) static_cast<void>(writer.remove(parsed.label));
  return chosen;
}

// The label under which the keyring trusts `ca`, or may: `wanted`, or the next one free.
Result<std::string> free_ca_label(const Keyring& keyring, const std::string& wanted, const X509* ca,
                                  bool& is_there) {
  for (int i = 1; i <= max_ca_labels; ++i) {
    const std::string label = i == 1 ? wanted : wanted + "-" + std::to_string(i);
    const auto entry = keyring.entry(label);
    is_there = entry && entry->usage == Usage::ca && entry->trusted &&
               X509_cmp(entry->leaf.get(), ca) == 0;
    if (is_there || (!entry && entry.error().kind == Error::Kind::not_found)) return label;
  }
  return refuse("too many CAs are called \"" + wanted + "\"; rename one of them");
}

Result<void> check_head(std::string_view text, const std::string& name) {
  if (!text.starts_with(first_line)) {
    return refuse(name + " is no enrolment; one is made with: gaiter keyring enroll export HOST");
  }
  const auto expires = parse_time(field(text, "expires"));
  if (!expires) return refuse(name + " does not say until when it is good");
  if (*expires <= now()) {
    return refuse(name + " was good until " + time_text(*expires) +
                  "; make another on the host that made it");
  }
  if (text.find(trust_mark) == text.npos) return refuse(name + " does not say whom to trust");
  return {};
}

Result<Bundle> parse_identity(std::string_view text, std::string_view passphrase,
                              const std::string& name) {
  if (!is_encrypted_enrolment(text)) return parse_bundle(text, name);
  auto key = key_from_encrypted_pem(text, passphrase, name);
  if (!key) return pass_on(key);
  // The key stands last.
  auto bundle = parse_bundle(text.substr(0, text.find(encrypted_key_mark)), name);
  if (bundle) bundle->key = *std::move(key);
  return bundle;
}

Result<void> check_all(const std::vector<CertificatePtr>& certificates, const std::string& name) {
  for (const CertificatePtr& one : certificates) {
    if (auto good = check_certificate(one.get(), name); !good) return good;
  }
  return {};
}

}  // namespace

Result<ParsedEnrolment> parse_enrolment(std::string_view text, std::string_view passphrase,
                                        const std::string& name) {
  if (auto good = check_head(text, name); !good) return pass_on(good);
  ParsedEnrolment parsed{label_for(field(text, "host")), field(text, "CA"), {}, {}, {}};
  for (const std::string& label : {parsed.label, parsed.ca_label}) {
    if (auto good = check_label(label); !good) return pass_on(good);
  }
  const size_t middle = text.find(trust_mark);
  auto identity = parse_identity(text.substr(0, middle), passphrase, name);
  if (!identity) return pass_on(identity);
  auto trusted = parse_bundle(text.substr(middle), name);
  if (!trusted) return pass_on(trusted);
  parsed.certificates = std::move(identity->certificates);
  parsed.key = std::move(identity->key);
  parsed.trusted = std::move(trusted->certificates);
  if (parsed.key == nullptr || parsed.trusted.empty() ||
      !bring_leaf_forward(parsed.certificates, parsed.key.get())) {
    return refuse(name + " was changed: its key and its certificates do not fit");
  }
  sort_chain(parsed.certificates);
  if (auto good = check_all(parsed.certificates, name); !good) return pass_on(good);
  if (auto good = check_all(parsed.trusted, name); !good) return pass_on(good);
  for (const CertificatePtr& ca : parsed.trusted) {
    if (X509_check_ca(ca.get()) != 1) return refuse(name + " was changed: it trusts what is no CA");
  }
  return parsed;
}

Result<Enrolment> export_enrolment(const Keyring& keyring, const NewEnrolment& wanted) {
  const std::string label = label_for(wanted.host);
  if (auto good = check_label(label); !good) return pass_on(good);
  const SubjectNames names = names_of(wanted);
  const NewCertificate request{.label = label,
                               .common_name = wanted.host.substr(0, max_common_name),
                               .dns_names = names.dns,
                               .ip_addresses = names.ip,
                               .lifetime = wanted.lifetime,
                               .uris = names.uris,
                               .emails = names.emails};
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  auto ca = signer(keyring, wanted.ca);
  if (!ca) return pass_on(ca);
  auto key = make_key();
  if (!key) return pass_on(key);
  auto certificate = issue(request, key->get(), &*ca);
  if (!certificate) return pass_on(certificate);
  const auto chain = shown_chain(certificate->get(), *ca);

  auto chain_text = certificates_to_pem(chain);
  if (!chain_text) return pass_on(chain_text);
  auto private_text = key_text(key->get(), wanted.passphrase);
  if (!private_text) return pass_on(private_text);
  auto trusted = trusted_pem(keyring, wanted.ca);
  if (!trusted) return pass_on(trusted);
  const auto expires = now() + wanted.good_for;
  const std::string head = head_of(wanted, expires);
  auto remembered =
      put(*writer, label,
          {.usage = Usage::site, .trusted = false, .origin = "enrolled, signed by " + wanted.ca},
          chain, nullptr);
  if (!remembered) return pass_on(remembered);
  return Enrolment{join({head, *chain_text, contents(*private_text), trust_mark, *trusted}), label,
                   expires};
}

Result<Enrolled> import_enrolment(const Keyring& keyring, std::string_view text,
                                  std::string_view passphrase, const std::string& name) {
  auto parsed = parse_enrolment(text, passphrase, name);
  if (!parsed) return pass_on(parsed);
  auto writer = Writer::lock(keyring.path(), keyring.ask());
  if (!writer) return pass_on(writer);
  bool is_there = false;
  auto ca_label = free_ca_label(keyring, parsed->ca_label, parsed->trusted.front().get(), is_there);
  if (!ca_label) return pass_on(ca_label);
  if (!is_there) {
    auto trusted =
        put(*writer, *ca_label, {.usage = Usage::ca, .trusted = true, .origin = "enrolled"},
            borrow(parsed->trusted), nullptr);
    if (!trusted) return pass_on(trusted);
  }
  auto added = put_default(*writer, *parsed);
  if (!added) {
    // Nobody is trusted for an enrolment that failed.
    if (!is_there) static_cast<void>(writer->remove(*ca_label));
    return pass_on(added);
  }
  return Enrolled{parsed->label, *ca_label};
}

bool is_encrypted_enrolment(std::string_view text) { return text.contains(encrypted_key_mark); }

}  // namespace gaiter::keyring
