#include "engine/record_bio.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "engine/record_state.h"

namespace gaiter::engine {
namespace {

RecordPipe& pipe_of(BIO* bio) { return *static_cast<RecordPipe*>(BIO_get_data(bio)); }

int read_record(BIO* bio, char* to, size_t capacity, size_t* length) {
  RecordPipe& pipe = pipe_of(bio);
  BIO_clear_retry_flags(bio);
  if (pipe.input.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  if (pipe.record_rest == 0) {
    const size_t body = static_cast<size_t>(pipe.input[3] << 8 | pipe.input[4]);
    pipe.record_rest = std::min(record_header_length + body, pipe.input.size());
  }
  *length = std::min(capacity, pipe.record_rest);
  std::memcpy(to, pipe.input.data(), *length);
  pipe.input = pipe.input.subspan(*length);
  pipe.record_rest -= *length;
  return 1;
}

int write_record(BIO* bio, const char* from, size_t length, size_t* written) {
  RecordPipe& pipe = pipe_of(bio);
  BIO_clear_retry_flags(bio);
  if (pipe.output != nullptr) {
    try {
      pipe.output->insert(pipe.output->end(), from, from + length);
    } catch (const std::bad_alloc&) {
      return 0;  // must not unwind through OpenSSL's frames
    }
  }
  *written = length;
  return 1;
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* method() {
  static const BIO_METHOD* const records = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "TLS records");
    if (made != nullptr) {
      BIO_meth_set_read_ex(made, read_record);
      BIO_meth_set_write_ex(made, write_record);
      BIO_meth_set_ctrl(made, control);
    }
    return made;
  }();
  return records;
}

}  // namespace

BIO* new_record_bio(RecordPipe* pipe) {
  BIO* bio = method() != nullptr ? BIO_new(method()) : nullptr;
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, pipe);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace gaiter::engine
