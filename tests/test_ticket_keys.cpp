// The keys of session tickets that are kept in a keyring.
#include "keyring/ticket_keys.h"

#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

const std::string name(32, '1');
const std::string seed(64, 'a');

void a_rotation_puts_a_new_key_first(void**) {
  const Fresh fresh;
  assert_refused(read_ticket_keys(fresh.path), Kind::not_found, "ticket.keys");
  const auto first = take(rotate_ticket_keys(fresh.keyring));
  assert_int_equal(first.size(), 1);
  const auto second = take(rotate_ticket_keys(fresh.keyring));
  assert_int_equal(second.size(), 2);
  assert_true(second[1].name == first[0].name && second[1].seed == first[0].seed);
  assert_true(second[0].name != first[0].name && second[0].seed != first[0].seed);
  assert_true(second[0].made >= first[0].made);

  const auto read = take(read_ticket_keys(fresh.path));
  assert_int_equal(read.size(), 2);
  assert_true(read[0].name == second[0].name && read[0].seed == second[0].seed &&
              read[0].made == second[0].made);
  assert_int_equal(mode_of(fresh.path + "/ticket.keys"), 0600);
  assert_false(has_leftovers(fresh.path));
}

void the_oldest_key_goes(void**) {
  const Fresh fresh;
  const auto first = take(rotate_ticket_keys(fresh.keyring));
  for (size_t i = 0; i < max_ticket_keys; ++i) take(rotate_ticket_keys(fresh.keyring));
  const auto keys = take(read_ticket_keys(fresh.path));
  assert_int_equal(keys.size(), max_ticket_keys);
  for (const TicketKey& key : keys) assert_true(key.name != first[0].name);
}

void a_file_written_by_hand_is_read(void**) {
  const Fresh fresh;
  put_file(fresh.path + "/ticket.keys", "# shared\n\n" + name + " " + seed + " 1700000000\n", 0600);
  const auto keys = take(read_ticket_keys(fresh.path));
  assert_int_equal(keys.size(), 1);
  assert_int_equal(keys[0].name[15], 0x11);
  assert_int_equal(keys[0].seed[31], 0xaa);
  assert_int_equal(keys[0].made.time_since_epoch().count(), 1700000000);
}

void a_file_that_is_wrong_is_refused(void**) {
  const Fresh fresh;
  const std::string path = fresh.path + "/ticket.keys";
  const std::string line = name + " " + seed + " 1\n";
  const std::string bad[] = {"x\n",
                             name + " " + seed + "\n",
                             name + " " + seed + " -1\n",
                             name + " " + seed + " 1 2\n",
                             name + " " + seed.substr(1) + " 1\n",
                             name + "  " + seed + " 1\n",
                             name + " g" + seed.substr(1) + " 1\n",
                             name.substr(2) + "+1 " + seed + " 1\n"};
  for (const std::string& text : bad) {
    put_file(path, line + text, 0600);
    assert_refused(read_ticket_keys(fresh.path), Kind::invalid, "ticket.keys:2", "NAME SEED TIME");
  }
  put_file(path, "", 0600);
  assert_refused(read_ticket_keys(fresh.path), Kind::invalid, "ticket-keys rotate");
  put_file(path, line + line + line + line, 0600);
  assert_refused(read_ticket_keys(fresh.path), Kind::invalid, "ticket.keys:4");
  put_file(path, line, 0640);
  assert_refused(read_ticket_keys(fresh.path), Kind::insecure, "chmod 600");
  assert_refused(rotate_ticket_keys(fresh.keyring), Kind::insecure, "chmod 600");
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_rotation_puts_a_new_key_first),
      cmocka_unit_test(the_oldest_key_goes),
      cmocka_unit_test(a_file_written_by_hand_is_read),
      cmocka_unit_test(a_file_that_is_wrong_is_refused),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
