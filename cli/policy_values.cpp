#include "cli/policy_values.h"

namespace gaiter::cli {

std::string in_quotes(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string one_or_list(const std::vector<std::string>& values) {
  return values.size() == 1 ? values.front() : list_of(values);
}

std::string list_of(const std::vector<std::string>& values) {
  std::string out = "(";
  for (const std::string& value : values) out += (out.size() > 1 ? ", " : "") + value;
  return out + ")";
}

std::string array_of(const std::vector<std::string>& texts) {
  constexpr size_t line = 70;  // a longer array stands in lines of its own
  std::string inside;
  for (const std::string& text : texts) inside += (inside.empty() ? "" : ", ") + in_quotes(text);
  if (texts.size() < 2 || inside.size() <= line) return "[ " + inside + " ]";
  std::string out = "[";
  for (const std::string& text : texts)
    out += (out.size() > 1 ? ",\n      " : "\n      ") + in_quotes(text);
  return out + "\n    ]";
}

std::string port_value(std::string_view port) {
  const bool number = port.find_first_not_of("0123456789") == std::string_view::npos;
  return number ? std::string(port) : in_quotes(port);
}

}  // namespace gaiter::cli
