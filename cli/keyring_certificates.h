// The verbs of `gaiter keyring` that make certificates and what belongs to them: one
// function a verb, as in cli/keyring.h. Where a number of days is 0, the usual one is
// meant; an output file "" is standard output.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keyring/extensions.h"
#include "keyring/subject_names.h"

namespace gaiter::cli {

struct CreateOptions {
  std::string common_name;      // "" = the label
  keyring::SubjectNames names;  // none: this host
  std::string key_type = "ec-p256";
  keyring::KeyPurpose purpose = keyring::KeyPurpose::both;
  int days = 0;
  std::string ca;  // "" = the keyring's own CA, made if there is none
  bool self_signed = false;
  bool make_default = false;
};
int keyring_create(const std::string& keyring, const std::string& label,
                   const CreateOptions& options);

struct CaOptions {
  std::string common_name;  // "" = the label
  std::string key_type = "ec-p256";
  keyring::CaLimits limits;
  int days = 0;
  std::string ca;  // "" = self-signed
};
int keyring_ca_create(const std::string& keyring, const std::string& label,
                      const CaOptions& options);

struct SignOptions {
  std::string request;  // file; "-" = standard input
  std::string ca;       // "" = the only CA with a key
  std::string out;
  int days = 0;
  std::optional<keyring::KeyPurpose> purpose;
};
int keyring_ca_sign(const std::string& keyring, const SignOptions& options);

struct RequestOptions {
  std::string common_name;  // "" = the label
  keyring::SubjectNames names;
  std::string key_type = "ec-p256";
  std::string out;
};
int keyring_request(const std::string& keyring, const std::string& label,
                    const RequestOptions& options);
int keyring_receive(const std::string& keyring, const std::string& label, const std::string& file,
                    bool any_ca);

int keyring_renew(const std::string& keyring, const std::string& label, int days);
int keyring_rekey(const std::string& keyring, const std::string& label, const std::string& key_type,
                  bool again);
int keyring_rollover(const std::string& keyring, const std::string& label);

// Exit codes of their own: see their help.
int keyring_needs_renewal(const std::string& keyring, const std::string& label,
                          const std::string& threshold);
int keyring_expiring(const std::string& keyring, int within, bool json);

struct RevokeOptions {
  std::string ca;      // "" = who signed it
  std::string file;    // a certificate, if no entry is meant
  std::string serial;  // hexadecimal, if neither is at hand; needs `ca`
  std::string reason = "unspecified";
};
int keyring_revoke(const std::string& keyring, const std::string& label,
                   const RevokeOptions& options);
// Takes in another CA's list.
int keyring_crl_import(const std::string& keyring, const std::string& ca, const std::string& file);
int keyring_crl(const std::string& keyring, const std::string& ca, int days,
                const std::string& out);

struct OcspOptions {
  std::string import_file;  // "" = make one
  std::string out;          // "" = keep it in the keyring only
  int days = 0;
};
int keyring_ocsp(const std::string& keyring, const std::string& label, const OcspOptions& options);

struct VerifyOptions {
  std::string role;  // "server", "client"; "" = either
  std::string name;  // "" = any
};
int keyring_verify(const std::string& keyring, const std::string& label,
                   const VerifyOptions& options, bool json);
int keyring_bundle(const std::string& keyring, const std::string& out);

struct EnrollOptions {
  std::string host;
  keyring::SubjectNames more;
  std::string ca;   // "" = the keyring's own CA, made if there is none
  std::string out;  // "" = HOST.enrolment
  int days = 0;
  int hours = 24;
  bool ask_passphrase = false;
  std::string passphrase_file;
};
int keyring_enroll_export(const std::string& keyring, const EnrollOptions& options);
int keyring_enroll_import(const std::string& keyring, const std::string& file,
                          const std::string& passphrase_file);

int keyring_ticket_keys_rotate(const std::string& keyring);

}  // namespace gaiter::cli
