// No record is ever sealed twice under one number: what a process keeps for itself of a state
// that others can change.
#include "tests/record_link.h"

namespace gaiter::engine {
namespace {

size_t seal_some(Link& link, HighWater& mark, Data& record) {
  Data content = pattern(100);
  const iovec piece{content.data(), content.size()};
  IovCursor from(&piece, 1);
  record.resize(sealed_length(link.write, content.size()));
  return seal(link.write, mark, ContentType::application_data, from, content.size(), record.data());
}

void a_number_that_others_lowered_is_not_used_again(void**) {
  for (const Suite& suite : {tls13, tls12}) {
    Link link(suite);
    HighWater mark;
    Data record;
    const uint64_t first = link.write.keys.sequence;
    for (int i = 0; i < 3; ++i) assert_true(seal_some(link, mark, record) != 0);
    for (uint64_t number = first; number < first + 3; ++number) {
      link.write.keys.sequence = number;
      const Data before = record;
      assert_int_equal(seal_some(link, mark, record), 0);
      assert_true(record == before);
      uint8_t out[max_seal_overhead + 5];
      assert_int_equal(seal_alert(link.write, mark, Alert::close_notify, out), 0);
      assert_int_equal(seal_key_update(link.write, mark, false, out), 0);
      assert_int_equal(link.write.keys.sequence, number);
    }
    // What another holder has sealed is no harm.
    link.write.keys.sequence = first + 10;
    assert_true(seal_some(link, mark, record) != 0);
    assert_int_equal(mark.next, first + 11);
  }
}

void unsent_records_are_taken_back(void**) {
  Link link(tls13);
  HighWater mark;
  Data record;
  for (int i = 0; i < 3; ++i) seal_some(link, mark, record);
  assert_true(take_back(link.write, mark, 1));
  assert_int_equal(link.write.keys.sequence, 1);
  assert_true(seal_some(link, mark, record) != 0);
  assert_int_equal(link.write.keys.sequence, 2);
}

void they_are_not_where_others_went_on(void**) {
  Link link(tls13);
  HighWater mark, other;
  Data record;
  for (int i = 0; i < 3; ++i) seal_some(link, mark, record);
  seal_some(link, other, record);
  assert_false(take_back(link.write, mark, 1));
  assert_int_equal(link.write.keys.sequence, 4);
  // The same of another key: a KeyUpdate.
  HighWater third;
  for (int i = 0; i < 3; ++i) seal_some(link, third, record);
  uint8_t out[max_seal_overhead + 5];
  seal_key_update(link.write, other, false, out);
  assert_int_equal(link.write.keys.sequence, 0);
  assert_false(take_back(link.write, third, 5));
  // And of numbers that were never sealed.
  assert_false(take_back(link.write, other, 3));
}

void a_new_key_begins_anew(void**) {
  Link link(tls13);
  HighWater mark;
  Data record;
  for (int i = 0; i < 3; ++i) seal_some(link, mark, record);
  uint8_t out[max_seal_overhead + 5];
  assert_true(seal_key_update(link.write, mark, false, out) != 0);
  assert_int_equal(link.write.keys.sequence, 0);
  assert_true(seal_some(link, mark, record) != 0);
  assert_int_equal(mark.next, 1);
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_number_that_others_lowered_is_not_used_again),
      cmocka_unit_test(unsent_records_are_taken_back),
      cmocka_unit_test(they_are_not_where_others_went_on),
      cmocka_unit_test(a_new_key_begins_anew),
  };
  return cmocka_run_group_tests_name("high water", tests, nullptr, nullptr);
}
