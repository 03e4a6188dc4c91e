// What TLS a service of stunnel's speaks.
#include <algorithm>
#include <tuple>

#include "cli/policy_values.h"
#include "cli/stunnel_service.h"
#include "cli/text.h"
#include "cli/tls_names.h"

namespace gaiter::cli {
namespace {

class TlsConverter {
 public:
  TlsConverter(const StunnelOptions& options, ConvertedRule& rule, Conversion& conversion)
      : options_(options), rule_(rule), conversion_(conversion) {}

  void convert() {
    convert_versions();
    convert_suites();
    convert_groups();
    convert_session();
    convert_times();
    if (options_.yes("fips")) rule_.set("profile", in_quotes("fips"));
  }

 private:
  void convert_versions() const {
    const auto limit = [&](std::string_view key, const StunnelOption& option) {
      if (option.value == "TLSv1.2" || option.value == "TLSv1.3") {
        rule_.set(key, in_quotes(option.value));
      } else if (option.value != "all") {
        conversion_.note(option.line, option.written + ": " + option.value +
                                          " is not spoken; TLS 1.2 is the oldest version "
                                          "(RFC 8996)");
      }
    };
    const auto not_spoken = [&](std::string_view version) {
      return std::ranges::any_of(options_.values("options"), [&](const StunnelOption* option) {
        return option->value == version;
      });
    };
    const StunnelOption* exactly = options_.last("sslversion");
    const StunnelOption* lowest = exactly != nullptr ? exactly : options_.last("sslversionmin");
    const StunnelOption* highest = exactly != nullptr ? exactly : options_.last("sslversionmax");
    if (lowest != nullptr)
      limit("min_version", *lowest);
    else if (not_spoken("NO_TLSv1_2"))
      rule_.set("min_version", in_quotes("TLSv1.3"));
    if (highest != nullptr)
      limit("max_version", *highest);
    else if (not_spoken("NO_TLSv1_3"))
      rule_.set("max_version", in_quotes("TLSv1.2"));
  }

  // Names of suites are kept as far as Gaiter speaks them; words such as HIGH stand
  // for whatever OpenSSL has, and so does Gaiter's default.
  void convert_suites() const {
    const StunnelOption* old = options_.last("ciphers");
    const StunnelOption* tls13 = options_.last("ciphersuites");
    std::vector<std::string> chosen;
    bool all_are_names = true;
    const auto add = [&](const StunnelOption& option, std::string_view separators) {
      for (const std::string_view word : split(option.value, separators)) {
        const std::string_view suite = suite_name(word);
        if (!suite.empty()) {
          chosen.emplace_back(suite);
        } else if (word.find('-') != std::string_view::npos && word.front() != '!' &&
                   word.front() != '-') {
          conversion_.note(option.line, option.written + ": " + std::string(word) +
                                            " is not spoken: only AEAD suites with ECDHE are");
        } else {
          all_are_names = false;
        }
      }
    };
    if (tls13 != nullptr) add(*tls13, ":");
    if (tls13 == nullptr && old != nullptr)
      chosen.assign(std::begin(tls13_suites), std::end(tls13_suites));
    const size_t of_tls13 = chosen.size();
    if (old != nullptr) add(*old, ": ,");
    if (old != nullptr && (!all_are_names || chosen.size() == of_tls13)) {
      conversion_.note(old->line,
                       old->written + ": \"" + old->value +
                           "\" stands for what OpenSSL has; Gaiter's own suites are used");
      return;
    }
    if (old == nullptr && tls13 != nullptr)
      for (const std::string_view suite : tls12_suites) chosen.emplace_back(suite);
    if (!chosen.empty()) rule_.set("suites", array_of(chosen));
  }

  void convert_groups() const {
    const StunnelOption* option =
        options_.last("curves") != nullptr ? options_.last("curves") : options_.last("curve");
    if (option == nullptr) return;
    std::vector<std::string> chosen;
    for (const std::string_view word : split(option->value, ": ,")) {
      const std::string_view group = group_name(word);
      if (group.empty())
        conversion_.note(option->line, option->written + ": " + std::string(word) +
                                           " is not a group that TLS 1.3 has");
      else
        chosen.emplace_back(group);
    }
    if (!chosen.empty()) rule_.set("groups", array_of(chosen));
  }

  void convert_session() const {
    const bool resumes = options_.last("sessionresume") == nullptr || options_.yes("sessionresume");
    std::string session;
    if (!resumes) {
      session = " cache = 0; tickets = 0;";
    } else {
      if (const StunnelOption* size = options_.last("sessioncachesize"))
        session += number("cache", *size, 1, 1'000'000);
      if (const StunnelOption* timeout = options_.last("sessioncachetimeout"))
        session += number("lifetime", *timeout, 1, 604'800);
    }
    // No tickets: here no server resumes without.
    const auto options = options_.values("options");
    if (resumes && std::ranges::any_of(options, [](const StunnelOption* one) {
          return lower_case(one->value).ends_with("no_ticket");
        }))
      session += " tickets = 0;";
    if (!session.empty()) rule_.set("session", "{" + session + " }");
  }

  void convert_times() const {
    for (const auto& [option, key, lowest] : {std::tuple{"timeoutbusy", "handshake_timeout", 1},
                                              std::tuple{"timeoutclose", "close_timeout", 0}}) {
      const StunnelOption* given = options_.last(option);
      if (given == nullptr) continue;
      if (const std::string text = number(key, *given, lowest, 600); !text.empty())
        rule_.body.push_back(text.substr(1));
    }
  }

  // " key = N;" with N kept between the bounds of Gaiter's key; "" if it is no number.
  std::string number(std::string_view key, const StunnelOption& option, long lowest,
                     long highest) const {
    const bool digits = !option.value.empty() && option.value.size() < 10 &&
                        option.value.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
      conversion_.note(option.line, option.written + ": \"" + option.value + "\" is not a number");
      return "";
    }
    const long value = std::clamp(std::stol(option.value), lowest, highest);
    return " " + std::string(key) + " = " + std::to_string(value) + ";";
  }

  const StunnelOptions& options_;
  ConvertedRule& rule_;
  Conversion& conversion_;
};

}  // namespace

void convert_stunnel_tls(const StunnelOptions& options, ConvertedRule& rule,
                         Conversion& conversion) {
  TlsConverter(options, rule, conversion).convert();
}

}  // namespace gaiter::cli
