// How one record meets a scattered buffer, the same for every back end: which
// bytes are copied first and which go through the cipher where they lie.
//
// `Operation` is one AEAD operation of a back end, on one record:
//   void start()                        start,
//   void update(to, from, n)            update as often as need be,
//   bool finish(tag), bool verify(tag)  and the end of a seal or an open; false = wrong tag
//   bool seal(to, from, n, tag)         a whole record in one call, where a library has one
//   bool open(to, from, n, tag)         likewise
// `to` and `from` are equal or do not overlap. A false from seal and finish means
// that the library failed and that what it wrote must not be used.
#pragma once

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "engine/aead.h"

namespace gaiter::engine {

// Up to here, copying bytes to where they are wanted together is cheaper than
// another cipher call for them (measured: a whole record of 256 bytes takes 57 ns
// and in parts 73, of 1,024 bytes equally long; OpenSSL gains by copying even more).
inline constexpr size_t copy_limit = 1024;

// The next bytes to treat alike: a piece that is worth a call of its own
// (direct), or a run of shorter ones.
struct Stretch {
  size_t length;
  bool direct;
};

// Finds the stretch at `cursor`, at most `limit` bytes, and moves past it.
inline Stretch next_stretch(IovCursor& cursor, size_t limit) {
  const size_t first = std::min(cursor.contiguous(), limit);
  if (first > copy_limit) {
    cursor.advance(first);
    return {first, true};
  }
  size_t length = 0;
  while (length != limit) {
    const size_t piece = std::min(cursor.contiguous(), limit - length);
    if (piece > copy_limit) break;
    cursor.advance(piece);
    length += piece;
  }
  return {length, false};
}

// Copies to `flat` what is not there already.
inline void gather(IovCursor& from, uint8_t* flat, size_t length) {
  while (length != 0) {
    const size_t piece = std::min(from.contiguous(), length);
    if (from.data() != flat) std::memcpy(flat, from.data(), piece);
    from.advance(piece);
    flat += piece;
    length -= piece;
  }
}

template <class Operation>
bool seal_whole(Operation& operation, uint8_t* data, size_t length, uint8_t* tag) {
  if constexpr (requires { operation.seal(data, data, length, tag); }) {
    return operation.seal(data, data, length, tag);
  } else {
    operation.start();
    operation.update(data, data, length);
    return operation.finish(tag);
  }
}

template <class Operation>
bool open_whole(Operation& operation, uint8_t* data, size_t length, const uint8_t* tag) {
  if constexpr (requires { operation.open(data, data, length, tag); }) {
    return operation.open(data, data, length, tag);
  } else {
    operation.start();
    operation.update(data, data, length);
    return operation.verify(tag);
  }
}

template <class Operation>
void seal_scattered(Operation& operation, IovCursor& plaintext, size_t length,
                    std::span<const uint8_t> trailer, uint8_t* out) {
  const size_t total = length + trailer.size();
  uint8_t* const tag = out + total;
  bool sealed;
  if (total <= copy_limit) {
    gather(plaintext, out, length);
    if (!trailer.empty()) out[length] = trailer[0];
    sealed = seal_whole(operation, out, total, tag);
  } else {
    operation.start();
    for (size_t done = 0; done != length;) {
      IovCursor here = plaintext;
      const Stretch stretch = next_stretch(plaintext, length - done);
      const uint8_t* from = here.data();
      if (!stretch.direct) {
        gather(here, out + done, stretch.length);
        from = out + done;
      }
      operation.update(out + done, from, stretch.length);
      done += stretch.length;
    }
    if (!trailer.empty()) operation.update(out + length, trailer.data(), 1);
    sealed = operation.finish(tag);
  }
  // A record that the peer will refuse, rather than one that tells anything.
  if (!sealed) OPENSSL_cleanse(out, total + aead_tag_length);
}

template <class Operation>
bool open_scattered(Operation& operation, std::span<uint8_t> text, IovCursor& sink,
                    size_t sink_length) {
  if (text.size() < aead_tag_length) return false;
  const size_t total = text.size() - aead_tag_length;
  uint8_t* const data = text.data();
  const uint8_t* const tag = data + total;

  if (total <= copy_limit || sink_length == 0) {
    if (!open_whole(operation, data, total, tag)) {
      OPENSSL_cleanse(data, total);
      return false;
    }
    sink.copy_in(data, sink_length);
    return true;
  }

  const IovCursor begin = sink;
  operation.start();
  for (size_t done = 0; done != sink_length;) {
    uint8_t* const direct = sink.data();
    const Stretch stretch = next_stretch(sink, sink_length - done);
    operation.update(stretch.direct ? direct : data + done, data + done, stretch.length);
    done += stretch.length;
  }
  if (sink_length != total) {
    operation.update(data + sink_length, data + sink_length, total - sink_length);
  }
  const bool verified = operation.verify(tag);

  // The same stretches again: short pieces get theirs only now, long ones had it.
  IovCursor replay = begin;
  for (size_t done = 0; done != sink_length;) {
    IovCursor here = replay;
    const Stretch stretch = next_stretch(replay, sink_length - done);
    if (verified && !stretch.direct) here.copy_in(data + done, stretch.length);
    if (!verified && stretch.direct) OPENSSL_cleanse(here.data(), stretch.length);
    done += stretch.length;
  }
  if (!verified) OPENSSL_cleanse(data, total);
  return verified;
}

}  // namespace gaiter::engine
