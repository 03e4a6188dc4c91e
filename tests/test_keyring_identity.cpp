// What is loaded beside a key and its chain: what was missing, what a peer will not
// like, OCSP responses, CRLs; and how a change is noticed.
#include <openssl/ocsp.h>

#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

struct Family {
  Made root = make_root();
  Made middle = make(request_for("middle", true), &root);
  Made leaf = make(named("leaf"), &middle);

  static NewCertificate named(const std::string& name) {
    NewCertificate request = request_for(name);
    request.dns_names = {name + ".internal"};
    return request;
  }
};

// Whether one of the problems, of this label, has all these words.
template <class... Words>
bool tells(const std::vector<Problem>& problems, const std::string& label, Words... words) {
  return std::ranges::any_of(problems, [&](const Problem& problem) {
    const auto has = [&](const std::string& word) {
      return problem.message.contains(word) || problem.file.contains(word);
    };
    return problem.label == label && (has(words) && ...);
  });
}

void a_missing_intermediate_comes_from_the_cas(void**) {
  const Hand hand;
  const Family family;
  hand.entry("web", personal, family.leaf.certificate_pem, family.leaf.key_pem);
  const Identity alone = take(hand.open().identity("web"));
  assert_int_equal(alone.chain.size(), 0);
  assert_true(tells(alone.problems, "web", "CN=middle", "neither", "web/certificate.pem"));

  hand.entry("middle", "usage = ca\n", family.middle.certificate_pem);
  hand.entry("root", "usage = ca\n", family.root.certificate_pem);
  const Identity completed = take(hand.open().identity("web"));
  assert_int_equal(completed.chain.size(), 1);  // without the root
  assert_string_equal(common_name(completed.chain[0].get()).c_str(), "middle");
  assert_true(tells(completed.problems, "web", "CN=middle", "added"));

  // A CA that is distrusted lends nothing.
  put_file(hand.path + "/middle/entry.conf", "usage = ca\ntrust = off\n");
  assert_int_equal(take(hand.open().identity("web")).chain.size(), 0);
}

void a_good_identity_has_no_problems(void**) {
  const Hand hand;
  const Family family;
  hand.entry("web", personal, family.leaf.certificate_pem + family.middle.certificate_pem,
             family.leaf.key_pem);
  const Identity identity = take(hand.open().identity("web"));
  for (const Purpose purpose : {Purpose::server, Purpose::client}) {
    for (const Problem& problem : problems_of(identity, purpose))
      fail_msg("%s", problem.message.c_str());
  }
}

void order_and_strangers_are_noticed(void**) {
  const Hand hand;
  const Family family;
  const Made stranger = make(request_for("stranger", true));
  hand.entry("mixed", personal, family.middle.certificate_pem + family.leaf.certificate_pem,
             family.leaf.key_pem);
  hand.entry("strange", personal,
             family.leaf.certificate_pem + stranger.certificate_pem + family.middle.certificate_pem,
             family.leaf.key_pem);
  assert_true(tells(take(hand.open().identity("mixed")).problems, "mixed", "out of order"));
  assert_true(tells(take(hand.open().identity("strange")).problems, "strange", "do not belong"));
}

// `made` with one extension put or replaced, and signed again by `signer`.
Made altered(const Made& made, int nid, const char* value, const Made& signer) {
  Made result;
  result.identity.leaf.reset(X509_dup(made.identity.leaf.get()));
  X509* const leaf = result.identity.leaf.get();
  for (int at; (at = X509_get_ext_by_NID(leaf, nid, -1)) >= 0;) {
    X509_EXTENSION_free(X509_delete_ext(leaf, at));
  }
  if (value != nullptr) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    assert_non_null(extension);
    X509_add_ext(leaf, extension, -1);
    X509_EXTENSION_free(extension);
  }
  assert_true(X509_sign(leaf, signer.identity.key.get(), EVP_sha256()) > 0);
  result.certificate_pem = to_pem(leaf);
  result.key_pem = made.key_pem;
  return result;
}

void what_a_peer_will_not_like_is_said(void**) {
  const Hand hand;
  const Family family;
  const auto put = [&](const std::string& label, int nid, const char* value) {
    const Made made = altered(family.leaf, nid, value, family.middle);
    hand.entry(label, personal, made.certificate_pem + family.middle.certificate_pem, made.key_pem);
    return take(hand.open().identity(label));
  };
  const Identity client = put("client", NID_ext_key_usage, "clientAuth");
  assert_true(
      tells(problems_of(client, Purpose::server), "client", "serverAuth", "clients refuse"));
  assert_int_equal(problems_of(client, Purpose::client).size(), 0);
  const Identity server = put("server", NID_ext_key_usage, "serverAuth");
  assert_true(tells(problems_of(server, Purpose::client), "server", "clientAuth"));
  assert_int_equal(problems_of(server, Purpose::server).size(), 0);
  const Identity mute = put("mute", NID_key_usage, "critical,keyEncipherment");
  assert_true(tells(problems_of(mute, Purpose::server), "mute", "digitalSignature"));
  const Identity nameless = put("nameless", NID_subject_alt_name, nullptr);
  assert_true(tells(problems_of(nameless, Purpose::server), "nameless", "subjectAltName"));
  assert_int_equal(problems_of(nameless, Purpose::client).size(), 0);
}

void dates_are_looked_at(void**) {
  const Hand hand;
  const Family family;
  const auto put = [&](const std::string& label, long first, long last) {
    Made made;
    made.identity.leaf.reset(X509_dup(family.leaf.identity.leaf.get()));
    X509* const leaf = made.identity.leaf.get();
    X509_gmtime_adj(X509_getm_notBefore(leaf), first);
    X509_gmtime_adj(X509_getm_notAfter(leaf), last);
    X509_sign(leaf, family.middle.identity.key.get(), EVP_sha256());
    hand.entry(label, personal, to_pem(leaf) + family.middle.certificate_pem, family.leaf.key_pem);
    return problems_of(take(hand.open().identity(label)), Purpose::server);
  };
  assert_true(tells(put("old", -1000, -10), "old", "expired on 20"));
  assert_true(tells(put("new", 1000, 2000), "new", "not valid before 20"));
}

// An OCSP response of `responder` about `leaf`, good until `seconds` from now.
std::string ocsp_response(const Made& leaf, const Made& responder, long seconds) {
  OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
  OCSP_CERTID* id =
      OCSP_cert_to_id(EVP_sha256(), leaf.identity.leaf.get(), responder.identity.leaf.get());
  ASN1_TIME* from = X509_gmtime_adj(nullptr, -1000);
  ASN1_TIME* until = X509_gmtime_adj(nullptr, seconds);
  assert_non_null(
      OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, nullptr, from, until));
  assert_int_equal(OCSP_basic_sign(basic, responder.identity.leaf.get(),
                                   responder.identity.key.get(), EVP_sha256(), nullptr, 0),
                   1);
  OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  unsigned char* der = nullptr;
  const int length = i2d_OCSP_RESPONSE(response, &der);
  const std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  OCSP_RESPONSE_free(response);
  ASN1_TIME_free(until);
  ASN1_TIME_free(from);
  OCSP_CERTID_free(id);
  OCSP_BASICRESP_free(basic);
  return bytes;
}

void an_ocsp_response_is_loaded_if_it_is_of_use(void**) {
  const Hand hand;
  const Family family;
  const std::string place =
      hand.entry("web", personal, family.leaf.certificate_pem + family.middle.certificate_pem,
                 family.leaf.key_pem);
  const std::string good = ocsp_response(family.leaf, family.middle, 3600);
  const auto put = [&](const std::string& bytes, mode_t mode = 0644) {
    put_file(place + "/ocsp.der", bytes, mode);
    return take(hand.open().identity("web"));
  };
  const Identity identity = put(good);
  assert_true(std::ranges::equal(identity.ocsp_response, good, {}, {},
                                 [](char c) { return static_cast<unsigned char>(c); }));
  assert_int_equal(identity.problems.size(), 0);

  const auto useless = [&](const Identity& loaded, auto... words) {
    assert_true(loaded.ocsp_response.empty());
    assert_true(tells(loaded.problems, "web", "ocsp.der", "not stapled", words...));
  };
  useless(put(ocsp_response(family.leaf, family.middle, -10)), "run out");
  useless(put(ocsp_response(family.middle, family.root, 3600)), "another certificate");
  useless(put("nonsense"), "no OCSP response");
  useless(put(good, 0666), "changed by group or others");
}

// An empty CRL of `ca`, as PEM.
std::string crl_pem_of(const Made& ca) {
  X509_CRL* crl = X509_CRL_new();
  ASN1_TIME* now = X509_gmtime_adj(nullptr, 0);
  ASN1_TIME* next = X509_gmtime_adj(nullptr, 3600);
  X509_CRL_set_version(crl, X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca.identity.leaf.get()));
  X509_CRL_set1_lastUpdate(crl, now);
  X509_CRL_set1_nextUpdate(crl, next);
  assert_true(X509_CRL_sign(crl, ca.identity.key.get(), EVP_sha256()) > 0);
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_CRL(bio.get(), crl);
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  std::string pem(data, static_cast<size_t>(length));
  ASN1_TIME_free(next);
  ASN1_TIME_free(now);
  X509_CRL_free(crl);
  return pem;
}

void crls_of_trusted_cas_are_read(void**) {
  const Hand hand;
  const Family family;
  assert_int_equal(take(hand.open().crls()).size(), 0);
  const std::string root = hand.entry("root", "usage = ca\n", family.root.certificate_pem);
  const std::string middle = hand.entry("middle", "usage = ca\n", family.middle.certificate_pem);
  put_file(root + "/crl.pem", crl_pem_of(family.root) + crl_pem_of(family.root));
  put_file(middle + "/crl.pem", crl_pem_of(family.middle));
  assert_int_equal(take(hand.open().crls()).size(), 3);
  put_file(middle + "/entry.conf", "usage = ca\ntrust = off\n");
  assert_int_equal(take(hand.open().crls()).size(), 2);
  put_file(root + "/crl.pem", family.root.certificate_pem);
  assert_refused(hand.open().crls(), Kind::invalid, "root/crl.pem", "only CRLs");
  put_file(root + "/crl.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
  assert_refused(hand.open().crls(), Kind::invalid, "root/crl.pem", "malformed CRL");
}

void a_stamp_tells_any_change(void**) {
  const Hand hand;
  const Family family;
  const std::string web =
      hand.entry("web", personal, family.leaf.certificate_pem, family.leaf.key_pem);
  Stamp before = take(stamp(hand.path));
  assert_int_equal(take(stamp(hand.path)), before);
  const auto changed = [&](const char* what) {
    const Stamp now = take(stamp(hand.path));
    if (now == before) fail_msg("not noticed: %s", what);
    before = now;
  };
  const Keyring keyring = hand.open();
  take(set_default(keyring, "web"));
  changed("the default");
  take(create_entry(keyring, request_for("other")));
  changed("a new entry");
  take(import_entry(keyring, "other", Usage::ca, family.root.certificate_pem, true));
  changed("an entry replaced");
  put_file(web + "/entry.conf", "usage = personal\ntrust = off\n");
  changed("an entry.conf by hand");
  put_file(web + "/ocsp.der", "new");
  changed("an OCSP response");
  put_file(web + "/key.pem", family.leaf.key_pem, 0644);
  changed("a mode");
  assert_refused(stamp(hand.path + "/nothing"), Kind::not_found, "/nothing");
}

void a_path_may_name_the_user(void**) {
  assert_string_equal(take(expand_path("/etc/gaiter/keyring")).c_str(), "/etc/gaiter/keyring");
  const std::string number = std::to_string(geteuid());
  assert_string_equal(take(expand_path("/k/%U/x%%y")).c_str(), ("/k/" + number + "/x%y").c_str());
  if (geteuid() == 0) assert_string_equal(take(expand_path("/k/%u")).c_str(), "/k/root");
  assert_refused(expand_path("/k/%x"), Kind::invalid, "/k/%x", "%");
  assert_refused(expand_path("/k/%"), Kind::invalid, "/k/%");
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_missing_intermediate_comes_from_the_cas),
      cmocka_unit_test(a_good_identity_has_no_problems),
      cmocka_unit_test(order_and_strangers_are_noticed),
      cmocka_unit_test(what_a_peer_will_not_like_is_said),
      cmocka_unit_test(dates_are_looked_at),
      cmocka_unit_test(an_ocsp_response_is_loaded_if_it_is_of_use),
      cmocka_unit_test(crls_of_trusted_cas_are_read),
      cmocka_unit_test(a_stamp_tells_any_change),
      cmocka_unit_test(a_path_may_name_the_user),
  };
  return cmocka_run_group_tests_name("keyring_identity", tests, nullptr, nullptr);
}
