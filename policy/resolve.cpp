// What the settings of a rule mean together: profiles, defaults of the TLS role,
// and contradictions.
#include <algorithm>

#include "policy/section.h"
#include "policy/suites.h"
#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

class Resolver {
 public:
  Resolver(Rule& rule, int file, const Layer& base, const Report& report)
      : rule_(rule), settings_(rule.settings), file_(file), base_(base), report_(report) {}

  void run() {
    apply_profile();
    choose_certificate();
    check_exception();
    if (!may_protect(settings_)) return;  // nothing below is ever used
    check_versions();
    check_suites();
    if (server_) {
      check_clients();
    } else {
      check_server();
    }
  }

 private:
  Origin& origin(Setting setting) { return rule_.origins[static_cast<size_t>(setting)]; }

  bool is_said(Setting setting) { return origin(setting).file >= 0; }

  // Whether the rule says so itself, rather than `defaults`.
  bool is_own(Setting setting) {
    return is_said(setting) && origin(setting) != base_.origins[static_cast<size_t>(setting)];
  }

  // Where the rule, or the setting if it was said, is written.
  void wrong(Setting setting, const std::string& message) {
    const Origin at = origin(setting);
    report_.add(at.file < 0 ? file_ : at.file, at.file < 0 ? rule_.line : at.line, message);
  }

  // A setting that does not fit the profile: what is nearer to the rule wins, and
  // of equals neither does. False if the setting is to be the profile's.
  bool keeps_own(Setting setting, const std::string& message) {
    if (!is_said(setting)) return false;
    if (is_own(Setting::profile) && !is_own(setting)) return false;
    if (is_own(setting) && !is_own(Setting::profile) && settings_.profile != Profile::fips)
      return true;
    wrong(setting, message);
    return true;
  }

  void apply_profile() {
    const std::string name = "profile is " + quote(to_string(settings_.profile));
    if (settings_.profile == Profile::modern && settings_.min_version == Version::tls12 &&
        !keeps_own(Setting::min_version, "min_version = \"TLSv1.2\": " + name +
                                             ", which is TLS 1.3 only; leave one of the two out")) {
      settings_.min_version = Version::tls13;
      origin(Setting::min_version) = origin(Setting::profile);
    }
    if (settings_.profile != Profile::fips) return;
    const auto approve = [&](Setting setting, auto& list, auto approved, auto is_approved,
                             auto name_of) {
      const auto odd = std::ranges::find_if_not(list, is_approved, name_of);
      if (odd != list.end() &&
          keeps_own(setting, quote(name_of(*odd)) + ": " + name + ", which does not approve it"))
        return;
      if (odd == list.end() && !list.empty()) return;
      list = approved;
      origin(setting) = origin(Setting::profile);
    };
    const auto same = [](const std::string& text) -> const std::string& { return text; };
    approve(
        Setting::suites, settings_.suites, fips_suites(),
        [](const std::string& suite) { return find_suite(suite)->fips; }, same);
    approve(Setting::groups, settings_.groups, fips_groups(), is_fips_group,
            [](const Group& group) -> const std::string& { return group.name; });
    approve(Setting::signatures, settings_.signatures, fips_signatures(), is_fips_signature, same);
  }

  // "" and silence are the side's own default.
  void choose_certificate() {
    if (!server_ || !settings_.certificates.empty()) return;
    settings_.certificates = {""};
  }

  void check_exception() {
    if (!settings_.until) return;
    const bool lenient = settings_.tls == Tls::off || settings_.tls == Tls::optional ||
                         settings_.mode == Mode::monitor;
    if (lenient) return;
    if (is_own(Setting::until)) {
      wrong(Setting::until,
            "until: nothing ends on that day; it goes with tls = \"off\" or \"optional\", or with "
            "mode = \"monitor\"");
    }
    settings_.until.reset();
    origin(Setting::until) = {};
  }

  void check_versions() {
    if (settings_.max_version < settings_.min_version)
      wrong(is_own(Setting::max_version) || !is_said(Setting::min_version) ? Setting::max_version
                                                                           : Setting::min_version,
            "max_version = " + quote(to_string(settings_.max_version)) +
                " is below min_version = " + quote(to_string(settings_.min_version)) +
                ": no version is left");
    if (settings_.tls == Tls::optional && !server_)
      wrong(Setting::tls,
            "tls = \"optional\": a TLS client cannot tell what its peer speaks, and would be "
            "downgraded by anybody on the way; it belongs to inbound");
  }

  // One list for both versions: what it leaves out must not come back by default.
  void check_suites() {
    if (settings_.suites.empty()) return;
    for (Version version : {Version::tls12, Version::tls13}) {
      if (version < settings_.min_version || settings_.max_version < version) continue;
      const bool any = std::ranges::any_of(settings_.suites, [&](const std::string& name) {
        return find_suite(name)->version == version;
      });
      if (any) continue;
      const bool old = version == Version::tls12;
      wrong(Setting::suites, std::string("suites: none of them is of ") +
                                 (old ? "TLS 1.2" : "TLS 1.3") + "; add one, or say " +
                                 (old ? "min_version = \"TLSv1.3\"" : "max_version = \"TLSv1.2\""));
    }
  }

  void check_clients() {
    const bool asked = settings_.client_auth != ClientAuth::none;
    if (settings_.client_auth == ClientAuth::required && settings_.allow.empty() &&
        !settings_.allow_any_trusted)
      wrong(Setting::client_auth,
            "client_auth = \"required\": say who may connect, as in allow = [ "
            "\"dns:*.apps.internal\" ], or that every client may whose certificate is trusted, "
            "with allow = \"any-trusted\"");
    for (Setting setting : {Setting::allow, Setting::deny}) {
      if (asked || !is_own(setting)) continue;
      wrong(setting,
            std::string(setting == Setting::allow ? "allow" : "deny") +
                ": no certificate is asked for; say client_auth = \"required\" or \"optional\"");
    }
    if (!asked && is_own(Setting::trust))
      wrong(Setting::trust,
            "trust: no certificate is asked for; say client_auth = \"required\" or \"optional\"");
    if (settings_.map_user && settings_.client_auth != ClientAuth::required)
      wrong(Setting::map_user, "map_user: it needs client_auth = \"required\"");
    if (settings_.sni.empty() && is_own(Setting::sni_unmatched))
      wrong(Setting::sni_unmatched, "sni_unmatched: there is no sni that a name could match");
  }

  void check_server() {
    const bool chain = settings_.verify == Verify::full || settings_.verify == Verify::chain;
    if (settings_.verify == Verify::pinned && settings_.pins.empty())
      wrong(Setting::verify, "verify = \"pinned\": there are no pins");
    if (settings_.verify == Verify::none && is_own(Setting::pins))
      wrong(Setting::pins, "pins: nothing is verified; say verify = \"pinned\"");
    if (is_own(Setting::interchangeable) && settings_.verify != Verify::full)
      wrong(Setting::interchangeable,
            "interchangeable: no name is verified; say verify = \"full\"");
    if (is_own(Setting::interchangeable) && !settings_.server_name.empty() &&
        settings_.server_name.find("%h") == std::string::npos)
      wrong(Setting::interchangeable,
            "interchangeable: server_name = " + quote(settings_.server_name) +
                " is the only name; leave one of the two out");
    for (Setting setting : {Setting::allow, Setting::deny}) {
      if (settings_.verify != Verify::none || !is_own(setting)) continue;
      wrong(setting, std::string(setting == Setting::allow ? "allow" : "deny") +
                         ": nothing is verified, so what the certificate says means nothing");
    }
    if (!chain && is_own(Setting::trust))
      wrong(Setting::trust, "trust: no chain is verified; say verify = \"full\" or \"chain\"");
    if (settings_.must_staple && !chain && is_own(Setting::must_staple))
      wrong(Setting::must_staple,
            "must_staple: without its chain a certificate's OCSP response cannot be verified");
  }

  Rule& rule_;
  Settings& settings_;
  const int file_;  // the rule's
  const Layer& base_;
  const Report& report_;
  const bool server_ = rule_.is_tls_server();
};

}  // namespace

void resolve(Rule& rule, int file, const Layer& base, const Report& report) {
  Resolver(rule, file, base, report).run();
}

}  // namespace gaiter::policy
