// A connection moves to a process that has not its memory.
#include <cerrno>
#include <cstring>

#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/desk.h"
#include "shim/portable.h"

namespace gaiter::shim {

// Under both locks, of an open connection that nobody is at. False: it cannot move now.
bool Connection::pack(Portable& to, PortableBytes& bytes) {
  if (state() != State::open || reading_.receiving || writing_.sending || !open_desk())
    return false;
  const Outbox waiting = outbox();
  const engine::Inbox& left = inbox();
  if (left.plain_length + left.cipher_length + waiting.length > PortableBytes::room) return false;
  to = {};
  to.rule = rule().number();
  to.read = holder().desk->state;
  if (!take_write_state(to.write)) return false;
  to.mark = holder().mark;
  to.remote = remote_;
  to.plain = left.plain_length;
  to.cipher = left.cipher_length;
  to.waiting = waiting.length;
  to.low_water = reading_.low_water;
  to.past_tickets = to.read.past_tickets;
  to.deferred = waiting.deferred;
  to.ended = reading_.ended;
  to.shut = reading_.shut;
  to.cut_off = reading_.cut_off;
  to.told = reading_.told;
  to.parted = reading_.parted;
  to.kernel_shut = reading_.kernel_shut;
  to.write_shut = writing_.shut;
  to.write_ended = writing_.ended;
  to.owes_update = writing_.owes_update;
  to.owes_refusal = writing_.owes_refusal;
  to.finish = writing_.finish;
  uint8_t* at = bytes.data.get();
  for (const auto& [from, length] : {std::pair{left.data + left.plain_at, left.plain_length},
                                     std::pair{left.data + left.cipher_at, left.cipher_length},
                                     std::pair{outbox_bytes() + waiting.at, waiting.length}}) {
    std::memcpy(at, from, length);
    at += length;
  }
  bytes.length = static_cast<size_t>(at - bytes.data.get());
  return true;
}

Connection* Connection::unpack(const Portable& from, const PortableBytes& bytes) {
  ActiveRule* const rule = live::rule_numbered(from.rule);
  if (rule == nullptr || from.plain > arena::batch_size || from.cipher > arena::batch_size ||
      from.plain + from.cipher > arena::batch_size || from.waiting > arena::batch_size ||
      bytes.length != size_t{from.plain} + from.cipher + from.waiting) {
    return nullptr;
  }
  Connection* const made = make_pending(*rule, ClearText{});
  if (made == nullptr) return nullptr;
  Reading& reading = made->reading_;
  Writing& writing = made->writing_;
  std::memcpy(&reading.state, &from.read, sizeof from.read);
  std::memcpy(&writing.state, &from.write, sizeof from.write);
  made->holder().mark = from.mark;
  made->remote_ = from.remote;
  reading.low_water = from.low_water;
  reading.past_tickets = from.past_tickets != 0;
  reading.ended = from.ended != 0;
  reading.shut = from.shut != 0;
  reading.cut_off = from.cut_off != 0;
  reading.told = from.told != 0;
  reading.parted = from.parted != 0;
  reading.kernel_shut = from.kernel_shut != 0;
  writing.shut = from.write_shut != 0;
  writing.ended = from.write_ended != 0;
  writing.owes_update = from.owes_update != 0;
  writing.owes_refusal = from.owes_refusal != 0;
  writing.finish = from.finish != 0;
  std::memcpy(arena::inbox_of(made), bytes.data.get(), from.plain + from.cipher);
  reading.left = {from.plain, from.cipher};
  made->set_outbox(bytes.data.get() + from.plain + from.cipher, from.waiting, from.deferred != 0);
  made->start_rekey_clock();
  made->advance(State::open);
  const LockGuard guard(reading.lock, false);
  if (guard.held()) made->settle_inbox();
  return made;
}

}  // namespace gaiter::shim
