// For tests of the record layer: one direction of an open connection, from the
// WriteState of one end to the ReadState and inbox of the other.
#pragma once

#include <csetjmp>
#include <cstdarg>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/key_schedule.h"
#include "engine/record_protection.h"
#include "engine/records.h"

extern "C" {
#include <cmocka.h>
}

namespace gaiter::engine {

using Data = std::vector<uint8_t>;

struct Suite {
  Version version;
  Cipher cipher;
  BackEnd back_end;
};

// Every suite with every back end that works here.
inline std::vector<Suite> all_suites() {
  std::vector<Suite> suites;
  for (const Version version : {Version::tls13, Version::tls12})
    for (const Cipher cipher :
         {Cipher::aes_128_gcm, Cipher::aes_256_gcm, Cipher::chacha20_poly1305})
      for (const BackEnd back_end : {BackEnd::openssl, BackEnd::ipsec_mb})
        if (available(back_end, cipher)) suites.push_back({version, cipher, back_end});
  return suites;
}

inline Data operator+(Data left, const Data& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// Bytes that differ from place to place.
inline Data pattern(size_t length, size_t seed = 1) {
  Data out(length);
  for (size_t i = 0; i != length; ++i)
    out[i] = static_cast<uint8_t>((i + seed) * 2654435761u >> 13);
  return out;
}

constexpr Suite tls13{Version::tls13, Cipher::aes_128_gcm, BackEnd::openssl};
constexpr Suite tls12{Version::tls12, Cipher::aes_128_gcm, BackEnd::openssl};

class Link {
 public:
  static constexpr size_t capacity = 5 * max_record_length;

  explicit Link(Suite suite, Role reader = Role::client) {
    const Hash hash = suite.cipher == Cipher::aes_256_gcm ? Hash::sha384 : Hash::sha256;
    const Data secret = pattern(48, 7);
    if (suite.version == Version::tls13) {
      derive_tls13(write.keys, suite.cipher, suite.back_end, hash, secret);
      derive_tls13(read.keys, suite.cipher, suite.back_end, hash, secret);
    } else {
      DirectionState unused;
      const std::span<const uint8_t, 48> master(secret);
      const std::span<const uint8_t, 32> random = master.first<32>();
      derive_tls12(write.keys, unused, suite.cipher, suite.back_end, hash, master, random, random);
      derive_tls12(read.keys, unused, suite.cipher, suite.back_end, hash, master, random, random);
    }
    write.key_update_at = key_update_limit(suite.version, suite.cipher);
    read.role = reader;
    inbox.data = buffer_.data();
    inbox.capacity = capacity;
  }

  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  Data sealed(ContentType type, const Data& content) {
    const iovec piece{const_cast<uint8_t*>(content.data()), content.size()};
    IovCursor from(&piece, 1);
    Data record(sealed_length(write, content.size()));
    record.resize(seal(write, type, from, content.size(), record.data()));
    return record;
  }
  Data sealed_data(const Data& content) { return sealed(ContentType::application_data, content); }

  // TLS 1.3: with `padding` zeros, of which there is at least one: they begin with
  // what seal() takes for the type.
  Data sealed_padded(ContentType type, const Data& content, size_t padding) {
    return sealed(ContentType{0}, content + Data{static_cast<uint8_t>(type)} + Data(padding - 1));
  }

  void arrive(const Data& bytes) {
    // A caller of receive() makes room by moving to the front.
    if (inbox.cipher_at + inbox.cipher_length + bytes.size() > capacity) {
      const uint32_t kept = inbox.plain_length == 0 ? inbox.cipher_at : inbox.plain_at;
      std::memmove(inbox.data, inbox.data + kept, capacity - kept);
      inbox.cipher_at -= kept;
      inbox.plain_at -= std::min(kept, inbox.plain_at);
    }
    std::memcpy(inbox.data + inbox.cipher_at + inbox.cipher_length, bytes.data(), bytes.size());
    inbox.cipher_length += static_cast<uint32_t>(bytes.size());
  }

  // Receives into one piece of `room` bytes; what was delivered is appended to `got`.
  // A call of the program's.
  Received receive_up_to(size_t room, const TicketSink& tickets = {}) {
    read.idle_in_call = 0;
    Data sink(room, 0xee);
    const iovec piece{sink.data(), sink.size()};
    IovCursor cursor(&piece, 1);
    const Received received = receive(read, inbox, cursor, tickets);
    got.insert(got.end(), sink.begin(),
               sink.begin() + static_cast<std::ptrdiff_t>(received.delivered));
    leftover.assign(sink.begin() + static_cast<std::ptrdiff_t>(received.delivered), sink.end());
    return received;
  }
  Received receive_all(const TicketSink& tickets = {}) { return receive_up_to(100'000, tickets); }

  WriteState write{};
  ReadState read{};
  Inbox inbox{};
  Data got;       // all that was delivered
  Data leftover;  // of the last sink, behind what was delivered

 private:
  Data buffer_ = Data(capacity);
};

inline void assert_equal(const Data& actual, const Data& expected) {
  assert_int_equal(actual.size(), expected.size());
  if (!actual.empty()) assert_memory_equal(actual.data(), expected.data(), expected.size());
}

inline void assert_what(const Received& received, Receipt what) {
  if (received.what == Receipt::failed && what != Receipt::failed)
    print_error("%s\n", received.reason);
  assert_int_equal(static_cast<int>(received.what), static_cast<int>(what));
}

}  // namespace gaiter::engine
