#include "shim/dns_answer.h"

#include <netinet/in.h>

#include <cstring>
#include <string_view>

namespace gaiter::shim {

namespace {

constexpr uint16_t type_a = 1, type_cname = 5, type_aaaa = 28, class_internet = 1;
constexpr size_t header_length = 12;
constexpr size_t most_aliases = 16;

struct Name {
  NameText text;
  size_t length = 0;
  std::string_view view() const { return {text, length}; }
};

// A place in a message. What goes past its end gives zeros, and makes it bad for good.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> message) : message_(message) {}

  bool good() const { return good_; }

  uint8_t byte() {
    if (at_ >= message_.size()) {
      good_ = false;
      return 0;
    }
    return message_[at_++];
  }
  uint16_t word() {
    const uint8_t high = byte();
    return static_cast<uint16_t>(high << 8 | byte());
  }
  std::span<const uint8_t> bytes(size_t length) {
    if (length > message_.size() - at_) good_ = false;
    if (!good_) return {};
    at_ += length;
    return message_.subspan(at_ - length, length);
  }
  void skip(size_t length) { bytes(length); }

  // As text, without the root's dot; compressed or not (RFC 1035 4.1.4). A name with a dot or
  // a zero inside of a label is not told from another one as text: it is bad.
  void name(Name& out) {
    out.length = 0;
    size_t at = at_;
    size_t lowest = at_;  // pointers lead back, so they end
    bool jumped = false;
    for (;;) {
      if (at >= message_.size()) return fail();
      const uint8_t length = message_[at++];
      if (length >= 0xc0) {
        if (at >= message_.size()) return fail();
        const size_t to = static_cast<size_t>(length & 0x3f) << 8 | message_[at++];
        if (!jumped) at_ = at;
        jumped = true;
        if (to >= lowest) return fail();
        at = lowest = to;
        continue;
      }
      if (length > 63 || length > message_.size() - at) return fail();
      if (length == 0) break;
      if (!add(out, message_.subspan(at, length))) return fail();
      at += length;
    }
    if (!jumped) at_ = at;
    out.text[out.length] = '\0';
  }

 private:
  void fail() { good_ = false; }

  static bool add(Name& out, std::span<const uint8_t> label) {
    if (out.length + label.size() + 1 > longest_name) return false;
    if (out.length != 0) out.text[out.length++] = '.';
    for (const uint8_t byte : label) {
      if (byte == '.' || byte == 0) return false;
      out.text[out.length++] =
          static_cast<char>(byte >= 'A' && byte <= 'Z' ? byte + 'a' - 'A' : byte);
    }
    return true;
  }

  std::span<const uint8_t> message_;
  size_t at_ = 0;
  bool good_ = true;
};

// The records of the answer section, one after another.
struct Record {
  Name owner;
  uint16_t type;
  std::span<const uint8_t> data;
  Reader at_data;
};

// Calls visit(record) until it says true; false if it never did.
template <class Visit>
bool visit(Reader reader, size_t count, Visit visit) {
  for (; count != 0; --count) {
    Record record{{}, 0, {}, reader};
    reader.name(record.owner);
    record.type = reader.word();
    const uint16_t class_of_it = reader.word();
    reader.skip(4);  // its time to live: a program may keep it for longer
    const uint16_t length = reader.word();
    record.at_data = reader;
    record.data = reader.bytes(length);
    if (!reader.good()) return false;
    if (class_of_it == class_internet && visit(record)) return true;
  }
  return false;
}

bool take_host(const Record& record, HostBytes& host) {
  if (record.type == type_aaaa && record.data.size() == 16) {
    std::memcpy(host.data(), record.data.data(), 16);
    return true;
  }
  if (record.type != type_a || record.data.size() != 4) return false;
  host = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::memcpy(host.data() + 12, record.data.data(), 4);
  return true;
}

}  // namespace

bool read_dns_answer(std::span<const uint8_t> message, DnsAnswer& answer) {
  if (message.size() < header_length) return false;
  Reader reader(message);
  reader.skip(2);
  const uint16_t flags = reader.word();
  const uint16_t questions = reader.word(), answers = reader.word();
  reader.skip(4);
  const bool is_answer = (flags & 0x8000) != 0, is_query = (flags & 0x7800) == 0;
  if (!is_answer || !is_query || (flags & 0xf) != 0 || questions != 1) return false;
  Name asked;
  reader.name(asked);
  reader.skip(2);
  if (reader.word() != class_internet || !reader.good() || asked.length == 0) return false;

  Name current = asked;
  for (size_t i = 0; i < most_aliases; ++i) {
    const bool more = visit(reader, answers, [&](Record& record) {
      if (record.type != type_cname || record.owner.view() != current.view()) return false;
      Name target;
      record.at_data.name(target);
      if (!record.at_data.good()) return false;
      current = target;
      return true;
    });
    if (!more) break;
  }
  answer.host_count = 0;
  visit(reader, answers, [&](const Record& record) {
    if (record.owner.view() == current.view() && take_host(record, answer.hosts[answer.host_count]))
      ++answer.host_count;
    return answer.host_count == DnsAnswer::most_hosts;
  });
  std::memcpy(answer.name, asked.text, asked.length + 1);
  return answer.host_count != 0;
}

sockaddr_storage address_of(const HostBytes& host) {
  sockaddr_storage storage{};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  std::memcpy(&v6.sin6_addr, host.data(), host.size());
  return storage;
}

}  // namespace gaiter::shim
