// Certificates and local users: the map file, which of its lines counts, and what a
// handshake makes of it.
#include "policy/user_map.h"

#include <sys/stat.h>
#include <unistd.h>

#include "engine/user_map.h"
#include "tests/handshake_fixture.h"
#include "tests/policy_folder.h"

namespace gaiter {
namespace {

using engine::Cause;
using engine::PeerPattern;

const policy::Folder& folder() {
  static const policy::Folder one;
  return one;
}

std::expected<std::vector<policy::UserFilter>, policy::Error> load(const std::string& text) {
  return policy::load_user_map(folder().write("user.map", text));
}

void lines_are_patterns_and_a_user(void**) {
  const auto filters = load(
      "# comment\n\n"
      "subject:CN=batch,O=Example Ltd   batch\n"
      "\tdns:*.apps.internal  issuer:CN=Apps CA,O=A B\tapps \r\n"
      "spiffe://prod/web web");
  assert_true(filters.has_value());
  assert_int_equal(filters->size(), 3);
  assert_string_equal((*filters)[0].user.c_str(), "batch");
  assert_int_equal((*filters)[0].patterns.size(), 1);
  assert_string_equal((*filters)[0].patterns[0].name[1].value.c_str(), "Example Ltd");
  assert_string_equal((*filters)[1].user.c_str(), "apps");
  assert_int_equal((*filters)[1].patterns.size(), 2);
  assert_string_equal((*filters)[1].patterns[1].name[1].value.c_str(), "A B");
  assert_string_equal((*filters)[2].user.c_str(), "web");
}

void mistakes_have_a_line(void**) {
  for (const char* const wrong : {"batch", "subject:CN=batch", "dns:a dns:b", "batch subject:CN=x",
                                  "ip:10.0.0 batch", "subject:XX=1 batch"}) {
    const auto filters = load("# first\n" + std::string(wrong) + "\n");
    assert_false(filters.has_value());
    assert_int_equal(filters.error().line, 2);
  }
}

void a_map_that_others_can_write_is_refused(void**) {
  const std::string path = folder().write("user.map", "dns:a root\n");
  chmod(path.c_str(), 0666);
  const auto filters = policy::load_user_map(path);
  unlink(path.c_str());
  assert_false(filters.has_value());
  assert_non_null(strstr(filters.error().message.c_str(), "chmod"));
}

void the_default_lies_beside_gaiter_conf(void**) {
  assert_string_equal(policy::default_user_map("/a/policy.d/1.conf").c_str(), "/a/user.map");
  assert_string_equal(policy::default_user_map("/a/gaiter.conf").c_str(), "/a/user.map");
  assert_string_equal(policy::default_user_map("GAITER_POLICY_TEXT").c_str(),
                      "/etc/gaiter/user.map");
}

// ---- which filter counts ----

PeerPattern subject(std::vector<PeerPattern::Attribute> pieces) {
  return {PeerPattern::Kind::subject, "pieces", std::move(pieces)};
}

PeerPattern issued_by(const char* name) {
  return {PeerPattern::Kind::issuer, name, {{"CN", name}}};
}

const engine::Issued& batch() {
  static const engine::Issued* const made = new engine::Issued(
      issue({.common_name = "batch", .names = "DNS:batch.example", .organizations = {"Example"}},
            &engine::world().ca));
  return *made;
}

void the_most_specific_counts(void**) {
  const auto map = engine::UserMap::compile({
      {{issued_by("Test CA")}, "by-issuer"},
      {{subject({{"CN", "batch"}})}, "by-subject"},
      {{subject({{"CN", "batch"}, {"O", "Example"}})}, "by-more"},
      {{subject({{"CN", "batch"}, {"O", "Example"}})}, "too-late"},
      {{{PeerPattern::Kind::dns, "other.example"}}, "by-name"},
  });
  assert_true(map.has_value());
  const auto user_of = [&map](const engine::Issued& peer) -> std::string {
    const std::string* const user = map->find(engine::PeerNames(peer.certificate.get()));
    return user == nullptr ? "" : *user;
  };
  assert_string_equal(user_of(batch()).c_str(), "by-more");
  assert_string_equal(user_of(engine::world().client).c_str(), "by-issuer");
  assert_string_equal(user_of(engine::world().stranger).c_str(), "");
}

// ---- in a handshake ----

engine::ContextRef mapping(const char* user) {
  engine::ContextSettings settings =
      engine::settings_of({.role = engine::Role::server,
                           .identity = &engine::world().server,
                           .client_auth = engine::PeerCertificate::required});
  settings.map_user = true;
  settings.user_map = {{{subject({{"CN", "batch"}})}, user}};
  settings.user_exists = policy::is_local_user;
  return engine::context(std::move(settings));
}

void a_client_must_stand_for_a_user_who_exists(void**) {
  const auto ours = mapping("root");
  for (int i = 0; i < 2; ++i) {  // the second time its chain is known already
    engine::Attempt attempt = attempt_by(ours, &batch());
    must_be(*attempt.handshake, attempt.state, engine::Handshake::State::done);
    assert_string_equal(attempt.handshake->take().summary.user.c_str(), "root");
  }
  engine::Attempt refused = attempt_by(ours, &engine::world().client);
  must_fail(*refused.handshake, refused.state, Cause::not_allowed, "no local user");
  assert_int_equal(refused.alert, SSL_AD_ACCESS_DENIED);
  refused = attempt_by(mapping("nobody-of-that-name"), &batch());
  must_fail(*refused.handshake, refused.state, Cause::not_allowed, "not in /etc/passwd");
}

}  // namespace
}  // namespace gaiter

int main() {
  using namespace gaiter;
  const CMUnitTest tests[] = {
      cmocka_unit_test(lines_are_patterns_and_a_user),
      cmocka_unit_test(mistakes_have_a_line),
      cmocka_unit_test(a_map_that_others_can_write_is_refused),
      cmocka_unit_test(the_default_lies_beside_gaiter_conf),
      cmocka_unit_test(the_most_specific_counts),
      cmocka_unit_test(a_client_must_stand_for_a_user_who_exists),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
