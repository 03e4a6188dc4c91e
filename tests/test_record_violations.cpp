// What a damaged, forged or impossible record leads to: the alert that the RFCs
// name, and not one byte of it for the program.
#include <algorithm>
#include <random>

#include "engine/records.h"
#include "tests/record_link.h"

namespace gaiter::engine {
namespace {

void assert_failed(const Received& received, Alert alert) {
  assert_what(received, Receipt::failed);
  assert_int_equal(static_cast<int>(received.alert), static_cast<int>(alert));
  assert_true(received.reason[0] != '\0');
  assert_int_equal(received.delivered, 0);
}

void refuses_nothing_but_padding(void**) {
  for (const size_t size : {0ul, 10ul, 1100ul, 16384ul}) {
    Link link(tls13);
    link.arrive(link.sealed(ContentType{0}, Data(size)));
    assert_failed(link.receive_all(), Alert::unexpected_message);
    for (const uint8_t byte : link.leftover) assert_true(byte == 0 || byte == 0xee);
  }
}

void notices_every_flipped_bit(void**) {
  for (const Suite& suite : all_suites())
    for (const size_t size : {0ul, 40ul, 1200ul}) {
      Link link(suite);
      const ReadState fresh = link.read;
      const Data record = link.sealed_data(pattern(size));
      for (size_t i = 0; i != record.size(); ++i) {
        Data damaged = record;
        damaged[i] = static_cast<uint8_t>(damaged[i] ^ (1u << (i % 8)));
        link.read = fresh;
        link.inbox.cipher_at = link.inbox.cipher_length = 0;
        link.arrive(damaged);
        // More input, in case that the length has grown.
        if (i < record_header_length) link.arrive(Data(40000));
        const Received received = link.receive_up_to(1300);
        assert_what(received, Receipt::failed);
        if (i >= record_header_length) assert_failed(received, Alert::bad_record_mac);
        assert_int_equal(received.delivered, 0);
        for (const uint8_t byte : link.leftover) assert_true(byte == 0 || byte == 0xee);
      }
    }
}

void delivers_what_came_before_a_bad_record(void**) {
  Link link(tls13);
  Data bad = link.sealed_data(pattern(2000));
  const Data good = bad;
  bad = link.sealed_data(pattern(2000));
  bad.back() ^= 1;
  link.arrive(good + bad);
  const Received received = link.receive_all();
  assert_what(received, Receipt::failed);
  assert_int_equal(received.delivered, 2000);
  assert_equal(link.got, pattern(2000));
}

void refuses_lost_repeated_and_reordered_records(void**) {
  for (const Suite& suite : all_suites()) {
    const auto refuses = [&suite](int first, int second) {
      Link link(suite);
      const Data records[] = {link.sealed_data(pattern(9)), link.sealed_data(pattern(9, 2))};
      link.arrive(records[first] + records[second]);
      const Received received = link.receive_all();
      assert_what(received, Receipt::failed);
      assert_true(received.alert == Alert::bad_record_mac);
      assert_int_equal(received.delivered, first == 0 ? 9 : 0);
    };
    refuses(0, 0);
    refuses(1, 0);
  }
}

void refuses_bad_headers(void**) {
  const auto verdict = [](const Suite& suite, const Data& header) {
    Link link(suite);
    link.arrive(header);
    return link.receive_all();
  };
  // TLS 1.3: what is not encrypted; length over 2^14 + 1 + 16; shorter than a tag.
  for (const uint8_t type : Data{0, 19, 20, 21, 22, 24, 255})
    assert_failed(verdict(tls13, {type, 3, 3, 0, 1}), Alert::unexpected_message);
  assert_failed(verdict(tls13, {23, 3, 3, 0x40, 18}), Alert::record_overflow);
  assert_failed(verdict(tls13, {23, 3, 3, 0xff, 0xff}), Alert::record_overflow);
  assert_what(verdict(tls13, {23, 3, 3, 0x40, 17}), Receipt::need_input);
  assert_failed(verdict(tls13, {23, 3, 3, 0, 15}), Alert::bad_record_mac);
  assert_failed(verdict(tls13, {23, 3, 3, 0, 0}), Alert::bad_record_mac);
  // The version is for TLS 1.2 alone to check.
  assert_what(verdict(tls13, {23, 9, 9, 0, 99}), Receipt::need_input);
  assert_failed(verdict(tls12, {23, 3, 1, 0, 99}), Alert::protocol_version);
  assert_failed(verdict(tls12, {23, 3, 4, 0, 99}), Alert::protocol_version);
  for (const uint8_t type : Data{0, 19, 20, 24, 255})
    assert_failed(verdict(tls12, {type, 3, 3, 0, 99}), Alert::unexpected_message);
  assert_failed(verdict(tls12, {23, 3, 3, 0x40, 25}), Alert::record_overflow);
  assert_what(verdict(tls12, {23, 3, 3, 0x40, 24}), Receipt::need_input);
  assert_failed(verdict(tls12, {23, 3, 3, 0, 23}), Alert::bad_record_mac);
  const Suite chacha{Version::tls12, Cipher::chacha20_poly1305, BackEnd::openssl};
  assert_failed(verdict(chacha, {23, 3, 3, 0x40, 17}), Alert::record_overflow);
  assert_failed(verdict(chacha, {23, 3, 3, 0, 15}), Alert::bad_record_mac);
}

void refuses_too_much_plaintext(void**) {
  for (const Suite& suite : all_suites()) {
    Link link(suite);
    link.arrive(link.sealed_data(pattern(max_plaintext + 1)));
    assert_true(has_whole_record(link.inbox));
    assert_failed(link.receive_all(), Alert::record_overflow);
  }
}

void stops_at_a_flood_of_empty_records(void**) {
  for (const Suite& suite : {tls13, tls12}) {
    Link link(suite);
    for (int round = 0; round != 3; ++round) {
      for (int i = 0; i != 31; ++i) link.arrive(link.sealed_data({}));
      link.arrive(link.sealed_data({1}));
      assert_what(link.receive_all(), Receipt::need_input);
    }
    for (int i = 0; i != 40; ++i) link.arrive(link.sealed_data({}));
    const uint64_t opened = link.read.keys.sequence;
    assert_what(link.receive_all(), Receipt::idle);
    assert_int_equal(link.read.keys.sequence - opened, 32);
    assert_what(link.receive_all(), Receipt::idle);
    assert_int_equal(link.read.keys.sequence - opened, 32);
    link.read.idle_records = 0;
    assert_what(link.receive_all(), Receipt::need_input);
    assert_int_equal(link.read.keys.sequence - opened, 40);
  }
}

// Between data, too: a call opens no more of them than that.
void a_call_opens_few_records_that_bring_nothing(void**) {
  for (const bool in_place : {false, true}) {
    Link link(tls13);
    for (int i = 0; i != 100; ++i) {
      link.arrive(link.sealed_data({}));
      if (i % 2 == 0) link.arrive(link.sealed_data({1}));
    }
    int calls = 0;
    for (Received received{Receipt::idle}; received.what == Receipt::idle; ++calls) {
      const uint64_t before = link.read.keys.sequence;
      if (in_place) {
        link.read.idle_in_call = 0;
        do {
          link.inbox.plain_length = 0;
          received = open_in_place(link.read, link.inbox);
        } while (received.what == Receipt::sink_full);
      } else {
        received = link.receive_all();
      }
      assert_true(link.read.keys.sequence - before <= 32 + 17);
    }
    assert_int_equal(calls, 4);
  }
}

void never_wraps_a_sequence_number(void**) {
  for (const Suite& suite : all_suites()) {
    Link link(suite);
    link.write.keys.sequence = link.read.keys.sequence = exhausted_sequence - 1;
    link.arrive(link.sealed_data(pattern(20)));
    assert_what(link.receive_all(), Receipt::need_input);
    assert_equal(link.got, pattern(20));
    assert_int_equal(link.sealed_data(pattern(20)).size(), 0);
    uint8_t out[max_seal_overhead + 5];
    assert_int_equal(seal_alert(link.write, Alert::close_notify, out), 0);
    assert_int_equal(seal_key_update(link.write, false, out), 0);

    link.write.keys.sequence = 5;
    link.arrive(link.sealed_data(pattern(20)));
    assert_failed(link.receive_all(), Alert::internal_error);
  }
}

void survives_garbage(void**) {
  std::mt19937 random(5246);
  for (const Suite& suite : all_suites())
    for (int round = 0; round != 60; ++round) {
      Link link(suite);
      Data garbage(random() % 60'000);
      for (uint8_t& byte : garbage) byte = static_cast<uint8_t>(random());
      // Half of it with headers that look right.
      if (round % 2 == 0)
        for (size_t at = 0; at + 5 <= garbage.size();) {
          const size_t length = random() % 17000;
          std::copy_n(std::initializer_list<uint8_t>{23, 3, 3}.begin(), 3, garbage.data() + at);
          store_be16(garbage.data() + at + 3, length);
          at += 5 + length;
        }
      link.arrive(garbage);
      const Received received = round % 3 == 0 ? open_in_place(link.read, link.inbox)
                                               : link.receive_up_to(random() % 30'000);
      assert_int_equal(received.delivered, 0);
      assert_int_equal(link.inbox.plain_length, 0);
      for (const uint8_t byte : link.leftover) assert_true(byte == 0 || byte == 0xee);
    }
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(refuses_nothing_but_padding),
      cmocka_unit_test(notices_every_flipped_bit),
      cmocka_unit_test(delivers_what_came_before_a_bad_record),
      cmocka_unit_test(refuses_lost_repeated_and_reordered_records),
      cmocka_unit_test(refuses_bad_headers),
      cmocka_unit_test(refuses_too_much_plaintext),
      cmocka_unit_test(stops_at_a_flood_of_empty_records),
      cmocka_unit_test(a_call_opens_few_records_that_bring_nothing),
      cmocka_unit_test(never_wraps_a_sequence_number),
      cmocka_unit_test(survives_garbage),
  };
  return cmocka_run_group_tests_name("record_violations", tests, nullptr, nullptr);
}
