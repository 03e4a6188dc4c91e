#include "engine/tickets.h"

#include <utility>

#include "engine/fork_guard.h"

namespace gaiter::engine {
namespace {

uint64_t count_records(std::span<const uint8_t> bytes) {
  uint64_t count = 0;
  while (bytes.size() >= record_header_length) {
    bytes = bytes.subspan(record_header_length + static_cast<size_t>(bytes[3] << 8 | bytes[4]));
    ++count;
  }
  return count;
}

class ExpectedTickets final : public Tickets {
 public:
  explicit ExpectedTickets(std::unique_ptr<SslDriver> driver) : driver_(std::move(driver)) {}

  ~ExpectedTickets() override {
    const OpenSslStep step;
    driver_.reset();
  }

  void take(std::span<const uint8_t> record) override {
    const OpenSslStep step;
    // After a record that it could not open, OpenSSL has lost count for good.
    if (driver_ != nullptr && !driver_->take_post_handshake(record)) driver_.reset();
  }

 private:
  std::unique_ptr<SslDriver> driver_;
};

}  // namespace

uint64_t issue_tickets(SslDriver& driver, size_t count, std::vector<uint8_t>& records) {
  size_t ordered = 0;
  while (ordered != count && SSL_new_session_ticket(driver.ssl()) == 1) ++ordered;
  if (ordered == 0) return 0;
  std::span<const uint8_t> nothing;
  driver.handshake(nothing, records);
  return count_records(records);
}

std::unique_ptr<Tickets> expect_tickets(std::unique_ptr<SslDriver> driver) {
  return std::make_unique<ExpectedTickets>(std::move(driver));
}

}  // namespace gaiter::engine
