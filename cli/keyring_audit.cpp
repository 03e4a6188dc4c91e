#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "keyring/chain.h"
#include "keyring/files.h"
#include "keyring/format.h"
#include "keyring/identities.h"
#include "keyring/label.h"
#include "keyring/listing.h"
#include "keyring/public_key.h"
#include "keyring/withdrawn.h"

namespace gaiter::cli {
namespace {

using keyring::Entry;
using keyring::Usage;

constexpr long expires_soon_days = 30;
// What browsers and their CAs agreed on for servers.
constexpr long longest_leaf_days = 398;
constexpr long longest_ca_days = 25 * 366;
constexpr int shortest_rsa = 2048;
constexpr int shortest_curve = 256;

struct Remark {
  bool error;
  std::string label;  // "" = the keyring as a whole
  std::string message;
};

class Audit {
 public:
  explicit Audit(const keyring::Keyring& keyring) : keyring_(keyring) {}

  keyring::Result<std::vector<Remark>> run() {
    const auto listing = keyring::read_listing(keyring_);
    if (!listing) return std::unexpected(listing.error());
    for (const keyring::Unreadable& one : listing->unreadable)
      error(one.label, printable(one.error.message));
    if (auto lists = keyring_.crls())
      lists_ = *std::move(lists);
    else
      error("", printable(lists.error().message));
    for (const Entry& entry : listing->entries) look_at(entry);
    if (auto loaded = look_at_identities(listing->entries); !loaded)
      return std::unexpected(loaded.error());
    add_duplicates();
    add_namesakes();
    const auto labels = keyring_.labels();
    if (!labels) return std::unexpected(labels.error());
    look_for_loose_keys(*labels);
    look_for_what_is_ignored();
    // What concerns an entry stands together.
    std::ranges::stable_sort(remarks_, {}, &Remark::label);
    return std::move(remarks_);
  }

 private:
  void error(const std::string& label, std::string message) {
    remarks_.push_back({true, label, std::move(message)});
  }
  void warning(const std::string& label, std::string message) {
    remarks_.push_back({false, label, std::move(message)});
  }

  void look_at(const Entry& entry) {
    if (entry.connected != keyring::system_repository) {
      look_at_certificate(entry.label, entry.leaf.get(), entry.usage);
      // What it shows above its own, too: an old cross-signed root makes peers refuse it.
      for (const CertificatePtr& one : entry.chain)
        look_at_certificate(entry.label, one.get(), Usage::ca);
    }
    if (const auto withdrawn = keyring::find_withdrawn(lists_, entry.leaf.get()))
      error(entry.label,
            "its certificate " + keyring::withdrawn_text(*withdrawn) +
                (entry.has_key ? withdrawn->is_key_lost() ? ": make a new key, gaiter keyring rekey"
                                                          : ": peers refuse it"
                               : ""));
    if (std::string remark = remark_on_site(entry); !remark.empty())
      warning(entry.label, std::move(remark));
    if (!entry.connected.empty()) return;
    if (entry.usage == Usage::personal && !entry.has_key)
      error(entry.label, fmt::format("has no private key ({}): nobody can show its certificate",
                                     keyring::key_pem));
    const CertificateFacts facts = facts_of(entry.leaf.get());
    if (entry.usage == Usage::ca && X509_get0_subject_key_id(entry.leaf.get()) == nullptr)
      unmarked_[facts.subject].push_back({entry.label, facts.key_fingerprint});
    certificates_[facts.fingerprint].push_back(entry.label);
    keys_[facts.key_fingerprint].push_back(entry.label);
  }

  void look_at_certificate(const std::string& label, X509* certificate, Usage usage) {
    const CertificateFacts facts = facts_of(certificate);
    const std::string whose = fmt::format("the certificate of {} ", facts.subject);
    if (facts.expired) {
      error(label, whose + "expired on " + facts.not_after);
    } else if (facts.days_left < expires_soon_days) {
      warning(label, whose + fmt::format("expires in {} days", facts.days_left));
    }
    look_at_strength(label, whose, certificate, facts);
    if (usage != Usage::personal) return;
    if (!facts.is_ca && facts.names.empty())
      warning(label, whose + "names no host (no subjectAltName): clients refuse it as a server's");
    const long longest = facts.is_ca ? longest_ca_days : longest_leaf_days;
    if (facts.lifetime_days > longest)
      warning(label, whose + fmt::format("lives {} days, longer than {}: a stolen key stays good "
                                         "as long",
                                         facts.lifetime_days, longest));
  }

  void look_at_strength(const std::string& label, const std::string& whose, X509* certificate,
                        const CertificateFacts& facts) {
    const keyring::PublicKeyKind key = keyring::public_key_kind(X509_get_X509_PUBKEY(certificate));
    const bool rsa = key.algorithm == EVP_PKEY_RSA || key.algorithm == EVP_PKEY_RSA_PSS;
    const bool curve = key.algorithm == EVP_PKEY_EC;
    const bool edwards = key.algorithm == EVP_PKEY_ED25519 || key.algorithm == EVP_PKEY_ED448;
    if ((rsa && key.bits < shortest_rsa) || (curve && key.bits < shortest_curve) ||
        (!rsa && !curve && !edwards)) {
      error(label, whose + fmt::format("has a weak key: {}", facts.key_type));
    }
    // Nobody looks at the signature of a root.
    if (keyring::is_self_signed(certificate)) return;
    int digest = NID_undef;
    X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr);
    if (digest == NID_sha1 || digest == NID_md5 || digest == NID_md5_sha1)
      error(label, whose + fmt::format("is signed with {}, which can be forged",
                                       digest == NID_sha1 ? "SHA-1" : "MD5"));
  }

  // Keys and certificates together, as a program would load them.
  keyring::Result<void> look_at_identities(const std::vector<Entry>& entries) {
    std::vector<std::string> labels;
    for (const Entry& entry : entries)
      if (entry.has_key && entry.trusted) labels.push_back(entry.label);
    return keyring::for_each_identity(
        keyring_, labels,
        [&](const std::string& label, const keyring::Result<keyring::Identity>& identity) {
          if (!identity) return error(label, printable(identity.error().message));
          for (const keyring::Problem& problem : identity->problems)
            warning(label, printable(problem.file + ": " + problem.message));
        });
  }

  void add_duplicates() {
    std::set<std::string_view> said;
    for (const auto& [fingerprint, labels] : certificates_) {
      for (size_t i = 1; i < labels.size(); i++) {
        warning(labels[i], fmt::format("is the same certificate as {}", labels[0]));
        said.insert(labels[i]);
      }
    }
    for (const auto& [fingerprint, labels] : keys_) {
      for (size_t i = 1; i < labels.size(); i++)
        if (!said.contains(labels[i]))
          warning(labels[i], fmt::format("has the same key as {}", labels[0]));
    }
  }

  // Gaiter tries both; what is signed by one of them is refused by others that try the other one.
  void add_namesakes() {
    for (const auto& [subject, cas] : unmarked_) {
      for (size_t i = 1; i < cas.size(); i++)
        if (cas[i].key != cas[0].key)
          warning(
              cas[i].label,
              fmt::format("is a CA of the same name as {}, {}, with another key, and neither has "
                          "a key identifier: other programs try only one of them",
                          cas[0].label, subject));
    }
  }

  // Private keys where others can read them, whatever the file is called.
  void look_for_loose_keys(const std::vector<std::string>& labels) {
    const auto directory = keyring::open_directory(keyring_.path());
    if (!directory) return;  // no directory
    look_for_loose_keys("", *directory);
    for (const std::string& label : labels) {
      const auto entry = keyring::open_directory(*directory, label);
      if (entry) look_for_loose_keys(label, *entry);
    }
  }

  // What looks like an entry to a person, and is none.
  void look_for_what_is_ignored() {
    const auto directory = keyring::open_directory(keyring_.path());
    if (!directory) return;
    const auto names = keyring::list(*directory);
    if (!names) return;
    for (const std::string& name : *names) {
      struct stat status;
      if (name.starts_with('.') ||
          fstatat(directory->fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        continue;
      }
      if (S_ISLNK(status.st_mode)) {
        warning("", printable(fmt::format("\"{}\" is a symbolic link and is ignored: share an "
                                          "entry with `gaiter keyring connect`",
                                          name)));
      } else if (const auto good = keyring::check_label(name); S_ISDIR(status.st_mode) && !good) {
        warning("", printable(good.error().message + "; the directory is ignored"));
      }
    }
  }

  void look_for_loose_keys(const std::string& label, const keyring::Directory& directory) {
    const auto names = keyring::list(directory);
    if (!names) return;
    for (const std::string& name : *names) {
      struct stat status;
      if (fstatat(directory.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
          !S_ISREG(status.st_mode) || (status.st_mode & 0077) == 0) {
        continue;
      }
      const auto content = keyring::read_file(directory, name.c_str(), keyring::Guard::write);
      if (content && content->view().contains("PRIVATE KEY-----")) {
        error(label, printable(fmt::format("{} holds a private key that others can read; mend it "
                                           "with: chmod 600 {}",
                                           directory.path_of(name), directory.path_of(name))));
      }
    }
  }

  const keyring::Keyring& keyring_;
  std::vector<Remark> remarks_;
  std::vector<CrlPtr> lists_;
  std::map<std::string, std::vector<std::string>> certificates_, keys_;  // by fingerprint
  struct Authority {
    std::string label;
    std::string key;
  };
  std::map<std::string, std::vector<Authority>> unmarked_;  // without key identifiers, by subject
};

void print_remarks(const std::vector<Remark>& remarks, const std::string& path) {
  for (const Remark& remark : remarks) {
    print(fmt::format("{}: {}{}\n", remark.error ? "error" : "warning",
                      remark.label.empty() ? "" : remark.label + ": ", remark.message));
  }
  if (remarks.empty()) print(fmt::format("{}: nothing to complain of\n", path));
}

void print_json_remarks(const std::vector<Remark>& remarks, const std::string& path) {
  std::vector<Object> objects;
  for (const Remark& remark : remarks) {
    objects.push_back({{"severity", std::string(remark.error ? "error" : "warning")},
                       {"label", remark.label},
                       {"message", remark.message}});
  }
  print_json(Object{{"keyring", printable(path)}, {"findings", objects}});
}

}  // namespace

int keyring_audit(const std::string& path, bool json) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto remarks = Audit(*keyring).run();
  if (!remarks) return report(remarks.error());
  if (json)
    print_json_remarks(*remarks, keyring->path());
  else
    print_remarks(*remarks, keyring->path());
  if (std::ranges::any_of(*remarks, &Remark::error)) return exit_refused;
  return remarks->empty() ? exit_ok : exit_attention;
}

}  // namespace gaiter::cli
