#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace gaiter::cli {
namespace {

using Json = nlohmann::ordered_json;

size_t width(std::string_view cell) {
  return static_cast<size_t>(std::ranges::count_if(
      cell, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Json to_json(const Value& value);

Json to_json(const Object& object) {
  Json json = Json::object();
  for (const Member& member : object) json[member.name] = to_json(member.value);
  return json;
}

Json to_json(const std::vector<Object>& objects) {
  Json json = Json::array();
  for (const Object& object : objects) json.push_back(to_json(object));
  return json;
}

Json to_json(const Value& value) {
  const auto convert = [](const auto& held) {
    using Held = std::remove_cvref_t<decltype(held)>;
    if constexpr (std::is_same_v<Held, Object> || std::is_same_v<Held, std::vector<Object>>)
      return to_json(held);
    else
      return Json(held);
  };
  return std::visit(convert, static_cast<const Value::variant&>(value));
}

}  // namespace

void say(std::string_view message) {
  const std::string line = fmt::format("gaiter: {}\n", message);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_json(const Value& value) {
  print(to_json(value).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); i++) {
      line += row[i];
      line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace gaiter::cli
