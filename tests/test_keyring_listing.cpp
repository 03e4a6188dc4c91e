// Listings: what they say without decoding a public key is what is so.
#include "keyring/chain.h"
#include "keyring/listing.h"
#include "keyring/pending.h"
#include "keyring/public_key.h"
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

// A root, a CA below it, and a leaf of every type, each signed by that CA.
struct House {
  Fresh fresh;

  House() {
    NewCertificate root = request_for("root", true);
    root.limits.path_length = 1;
    take(create_entry(fresh.keyring, root));
    NewCertificate below = request_for("below", true);
    below.signer = "root";
    below.key_type = KeyType::rsa_2048;
    take(create_entry(fresh.keyring, below));
    for (const std::string& type : key_type_words()) {
      NewCertificate leaf = request_for("leaf-" + type);
      leaf.key_type = *key_type(type);
      leaf.signer = "below";
      take(create_entry(fresh.keyring, leaf));
    }
  }
};

std::vector<const X509*> all_of(const std::vector<Entry>& entries) {
  std::vector<const X509*> all;
  for (const Entry& entry : entries) {
    all.push_back(entry.leaf.get());
    for (const CertificatePtr& link : entry.chain) all.push_back(link.get());
  }
  return all;
}

void a_listing_is_as_the_entries_but_for_their_keys(void**) {
  const House house;
  const auto entries = take(house.fresh.keyring.entries());
  const Listing listing = take(read_listing(house.fresh.keyring));
  assert_int_equal(listing.entries.size(), entries.size());
  assert_true(listing.requested.empty() && listing.unreadable.empty());
  const auto full = all_of(entries), bare = all_of(listing.entries);
  assert_int_equal(bare.size(), full.size());
  for (size_t i = 0; i < full.size(); ++i) {
    assert_non_null(X509_get0_pubkey(full[i]));
    assert_null(X509_get0_pubkey(bare[i]));
    assert_int_equal(X509_cmp(bare[i], full[i]), 0);
  }
  // Only while the listing was read.
  assert_non_null(X509_get0_pubkey(take(house.fresh.keyring.entry("root")).leaf.get()));
}

void a_key_is_told_from_its_encoding(void**) {
  const House house;
  for (const auto& [label, text, bits] :
       {std::tuple{"leaf-ec-p256", "EC P-256", 256}, std::tuple{"leaf-ec-p384", "EC P-384", 384},
        std::tuple{"leaf-rsa-2048", "RSA 2048", 2048},
        std::tuple{"leaf-rsa-3072", "RSA 3072", 3072},
        std::tuple{"leaf-rsa-4096", "RSA 4096", 4096}, std::tuple{"leaf-ed25519", "Ed25519", 0}}) {
    const Entry entry = take(house.fresh.keyring.entry(label));
    const X509_PUBKEY* const key = X509_get_X509_PUBKEY(entry.leaf.get());
    const PublicKeyKind kind = public_key_kind(key);
    assert_string_equal(kind.text.c_str(), text);
    assert_int_equal(kind.bits, bits);
    EVP_PKEY* const decoded = X509_get0_pubkey(entry.leaf.get());
    assert_int_equal(kind.algorithm, EVP_PKEY_get_base_id(decoded));
    assert_string_equal(key_fingerprint(key).c_str(), key_fingerprint(decoded).c_str());
  }
}

void issuers_are_found_with_and_without_keys_as_openssl_finds_them(void**) {
  const House house;
  const auto entries = take(house.fresh.keyring.entries());
  const Listing listing = take(read_listing(house.fresh.keyring));
  const auto full = all_of(entries), bare = all_of(listing.entries);
  size_t pairs = 0;
  for (size_t one = 0; one < full.size(); ++one) {
    assert_true(is_self_signed(full[one]) == is_self_signed(bare[one]));
    for (size_t other = 0; other < full.size(); ++other) {
      const bool wanted = X509_check_issued(const_cast<X509*>(full[one]),
                                            const_cast<X509*>(full[other])) == X509_V_OK;
      assert_true(issued(full[one], full[other]) == wanted);
      assert_true(issued(bare[one], bare[other]) == wanted);
      pairs += wanted;
    }
  }
  assert_true(pairs > key_type_words().size());
}

void what_is_wrong_with_one_entry_does_not_spoil_the_others(void**) {
  const Fresh fresh;
  take(create_entry(fresh.keyring, request_for("a")));
  take(create_entry(fresh.keyring, request_for("b")));
  put_file(fresh.path + "/b/certificate.pem", "nonsense");
  take(request_entry(fresh.keyring, {.label = "c", .common_name = "asked", .names = {}}));
  const Listing listing = take(read_listing(fresh.keyring));
  assert_int_equal(listing.entries.size(), 1);
  assert_string_equal(listing.entries[0].label.c_str(), "a");
  assert_int_equal(listing.unreadable.size(), 1);
  assert_string_equal(listing.unreadable[0].label.c_str(), "b");
  assert_true(listing.unreadable[0].error.message.contains("/b/certificate.pem"));
  assert_int_equal(listing.requested.size(), 1);
  assert_string_equal(listing.requested[0].label.c_str(), "c");
  assert_non_null(listing.requested[0].request.get());
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_listing_is_as_the_entries_but_for_their_keys),
      cmocka_unit_test(a_key_is_told_from_its_encoding),
      cmocka_unit_test(issuers_are_found_with_and_without_keys_as_openssl_finds_them),
      cmocka_unit_test(what_is_wrong_with_one_entry_does_not_spoil_the_others),
  };
  return cmocka_run_group_tests_name("keyring_listing", tests, nullptr, nullptr);
}
