// Certificates made, asked for, renewed, revoked and handed to other hosts.
#include "keyring/enrolment.h"
#include "keyring/ocsp_response.h"
#include "keyring/pending.h"
#include "keyring/renew.h"
#include "keyring/revocation.h"
#include "keyring/signer.h"
#include "keyring/verify.h"
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

NewCertificate leaf(const std::string& name, const std::string& signer = "ca") {
  NewCertificate request = request_for(name);
  request.dns_names = {name};
  request.signer = signer;
  return request;
}

// A keyring with the CA "ca" and the entry "web" that it signed.
struct House : Fresh {
  House() {
    take(create_entry(keyring, request_for("ca", true)));
    take(create_entry(keyring, leaf("web")));
  }
};

std::string pending_request(const Keyring& keyring, const std::string& label) {
  NewRequest wanted{.label = label, .common_name = label, .names = {.dns = {label}}};
  return take(to_pem(take(request_entry(keyring, wanted)).get()));
}

void a_request_waits_and_is_no_identity(void**) {
  const Fresh fresh;
  const std::string pem = pending_request(fresh.keyring, "web");
  assert_refused(fresh.keyring.identity("web"), Kind::pending, "receive");
  assert_refused(fresh.keyring.identity(""), Kind::not_found);
  assert_int_equal(take(fresh.keyring.entries()).size(), 0);
  assert_string_equal(take(to_pem(take(request_again(fresh.keyring, "web")).get())).c_str(),
                      pem.c_str());
  assert_refused(request_entry(fresh.keyring, {.label = "web", .common_name = "web", .names = {}}),
                 Kind::exists, "web");
  assert_int_equal(mode_of(fresh.path + "/web/next-key.pem"), 0600);
}

void an_answer_joins_its_key(void**) {
  const House house;
  const auto request = take(parse_request(pending_request(house.keyring, "svc"), "request"));
  const Identity ca = take(signer(house.keyring, "ca"));
  const auto days = std::chrono::days{9};
  const auto answer = take(sign_request(request.get(), ca, days, std::nullopt));
  const std::string pem = to_pem(answer.get());
  assert_refused(receive_answer(house.keyring, "web", pem, "answer", true), Kind::invalid,
                 "not for \"web\"");
  const Received received = take(receive_answer(house.keyring, "svc", pem, "answer", false));
  assert_false(received.is_next);
  assert_string_equal(take(house.keyring.identity("svc")).label.c_str(), "svc");
  assert_false(is_there(house.path + "/svc/request.pem"));
  assert_false(is_there(house.path + "/svc/next-key.pem"));
}

void malformed_requests_are_refused(void**) {
  const Fresh fresh;
  const std::string pem = pending_request(fresh.keyring, "web");
  assert_refused(parse_request("", "x"), Kind::invalid, "x");
  assert_refused(parse_request("\x30\x82", "x"), Kind::invalid, "x");
  assert_refused(parse_request(std::string(2 << 20, 'x'), "x"), Kind::invalid, "1 MiB");
  for (size_t length = 0; length < pem.size() - 1; length += 7) {
    assert_refused(parse_request(pem.substr(0, length), "x"), Kind::invalid, "x");
  }
  // Each is an error or a request that its key signed; never a crash.
  for (size_t at = 40; at < pem.size() - 40; ++at) {
    std::string bent = pem;
    bent[at] = bent[at] == 'A' ? 'B' : 'A';
    static_cast<void>(parse_request(bent, "x"));
  }
}

void a_rollover_is_one_step(void**) {
  const House house;
  assert_refused(roll_over_entry(house.keyring, "web"), Kind::invalid, "no next key");
  const Identity before = take(house.keyring.identity("web"));
  assert_non_null(
      take(rekey_entry(house.keyring, "web", KeyType::ed25519, false)).certificate.get());
  assert_int_equal(X509_cmp(take(house.keyring.identity("web")).leaf.get(), before.leaf.get()), 0);
  assert_refused(rekey_entry(house.keyring, "web", {}, false), Kind::exists, "--again");
  take(roll_over_entry(house.keyring, "web"));
  const Identity after = take(house.keyring.identity("web"));
  assert_int_equal(EVP_PKEY_get_base_id(after.key.get()), EVP_PKEY_ED25519);
  assert_string_equal(get_file(house.path + "/web/previous.pem").c_str(),
                      to_pem(before.leaf.get()).c_str());
  assert_false(is_there(house.path + "/web/next-key.pem"));
  assert_false(has_leftovers(house.path));
}

void a_revoked_certificate_is_no_good(void**) {
  const House house;
  const Entry web = take(house.keyring.entry("web"));
  take(verify_entry(house.keyring, "web", {}));
  const Revoked revoked{"01", std::chrono::sys_seconds(), "superseded", "somebody else"};
  assert_int_equal(
      crl_number(take(make_crl(house.keyring, "ca", usual_crl_life, revoked)).front().get()), 1);
  take(verify_entry(house.keyring, "web", {}));
  const auto target = take(find_signer(house.keyring, web.leaf.get()));
  assert_string_equal(target->label.c_str(), "ca");
  assert_refused(make_crl(house.keyring, "ca", usual_crl_life, revoked), Kind::exists, "already");
  assert_refused(make_crl(house.keyring, "web", usual_crl_life), Kind::invalid, "may not sign");
  assert_string_equal(
      take(make_ocsp_response(house.keyring, "web", usual_ocsp_life)).status.c_str(), "good");
  assert_false(take(house.keyring.identity("web")).ocsp_response.empty());
}

void a_ca_signs_nothing_that_those_above_it_forbid(void**) {
  const Fresh fresh;
  NewCertificate root = request_for("root", true);
  root.limits = {.path_length = 1, .permitted = {"internal"}, .excluded = {}};
  take(create_entry(fresh.keyring, root));
  NewCertificate below = request_for("below", true);
  below.signer = "root";
  take(create_entry(fresh.keyring, below));
  take(create_entry(fresh.keyring, leaf("web.internal", "below")));
  assert_refused(create_entry(fresh.keyring, leaf("web.example", "below")), Kind::invalid,
                 "name constraints", "web.example");
  NewCertificate deeper = request_for("deeper", true);
  deeper.signer = "below";
  assert_refused(create_entry(fresh.keyring, deeper), Kind::invalid, "path length");
}

void an_enrolment_carries_identity_and_trust(void**) {
  const House house;
  const Fresh other;
  const Enrolment made = take(export_enrolment(
      house.keyring, {.host = "b.internal", .more = {}, .ca = "ca", .passphrase = {}}));
  const std::string text(made.text.view());
  const Enrolled enrolled = take(import_enrolment(other.keyring, text, {}, "file"));
  assert_string_equal(enrolled.label.c_str(), "b.internal");
  assert_string_equal(take(other.keyring.default_label()).c_str(), "b.internal");
  take(verify_entry(other.keyring, "b.internal", {}));
  for (size_t length = 0; length < text.size() - 30; length += 11) {
    const Fresh fresh;
    assert_refused(import_enrolment(fresh.keyring, text.substr(0, length), {}, "file"),
                   Kind::invalid);
    assert_int_equal(take(fresh.keyring.entries()).size(), 0);
  }
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_request_waits_and_is_no_identity),
      cmocka_unit_test(an_answer_joins_its_key),
      cmocka_unit_test(malformed_requests_are_refused),
      cmocka_unit_test(a_rollover_is_one_step),
      cmocka_unit_test(a_revoked_certificate_is_no_good),
      cmocka_unit_test(a_ca_signs_nothing_that_those_above_it_forbid),
      cmocka_unit_test(an_enrolment_carries_identity_and_trust),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
