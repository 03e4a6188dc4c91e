// A service of stunnel's stands before a program; Gaiter is inside of it. So an
// inbound service becomes a rule for the port of the program behind it (`connect`),
// and an outbound one a rule for the port of the server, which the program now
// connects to by itself.
#include <algorithm>

#include "cli/convert.h"
#include "cli/foreign_words.h"
#include "cli/policy_values.h"
#include "cli/stunnel_service.h"
#include "cli/text.h"

namespace gaiter::cli {
namespace {

// [HOST:]PORT as stunnel writes it; an IPv6 address has more colons.
struct Endpoint {
  std::string host;
  std::string port;

  explicit Endpoint(std::string_view text) {
    const size_t colon = text.find_last_of(':');
    port = trimmed(colon == std::string_view::npos ? text : text.substr(colon + 1));
    if (colon != std::string_view::npos) host = trimmed(text.substr(0, colon));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  }
  std::string text() const { return host.empty() ? "port " + port : host + ":" + port; }
};

bool is_address(std::string_view host) {
  return host.find(':') != std::string_view::npos ||
         (!host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool is_this_host(const std::string& host) {
  return host.empty() || host == "localhost" || host == "::1" || host.starts_with("127.");
}

class Service {
 public:
  Service(const StunnelFile& file, const StunnelService& service, Conversion& conversion)
      : options_(file, service), service_(service), conversion_(conversion) {}

  bool is_client() const { return options_.yes("client"); }

  // A service that another one hands connections to, by SNI.
  bool is_secondary() const { return !is_client() && options_.last("sni") != nullptr; }

  void convert(const std::vector<Service>& all) {
    note_options();
    if (is_left_out()) return;
    ConvertedRule& rule = conversion_.add_rule(service_.name, service_.line);
    if (is_client())
      convert_outbound(rule);
    else
      convert_inbound(rule, all);
    convert_stunnel_tls(options_, rule, conversion_);
  }

  // Of a secondary service: the names that it is for, as entries of `sni`.
  std::string sni_entries(const StunnelOptions& primary) const {
    std::string out;
    for (const StunnelOption* option : options_.values("sni")) {
      const size_t colon = option->value.find(':');
      if (colon == std::string::npos ||
          trimmed(option->value.substr(0, colon)) != primary.service().name)
        continue;
      const StunnelOption* connect = options_.last("connect");
      const StunnelOption* first = primary.last("connect");
      if (connect != nullptr && first != nullptr && connect->value != first->value) {
        conversion_.note(connect->line, connect->written +
                                            ": a name chooses a certificate here, "
                                            "not another program");
      }
      const std::string_view pattern = trimmed(std::string_view(option->value).substr(colon + 1));
      if (const auto label = stunnel_identity(options_, conversion_))
        out += " " + in_quotes(lower_case(pattern)) + " = " + in_quotes(*label) + ";";
    }
    return out;
  }

  // The options of a service whose rule is another's.
  void note_options() const {
    for (const StunnelOption& option : service_.options)
      note_word(conversion_, stunnel_word(option.name), option.line, option.written, option.value);
  }

 private:
  // A service that nothing in a policy can stand for. Without a rule its program is
  // as it was: the note says that stunnel has to stay.
  bool is_left_out() const {
    const auto leave = [this](const StunnelOption& option, std::string_view why) {
      conversion_.note(option.line, "[" + service_.name + "] is left out, keep stunnel for it: " +
                                        option.written + ": " + std::string(why));
      return true;
    };
    if (const auto* protocol = options_.last("protocol"))
      return leave(*protocol, "there is no counterpart to its dialogue before TLS");
    if (const auto* psk = options_.last("psksecrets");
        psk != nullptr && (is_client() || !options_.last("cert")))
      return leave(*psk, "Gaiter authenticates by certificate alone");
    const StunnelOption* connect = options_.last("connect");
    if (connect != nullptr && connect->value.starts_with('/'))
      return leave(*connect, "Gaiter is for TCP, not for Unix sockets");
    if (connect == nullptr && (is_client() || options_.last("exec") == nullptr)) {
      conversion_.note(service_.line, "[" + service_.name +
                                          "] is left out: it has no `connect`, so there is no "
                                          "port to write a rule for");
      return true;
    }
    return false;
  }

  // ---- which connections ----

  void convert_inbound(ConvertedRule& rule, const std::vector<Service>& all) {
    rule.set("direction", in_quotes("inbound"));
    const StunnelOption* accept = options_.last("accept");
    const std::string outside = accept != nullptr ? Endpoint(accept->value).text() : "inetd's port";
    if (options_.last("connect") != nullptr) {
      set_ports(rule, "local_ports");
      const Endpoint program(options_.last("connect")->value);
      rule.comment("The program at " + program.text() +
                   " speaks TLS itself once `gaiter run` "
                   "starts it. stunnel took");
      rule.comment("connections at " + outside +
                   ": let clients use this port, or move the "
                   "program there.");
      if (!is_this_host(program.host))
        conversion_.note(
            options_.last("connect")->line,
            "connect: the program runs on " + program.host + ": that is where the rule belongs");
    } else {
      const std::string port = accept != nullptr ? Endpoint(accept->value).port : "";
      if (!port.empty()) rule.set("local_ports", port_value(port));
      rule.comment("What listens in stunnel's place starts the program, all under Gaiter:");
      rule.comment("gaiter run -- socat TCP-LISTEN:" + port + ",fork,reuseaddr " +
                   shell_word("EXEC:" + command_line()));
    }
    if (const auto label = stunnel_identity(options_, conversion_))
      rule.set("certificate", in_quotes(*label));
    std::string names;
    for (const Service& other : all)
      if (other.is_secondary()) names += other.sni_entries(options_);
    if (!names.empty()) rule.set("sni", "{" + names + " }");
    convert_stunnel_client_auth(options_, rule, conversion_);
  }

  // `exec` with `execArgs`, whose first word is the program's own name, as socat takes it.
  std::string command_line() const {
    std::string line = options_.last("exec")->value;
    const StunnelOption* arguments = options_.last("execargs");
    if (arguments != nullptr) {
      const size_t blank = arguments->value.find_first_of(" \t");
      if (blank != std::string::npos)
        line += " " + std::string(trimmed(std::string_view(arguments->value).substr(blank)));
    }
    if (line.find_first_of(",:\"'\\!()[]{}") != std::string::npos)
      conversion_.note((arguments != nullptr ? arguments : options_.last("exec"))->line,
                       "socat reads some of these signs itself: put the command into a script, and "
                       "name that behind EXEC:");
    return line;
  }

  void convert_outbound(ConvertedRule& rule) {
    rule.set("direction", in_quotes("outbound"));
    const auto servers = options_.values("connect");
    std::vector<std::string> addresses;
    std::string names;
    for (const StunnelOption* one : servers) {
      const Endpoint server(one->value);
      const bool local = is_this_host(server.host);
      if (local || is_address(server.host))
        addresses.push_back(in_quotes(local ? "loopback" : server.host));
      names += (names.empty() ? "" : ", ") + server.text();
    }
    if (addresses.size() == servers.size())
      rule.set("remote", one_or_list(addresses));
    else
      conversion_.note(servers.front()->line,
                       servers.front()->written +
                           ": the rule is for this port on every host, with this name and trust; "
                           "say remote = \"ADDRESS\" if other servers have it too");
    set_ports(rule, "remote_ports");
    const StunnelOption* accept = options_.last("accept");
    rule.comment("The program connects to " + names +
                 " by itself, under `gaiter run`, and no "
                 "longer to");
    rule.comment("stunnel at " + (accept != nullptr ? Endpoint(accept->value).text() : "inetd") +
                 ".");
    if (options_.last("cert") != nullptr)
      if (const auto label = stunnel_identity(options_, conversion_))
        rule.set("certificate", in_quotes(*label));
    convert_stunnel_verify(options_, rule, conversion_);
  }

  void set_ports(ConvertedRule& rule, std::string_view key) const {
    std::vector<std::string> ports;
    for (const StunnelOption* one : options_.values("connect")) {
      const std::string port = port_value(Endpoint(one->value).port);
      if (std::ranges::find(ports, port) == ports.end()) ports.push_back(port);
    }
    rule.set(key, one_or_list(ports));
  }

  StunnelOptions options_;
  const StunnelService& service_;
  Conversion& conversion_;
};

}  // namespace

std::expected<Conversion, policy::Error> convert_stunnel(std::string_view text,
                                                         const std::string& name) {
  auto file = parse_stunnel(text, name);
  if (!file) return std::unexpected(file.error());
  // One service without a name is what inetd starts.
  if (file->services.empty()) {
    const int line = file->global.empty() ? 1 : file->global.front().line;
    file->services.push_back({std::string(stem(name)), line, std::move(file->global)});
    file->global.clear();
  }
  Conversion conversion(name);
  const StunnelService everywhere{"", 1, file->global};
  Service(*file, everywhere, conversion).note_options();
  std::vector<Service> services;
  for (const StunnelService& service : file->services)
    services.emplace_back(*file, service, conversion);
  for (Service& service : services) {
    if (service.is_secondary())
      service.note_options();
    else
      service.convert(services);
  }
  return conversion;
}

}  // namespace gaiter::cli
