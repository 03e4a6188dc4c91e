#include "shim/refusal.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/log.h"
#include "shim/log_sums.h"

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
    case Cause::ambiguous_name:
      return {"ambiguous_name", EKEYREJECTED};
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

EndpointText local_end(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (getsockname(fd, address, &length) != 0) return {"-"};
  return describe(address);
}

EndpointText remote_end(const sockaddr* remote) {
  return remote != nullptr ? describe(remote) : EndpointText{"-"};
}

// A value in quotes: what is in it cannot end it.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

const char* version_name(engine::Version version) {
  return version == engine::Version::tls13 ? "TLSv1.3" : "TLSv1.2";
}

// Whether such a line is to be written, or was counted.
bool is_wanted(log::Level level, const std::string& rule, const char* cause, const sockaddr* remote,
               std::string_view reason) {
  return log::wanted(level) &&
         log::is_first(level, remote, "rule=" + rule + " cause=" + cause, reason);
}

}  // namespace

int errno_of(Cause cause, bool inbound) {
  if (cause == Cause::local) return EACCES;
  return inbound ? ECONNRESET : row_of(cause).outbound;
}

void log_refused(const ActiveRule& rule, int fd, const sockaddr* remote,
                 const engine::Failure& failure) {
  if (!is_wanted(log::Level::warning, rule.rule().name, row_of(failure.cause).word, remote,
                 failure.reason)) {
    return;
  }
  log::line(log::Level::warning,
            "refused rule={} local={} remote={} cause={} errno={} reason={} advice={}",
            rule.rule().name, local_end(fd).text, remote_end(remote).text,
            row_of(failure.cause).word, strerrorname_np(errno_of(failure.cause, rule.inbound())),
            quoted(failure.reason), quoted(failure.advice));
}

void log_observed(const ActiveRule& rule, int fd, const sockaddr* remote,
                  const engine::Failure* failure) {
  if (failure == nullptr) {
    log::line(log::Level::info, "monitor rule={} local={} remote={} would=handshake",
              rule.rule().name, local_end(fd).text, remote_end(remote).text);
    return;
  }
  log::line(
      log::Level::warning,
      "monitor rule={} local={} remote={} would=refused cause={} errno={} reason={} advice={}",
      rule.rule().name, local_end(fd).text, remote_end(remote).text, row_of(failure->cause).word,
      strerrorname_np(errno_of(failure->cause, rule.inbound())), quoted(failure->reason),
      quoted(failure->advice));
}

void report_observed(ActiveRule& rule, int fd, const sockaddr* remote) {
  if (rule.tls() == policy::Tls::block) {
    return log::line(log::Level::warning,
                     "monitor rule={} local={} remote={} would=refused cause=blocked errno=EACCES "
                     "reason=\"the rule says block\"",
                     rule.rule().name, local_end(fd).text, remote_end(remote).text);
  }
  const auto context = rule.context();
  log_observed(rule, fd, remote, context ? nullptr : &context.error());
}

void log_clear(const ActiveRule& rule, int fd, const sockaddr* remote, const std::string& reason) {
  log::line(log::Level::info, "clear rule={} local={} remote={} reason={}", rule.rule().name,
            local_end(fd).text, remote_end(remote).text, quoted(reason));
}

void log_drained(const Connection& connection, int fd) {
  log::line(log::Level::info, "drained rule={} local={} remote={} reason=\"its rule has changed\"",
            connection.rule().rule().name, local_end(fd).text,
            remote_end(connection.remote()).text);
}

void log_blocked(const ActiveRule* rule, int fd, const sockaddr* remote, const char* why) {
  const std::string name = rule != nullptr ? rule->rule().name : "-";
  if (!is_wanted(log::Level::warning, name, "blocked", remote, why)) return;
  log::line(log::Level::warning,
            "refused rule={} local={} remote={} cause=blocked errno=EACCES reason={}", name,
            local_end(fd).text, remote_end(remote).text, quoted(why));
}

void log_shared(const ActiveRule* rule, int fd, const sockaddr* remote, const char* why,
                const char* advice) {
  log::line(log::Level::warning,
            "refused rule={} local={} remote={} cause=shared errno=EACCES reason={} advice={}",
            rule != nullptr ? rule->rule().name : "-", local_end(fd).text, remote_end(remote).text,
            quoted(why), quoted(advice));
}

void log_secured(const Connection& connection, int fd, const engine::Summary& summary,
                 int64_t nanoseconds) {
  if (!log::wanted(log::Level::info)) return;
  log::line(log::Level::info,
            "secured rule={} local={} remote={} version={} suite={} aead={} peer={}{} resumed={} "
            "handshake_ms={:.1f}",
            connection.rule().rule().name, local_end(fd).text, remote_end(connection.remote()).text,
            version_name(summary.version), summary.suite,
            quoted(engine::describe(summary.back_end)), quoted(summary.peer),
            summary.user.empty() ? "" : " user=" + quoted(summary.user),
            summary.resumed ? "yes" : "no", static_cast<double>(nanoseconds) / 1e6);
}

void log_in_clear(bool inbound, int fd, const sockaddr* remote, uint16_t port, bool others,
                  const char* advice) {
  log::line(log::Level::notice,
            "in_clear local={} remote={} reason=\"in clear: no rule for connections {} port {}{}\" "
            "advice={}",
            local_end(fd).text, remote_end(remote).text, inbound ? "accepted at" : "to", port,
            others ? ", and others of which no more is said" : "", quoted(advice));
}

void log_broken(const Connection& connection, int fd, const char* cause, const char* reason) {
  if (!is_wanted(log::Level::warning, connection.rule().rule().name, cause, connection.remote(),
                 reason)) {
    return;
  }
  log::line(log::Level::warning, "broken rule={} local={} remote={} cause={} reason={}",
            connection.rule().rule().name, local_end(fd).text, remote_end(connection.remote()).text,
            cause, quoted(reason));
}

void log_renegotiation(const Connection& connection, int fd) {
  constexpr const char* reason = "the peer asked for a renegotiation, which is always refused";
  if (!is_wanted(log::Level::warning, connection.rule().rule().name, "renegotiation",
                 connection.remote(), reason)) {
    return;
  }
  log::line(log::Level::warning, "renegotiation rule={} local={} remote={} reason={} advice={}",
            connection.rule().rule().name, local_end(fd).text, remote_end(connection.remote()).text,
            quoted(reason),
            quoted("the connection goes on; if the peer insists, have it ask for a certificate in "
                   "the first handshake, or use TLS 1.3"));
}

int refuse_unsupported(int error, const char* what) {
  log::line(log::Level::warning, "refused cause=unsupported errno={} reason={}",
            strerrorname_np(error), quoted(what));
  errno = error;
  return -1;
}

}  // namespace gaiter::shim
