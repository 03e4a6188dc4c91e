#include "shim/refusal.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "shim/decision.h"
#include "shim/log.h"

namespace gaiter::shim {

namespace {

using engine::Cause;

struct CauseRow {
  const char* word;
  int outbound;  // errno of connect(2) and SO_ERROR
};

CauseRow row_of(Cause cause) {
  switch (cause) {
    case Cause::untrusted:
      return {"untrusted", EKEYREJECTED};
    case Cause::wrong_name:
      return {"wrong_name", EKEYREJECTED};
    case Cause::not_allowed:
      return {"not_allowed", EKEYREJECTED};
    case Cause::expired:
      return {"expired", EKEYEXPIRED};
    case Cause::revoked:
      return {"revoked", EKEYREVOKED};
    case Cause::no_certificate:
      return {"no_certificate", ENOKEY};
    case Cause::not_tls:
      return {"not_tls", EPROTO};
    case Cause::protocol:
      return {"protocol", EPROTO};
    case Cause::peer_refused:
      return {"peer_refused", EPROTO};
    case Cause::peer_closed:
      return {"peer_closed", ECONNRESET};
    case Cause::deadline:
      return {"deadline", ETIMEDOUT};
    case Cause::local:
      return {"local", EACCES};
  }
  return {"unknown", EPROTO};
}

struct EndpointText {
  char text[INET6_ADDRSTRLEN + 10];
};

EndpointText describe(const sockaddr* address) {
  EndpointText result{"-"};
  char ip[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
    snprintf(result.text, sizeof result.text, "%s:%u", ip, ntohs(v4->sin_port));
  } else if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
    snprintf(result.text, sizeof result.text, "[%s]:%u", ip, ntohs(v6->sin6_port));
  }
  return result;
}

EndpointText endpoint(int fd, int (*query)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (query(fd, address, &length) != 0) return {"-"};
  return describe(address);
}

int get_local(int fd, sockaddr* address, socklen_t* length) {
  return getsockname(fd, address, length);
}
int get_remote(int fd, sockaddr* address, socklen_t* length) {
  return getpeername(fd, address, length);
}

const char* version_name(engine::Version version) {
  return version == engine::Version::tls13 ? "TLSv1.3" : "TLSv1.2";
}

}  // namespace

int errno_of(Cause cause, bool inbound) {
  if (cause == Cause::local) return EACCES;
  return inbound ? ECONNRESET : row_of(cause).outbound;
}

void log_refused(const ActiveRule& rule, int fd, const engine::Failure& failure) {
  log::line(log::Level::warning,
            "refused rule={} local={} remote={} cause={} errno={} reason=\"{}\" advice=\"{}\"",
            rule.rule().name, endpoint(fd, get_local).text, endpoint(fd, get_remote).text,
            row_of(failure.cause).word, strerrorname_np(errno_of(failure.cause, rule.inbound())),
            failure.reason, failure.advice);
}

void log_blocked(const ActiveRule* rule, int fd, const sockaddr* remote, const char* why) {
  log::line(log::Level::warning,
            "refused rule={} local={} remote={} cause=blocked errno=EACCES reason=\"{}\"",
            rule != nullptr ? rule->rule().name.c_str() : "-", endpoint(fd, get_local).text,
            remote != nullptr ? describe(remote).text : "-", why);
}

void log_secured(const ActiveRule& rule, int fd, const engine::Summary& summary,
                 int64_t nanoseconds) {
  log::line(log::Level::info,
            "secured rule={} local={} remote={} version={} suite={} aead=\"{}\" peer=\"{}\" "
            "resumed={} handshake_ms={:.1f}",
            rule.rule().name, endpoint(fd, get_local).text, endpoint(fd, get_remote).text,
            version_name(summary.version), summary.suite, engine::describe(summary.back_end),
            summary.peer, summary.resumed ? "yes" : "no", static_cast<double>(nanoseconds) / 1e6);
}

void log_broken(const ActiveRule& rule, int fd, const char* cause, const char* reason) {
  log::line(log::Level::warning, "broken rule={} local={} remote={} cause={} reason=\"{}\"",
            rule.rule().name, endpoint(fd, get_local).text, endpoint(fd, get_remote).text, cause,
            reason);
}

}  // namespace gaiter::shim
