#include "cli/at_tls_service.h"

#include <algorithm>
#include <optional>

#include "cli/policy_values.h"
#include "cli/text.h"
#include "cli/tls_names.h"

namespace gaiter::cli {
namespace {

class ActionConverter {
 public:
  ActionConverter(const AtTlsActions& actions, std::string_view direction, ConvertedRule& rule,
                  Conversion& conversion)
      : actions_(actions), direction_(direction), rule_(rule), conversion_(conversion) {}

  void convert() {
    if (actions_.is("applicationcontrolled", "on")) {
      rule_.set("tls", in_quotes("block"));
      rule_.comment(
          "BLOCKED until you decide: the program begins TLS by an ioctl, here and there in");
      rule_.comment(
          "its own protocol. Take tls = \"block\" out where its peers speak TLS at once (as");
      rule_.comment("FTP on port 990); else keep it as it is.");
      note("applicationcontrolled",
           "no program here starts TLS by an ioctl; the rule blocks until you decide");
    }
    const AtTlsStatement* role = actions_.last("handshakerole");
    const std::string word = role != nullptr ? lower_case(role->value) : "";
    if (word.empty()) conversion_.note(rule_.line, rule_.name + ": has no HandshakeRole");
    const bool server = word.empty() ? direction_ == "inbound" : word != "client";
    if (server != (direction_ == "inbound"))
      rule_.set("role", in_quotes(server ? "server" : "client"));
    convert_certificate(server);
    if (server) {
      convert_sni();
      if (word == "serverwithclientauth") convert_client_auth();
    } else {
      convert_verify();
    }
    convert_revocation(server && word != "serverwithclientauth");
    convert_versions(choose({"v3ciphersuites", "v3ciphersuites4char"}, suite_name,
                            "is not spoken: only AEAD suites with ECDHE are"));
    convert_list("groups",
                 server ? std::vector{"serverkeysharegroups", "clientecurves"}
                        : std::vector{"clientkeysharegroups", "clientecurves"},
                 group_name, "is not a group that TLS 1.3 has");
    convert_list("signatures", {"signaturepairs"}, signature_name, "is not used for TLS here");
    convert_numbers();
    const AtTlsStatement* fips = actions_.last("fips140");
    if (fips != nullptr && lower_case(fips->value) != "off")
      rule_.set("profile", in_quotes("fips"));
  }

 private:
  void note(std::string_view keyword, const std::string& text) {
    const AtTlsStatement& statement = *actions_.last(keyword);
    conversion_.note(statement.line, statement.written + " " + statement.value + ": " + text);
  }

  // ---- certificates ----

  // "DCEUSER/ring1" without what a file's name should not have.
  std::string ring() const {
    const AtTlsStatement* keyring = actions_.last("keyring");
    return keyring != nullptr ? label_from(stem(keyring->value)) : "ring";
  }

  void convert_certificate(bool server) {
    if (actions_.last("keyring") != nullptr) {
      note("keyring",
           "export its certificates as PEM (RACDCERT EXPORT, gskkyman), those of this host with "
           "their keys, and import them with the commands at the top of the policy");
    }
    std::vector<std::string> labels;
    for (const std::string_view keyword : {"servercertificatelabel", "certificatelabel"}) {
      if (!labels.empty() || (keyword == "servercertificatelabel" && !server)) continue;
      for (const AtTlsStatement* one : actions_.values(keyword))
        labels.push_back(in_quotes(identity(one->value)));
    }
    if (!labels.empty()) {
      rule_.set("certificate", labels.size() == 1 ? labels[0] : array_of_values(labels));
    } else if (server) {
      rule_.set("certificate", in_quotes(identity(ring() + "-default")));
    } else {
      rule_.comment(
          "AT-TLS shows the ring's default certificate to a server that asks for one; here");
      rule_.comment("none is shown, unless you say certificate = \"default\".");
    }
  }

  static std::string array_of_values(const std::vector<std::string>& values) {
    std::string out = "[ ";
    for (const std::string& value : values) out += (out.size() > 2 ? ", " : "") + value;
    return out + " ]";
  }

  std::string identity(std::string_view name) {
    const std::string label = label_from(name);
    return conversion_.identity_label(label + ".pem", label + ".key", label);
  }

  // A ring's CAs vouch for those who use the ring.
  void trust() {
    const std::string label = conversion_.trust_label(ring() + "-ca.pem", "ca", ring() + "-ca");
    rule_.set("trust", in_quotes(label));
  }

  void convert_sni() {
    if (!actions_.is("serverhandshakesni", "on") &&
        actions_.values("serverhandshakesnilist").empty())
      return;
    std::string entries;
    for (const AtTlsStatement* one : actions_.values("serverhandshakesnilist")) {
      const auto words = split(one->value, " \t/");
      if (words.size() < 2) {
        conversion_.note(one->line, one->written + ": expected a host and a label");
        continue;
      }
      const size_t label = static_cast<size_t>(words[1].data() - one->value.data());
      entries += " " + in_quotes(lower_case(words[0])) + " = " +
                 in_quotes(identity(trimmed(std::string_view(one->value).substr(label)))) + ";";
    }
    if (entries.empty()) return;
    rule_.set("sni", "{" + entries + " }");
    if (actions_.is("serverhandshakesnimatch", "required"))
      rule_.set("sni_unmatched", in_quotes("refuse"));
  }

  void convert_client_auth() {
    const AtTlsStatement* type = actions_.last("clientauthtype");
    const std::string level = type != nullptr ? lower_case(type->value) : "required";
    if (level == "passthru")
      return note("clientauthtype", "a certificate that nobody verifies is not asked for");
    trust();
    rule_.set("client_auth", in_quotes(level == "full" ? "optional" : "required"));
    if (level == "full") return;
    rule_.set("allow", in_quotes("any-trusted"));
    if (level == "safcheck") {
      rule_.set("map_user", "true");
      note("clientauthtype", "write the filters of RACDCERT MAP into user.map, see docs/tls.md");
    }
  }

  // AT-TLS verifies no name unless HostReferenceId says which.
  void convert_verify() {
    trust();
    const AtTlsStatement* sent = actions_.last("clienthandshakesnilist");
    const auto dns = actions_.values("hostreferenceiddns");
    const auto& names = dns.empty() ? actions_.values("hostreferenceidcn") : dns;
    if (names.size() == 1 && (sent == nullptr || sent->value == names[0]->value)) {
      rule_.set("server_name", in_quotes(names[0]->value));
      rule_.set("verify", in_quotes("full"));
      return;
    }
    if (sent != nullptr) rule_.set("server_name", in_quotes(sent->value));
    rule_.set("verify", in_quotes("chain"));
    std::vector<std::string> allowed;
    for (const AtTlsStatement* name : names) allowed.push_back("dns:" + name->value);
    if (!allowed.empty()) {
      rule_.set("allow", array_of(allowed));
    } else {
      rule_.comment(
          "As with AT-TLS, any certificate of a trusted CA will do; verify = \"full\" asks "
          "for the");
      rule_.comment("server's name too.");
    }
  }

  void convert_revocation(bool nobody_to_verify) {
    const AtTlsStatement* level = actions_.last("revocationsecuritylevel");
    if (level == nullptr) level = actions_.last("gsk_crl_security_level");
    if (level == nullptr || nobody_to_verify) return;
    rule_.set("revocation", in_quotes(lower_case(level->value) == "high" ? "hard" : "soft"));
  }

  // ---- TLS ----

  // AT-TLS speaks 1.3 only where it is on, and a version only with a suite of it.
  void convert_versions(std::vector<std::string> suites) {
    const auto is_of_tls12 = [](const std::string& suite) { return suite.contains("_WITH_"); };
    bool tls12 = !actions_.is("tlsv1.2", "off"), tls13 = actions_.is("tlsv1.3", "on");
    if (!suites.empty()) {
      tls12 = tls12 && std::ranges::any_of(suites, is_of_tls12);
      tls13 = tls13 && !std::ranges::all_of(suites, is_of_tls12);
    }
    if (!tls12 && !tls13) {
      block("it has no version in common with Gaiter, TLS 1.2 or 1.3 with a suite of that");
    } else if (!tls12) {
      rule_.set("min_version", in_quotes("TLSv1.3"));
    } else if (!tls13) {
      rule_.set("max_version", in_quotes("TLSv1.2"));
    }
    std::erase_if(suites,
                  [&](const std::string& suite) { return is_of_tls12(suite) ? !tls12 : !tls13; });
    if (!suites.empty()) rule_.set("suites", array_of(suites));
    for (const std::string_view old : {"sslv2", "sslv3", "tlsv1", "tlsv1.1"})
      if (actions_.is(old, "on")) note(old, "not spoken; TLS 1.2 is the oldest version (RFC 8996)");
  }

  // What cannot be carried over as it is must not become less.
  void block(const std::string& why) {
    if (!actions_.is("applicationcontrolled", "on")) rule_.set("tls", in_quotes("block"));
    rule_.comment("BLOCKED until you decide: " + why + ".");
    conversion_.note(rule_.line, rule_.name + ": " + why + "; the rule blocks until you decide");
  }

  void convert_list(std::string_view key, const std::vector<const char*>& keywords,
                    std::string_view (*translate)(std::string_view), const std::string& otherwise) {
    const std::vector<std::string> chosen = choose(keywords, translate, otherwise);
    if (!chosen.empty()) rule_.set(key, array_of(chosen));
  }

  // A list of names, or of codes of four characters without a blank between.
  std::vector<std::string> choose(const std::vector<const char*>& keywords,
                                  std::string_view (*translate)(std::string_view),
                                  const std::string& otherwise) {
    constexpr size_t width = 4;
    std::vector<std::string> chosen;
    for (const std::string_view keyword : keywords) {
      for (const AtTlsStatement* one : actions_.values(keyword)) {
        for (const std::string_view word : split(one->value, " \t,")) {
          for (const std::string_view name : pieces(word, width)) {
            const std::string_view ours = translate(name);
            if (ours.empty())
              conversion_.note(one->line,
                               one->written + " " + std::string(name) + ": " + otherwise);
            else if (std::ranges::find(chosen, ours) == chosen.end())
              chosen.emplace_back(ours);
          }
        }
      }
    }
    return chosen;
  }

  static std::vector<std::string_view> pieces(std::string_view word, size_t width) {
    if (word.size() % width != 0 ||
        word.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      return {word};
    }
    std::vector<std::string_view> parts;
    for (; !word.empty(); word.remove_prefix(width)) parts.push_back(word.substr(0, width));
    return parts;
  }

  void convert_numbers() {
    if (const auto seconds = number("handshaketimeout", 0, 600))
      rule_.set("handshake_timeout", std::to_string(*seconds == 0 ? 600 : *seconds));
    std::string session;
    if (const auto count = number("gsk_v3_sidcache_size", 0, 64'000))
      session += " cache = " + std::to_string(*count) + ";";
    if (const auto seconds = number("gsk_v3_session_timeout", 0, 86'400)) {
      session += *seconds == 0 ? std::string(" tickets = 0;")
                               : " lifetime = " + std::to_string(*seconds) + ";";
    }
    if (actions_.is("gsk_session_ticket_server_enable", "off") && !session.contains("tickets")) {
      session += " tickets = 0;";
    } else if (const auto count = number("gsk_session_ticket_server_count", 0, 16);
               count && !session.contains("tickets")) {
      session += " tickets = " + std::to_string(*count) + ";";
    }
    if (!session.empty()) rule_.set("session", "{" + session + " }");
    if (const auto minutes = number("resetciphertimer", 0, 1440); minutes && *minutes > 0)
      rule_.set("rekey", "{ seconds = " + std::to_string(*minutes * 60) + "; }");
  }

  std::optional<long> number(std::string_view keyword, long lowest, long highest) {
    const AtTlsStatement* given = actions_.last(keyword);
    if (given == nullptr) return std::nullopt;
    const bool digits = !given->value.empty() && given->value.size() < 10 &&
                        given->value.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
      note(keyword, "is not a number");
      return std::nullopt;
    }
    return std::clamp(std::stol(given->value), lowest, highest);
  }

  const AtTlsActions& actions_;
  std::string_view direction_;
  ConvertedRule& rule_;
  Conversion& conversion_;
};

}  // namespace

std::expected<AtTlsActions, policy::Error> AtTlsActions::of(const AtTlsFile& file,
                                                            const AtTlsStatement& rule,
                                                            const std::string& file_name) {
  constexpr std::string_view kinds[] = {"ttlsconnectionaction", "ttlsenvironmentaction",
                                        "ttlsgroupaction"};
  AtTlsActions actions;
  bool any = false;
  for (const AtTlsStatement& child : rule.body) {
    for (size_t i = 0; i < std::size(kinds); i++) {
      if (child.keyword != kinds[i] && child.keyword != std::string(kinds[i]) + "ref") continue;
      auto found = file.parameters(child);
      if (!found) return std::unexpected(found.error());
      actions.scopes_[i] = std::move(*found);
      any = true;
    }
  }
  if (any) return actions;
  return std::unexpected(policy::Error{file_name, rule.line,
                                       "TTLSRule " + rule.value + ": has no TTLSGroupActionRef"});
}

std::vector<const AtTlsStatement*> AtTlsActions::values(std::string_view keyword) const {
  for (const auto& scope : scopes_) {
    std::vector<const AtTlsStatement*> found;
    for (const AtTlsStatement* parameter : scope)
      if (parameter->keyword == keyword) found.push_back(parameter);
    if (!found.empty()) return found;
  }
  return {};
}

const AtTlsStatement* AtTlsActions::last(std::string_view keyword) const {
  const auto found = values(keyword);
  return found.empty() ? nullptr : found.back();
}

bool AtTlsActions::is(std::string_view keyword, std::string_view value) const {
  const AtTlsStatement* parameter = last(keyword);
  return parameter != nullptr && lower_case(parameter->value) == value;
}

std::vector<const AtTlsStatement*> AtTlsActions::all() const {
  std::vector<const AtTlsStatement*> parameters;
  for (const auto& scope : scopes_) parameters.insert(parameters.end(), scope.begin(), scope.end());
  return parameters;
}

void convert_at_tls_actions(const AtTlsActions& actions, std::string_view direction,
                            ConvertedRule& rule, Conversion& conversion) {
  ActionConverter(actions, direction, rule, conversion).convert();
}

}  // namespace gaiter::cli
