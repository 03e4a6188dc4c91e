// A BIO between an SSL object and memory: reads records from a caller's buffer,
// appends what is written to a caller's vector; copies nothing in between.
//
// A read never crosses the end of a record, so that OpenSSL cannot take in a
// byte of a record that it did not ask for.
#pragma once

#include <openssl/bio.h>

#include <cstdint>
#include <span>
#include <vector>

namespace gaiter::engine {

struct RecordPipe {
  std::span<const uint8_t> input;          // whole records; its front moves as they are read
  size_t record_rest = 0;                  // of the record at the front, what is still unread
  std::vector<uint8_t>* output = nullptr;  // null: what is written is dropped
};

// `pipe` must outlive the BIO. Null without memory.
BIO* new_record_bio(RecordPipe* pipe);

}  // namespace gaiter::engine
