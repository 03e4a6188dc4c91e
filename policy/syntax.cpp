#include "policy/syntax.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "policy/scanner.h"
#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

constexpr int max_depth = 16;
constexpr size_t max_keys = 100;  // of one group: Node::find is linear

char closing(char bracket) { return bracket == '{' ? '}' : bracket == '[' ? ']' : ')'; }

bool opens(char kind) { return kind == '{' || kind == '[' || kind == '('; }
bool closes(char kind) { return kind == '}' || kind == ']' || kind == ')'; }

bool is_word(const Token& token, std::string_view word) {
  return token.kind == Token::word && edit_distance(token.text, word) == 0;
}

bool is_scalar(const Token& token) {
  return token.kind == Token::string || token.kind == Token::number || is_word(token, "true") ||
         is_word(token, "false");
}

// A token as a message shows it.
std::string show(const Token& token) {
  if (token.kind == Token::word || token.kind == Token::number) return plain(token.text);
  if (token.kind == Token::string) return quote(token.text.substr(1, token.text.size() - 2));
  return "'" + plain(token.text) + "'";
}

// The inside of a text in quotes, escapes undone; nothing if one is unknown.
std::optional<std::string> unescape(std::string_view quoted) {
  std::string text;
  quoted = quoted.substr(1, quoted.size() - 2);
  for (size_t i = 0; i < quoted.size(); i++) {
    if (quoted[i] != '\\') {
      text += quoted[i];
      continue;
    }
    constexpr std::string_view letters = "\"\\nrtf", meanings = "\"\\\n\r\t\f";
    const char letter = ++i < quoted.size() ? quoted[i] : '\0';
    uint8_t byte = 0;
    const char* const digits = quoted.data() + i + 1;
    if (const size_t known = letters.find(letter); known != std::string_view::npos) {
      text += meanings[known];
    } else if (letter == 'x' && i + 2 < quoted.size() &&
               std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      text += static_cast<char>(byte);
      i += 2;
    } else {
      return {};
    }
  }
  return text;
}

// The bracket that a group or list began with.
struct Opening {
  char bracket;  // 0: the whole text
  int line;
};

// The parser of one file. Its functions return false once wrong_ is set.
class Parser {
 public:
  Parser(std::string_view text, int file, int include_depth, const Includer& include)
      : scanner_(text), file_(file), include_depth_(include_depth), include_(include) {}

  // Fills a group with settings, up to the bracket that closes it.
  bool read_group(Node& group, Opening opening) {
    for (;;) {
      const Token token = take();
      if (token.kind == Token::mistake) return mistake(token);
      if (token.kind == Token::end) return at_end(opening);
      if (closes(token.kind)) return close(token, opening);
      const bool ok = token.kind == Token::include ? read_include(group) : setting(token, group);
      if (!ok) return false;
      const Token& next = peek();
      if (next.kind == ',' || next.kind == ';') {
        take();
      } else if (!closes(next.kind) && next.kind != Token::end && next.kind != Token::word &&
                 next.kind != Token::include && next.kind != Token::mistake) {
        return wrong(next, "expected ; before " + show(next));
      }
    }
  }

  // Fills an array or list, up to its end.
  bool read_elements(Node& list, Opening opening) {
    if (closes(peek().kind) || (opening.bracket == 0 && peek().kind == Token::end))
      return finish(take(), opening);
    for (;;) {
      const Token token = take();
      if (token.kind == Token::include && list.type == Node::Type::list) {
        if (!read_include(list)) return false;
      } else {
        Node element;
        element.name = list.name;
        if (!value(token, element, list)) return false;
        if (list.type == Node::Type::array && element.type != list.children.front().type)
          return wrong(token, "an array [ ] holds values of one type; a list ( ) may mix them");
      }
      const Token next = take();
      if (next.kind == ',') continue;
      if (next.kind == Token::mistake || next.kind == Token::end || closes(next.kind))
        return finish(next, opening);
      return wrong(next, "expected , before " + show(next));
    }
  }

  SyntaxError error() && { return std::move(*wrong_); }

 private:
  Token take() {
    Token token = ahead_ ? *ahead_ : scanner_.next();
    ahead_.reset();
    before_ = last_;
    last_ = token;
    return token;
  }

  const Token& peek() {
    if (!ahead_) ahead_ = scanner_.next();
    return *ahead_;
  }

  bool setting(const Token& key, Node& group) {
    // Names are data in sni, and may have dots; elsewhere keys are ours.
    const bool quoted = key.kind == Token::string && group.name == "sni";
    if (key.kind != Token::word && !quoted) return wrong(key, "expected a key, found " + show(key));
    Node node;
    node.name = key.text;
    if (quoted && !text_of(key, node.name)) return false;
    if (const Node* earlier = group.find(node.name)) {
      return wrong(key, show(key) + ": set twice; the first is on line " +
                            std::to_string(earlier->line) +
                            (earlier->file == file_ ? "" : " of another file"));
    }
    if (group.children.size() == max_keys) return wrong(key, "too many keys in one group");
    const Token equals = take();
    if (equals.kind == Token::mistake) return mistake(equals);
    if (equals.kind != '=' && equals.kind != ':')
      return wrong(key, show(key) + ": expected = after it");
    return value(take(), node, group, key.line);
  }

  // Reads the value that begins with `token` into `node`, and puts it into `parent`.
  bool value(const Token& token, Node& node, Node& parent, int line = 0) {
    if (token.kind == Token::mistake) return mistake(token);
    if (token.kind == Token::end) return wrong(before_, "expected a value after " + show(before_));
    if (token.kind == Token::word && !is_scalar(token))
      return wrong(token, show(token) + ": text must stand in quotes: " + quote(token.text));
    if (!is_scalar(token) && !opens(token.kind))
      return wrong(token, "expected a value after " + show(before_) + ", found " + show(token));
    if (parent.type == Node::Type::array && !is_scalar(token))
      return wrong(token, "an array [ ] holds plain values only; use a list ( )");
    node.file = file_;
    node.line = line == 0 ? token.line : line;
    const bool ok = opens(token.kind) ? open(token, node) : scalar(token, node);
    if (ok) parent.children.push_back(std::move(node));
    return ok;
  }

  bool scalar(const Token& token, Node& node) {
    if (token.kind == Token::string) {
      node.type = Node::Type::text;
      return text_of(token, node.text);
    }
    if (token.kind == Token::number) return number(token, node);
    node.type = Node::Type::boolean;
    node.boolean = is_word(token, "true");
    return true;
  }

  bool text_of(const Token& token, std::string& text) {
    auto unescaped = unescape(token.text);
    if (!unescaped)
      return wrong(token, "an unknown escape in " + show(token) +
                              "; these are known: \\\" \\\\ \\n \\r \\t \\f \\xNN");
    text = std::move(*unescaped);
    return true;
  }

  // The scanner has seen to it that the digits are right.
  bool number(const Token& token, Node& node) {
    std::string_view digits = token.text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
    const char* const begin = digits.data() + (hex ? 2 : 0);
    const char* const end = digits.data() + digits.size();
    if (!hex && digits.find_first_of(".eE") != std::string_view::npos) {
      node.type = Node::Type::fraction;
      if (std::from_chars(begin, end, node.fraction).ec != std::errc())
        node.fraction = digits.find("e-") != std::string_view::npos ? 0 : HUGE_VAL;
      return true;
    }
    node.type = Node::Type::integer;
    if (std::from_chars(begin, end, node.integer, hex ? 16 : 10).ec != std::errc())
      return wrong(token, "a number with too many digits");
    return true;
  }

  bool open(const Token& token, Node& node) {
    if (depth_ + include_depth_ == max_depth) return wrong(token, "brackets are nested too deep");
    depth_++;
    node.type = token.kind == '{'   ? Node::Type::group
                : token.kind == '[' ? Node::Type::array
                                    : Node::Type::list;
    const Opening opening{token.kind, token.line};
    const bool ok = node.is_group() ? read_group(node, opening) : read_elements(node, opening);
    depth_--;
    return ok;
  }

  bool finish(const Token& token, Opening opening) {
    if (token.kind == Token::mistake) return mistake(token);
    return token.kind == Token::end ? at_end(opening) : close(token, opening);
  }

  bool close(const Token& token, Opening opening) {
    if (opening.bracket == 0)
      return wrong(token, std::string("nothing is open that this ") + token.kind + " could close");
    if (token.kind != closing(opening.bracket))
      return wrong(token, std::string("found ") + token.kind + " where " +
                              closing(opening.bracket) + " must close the " + opening.bracket +
                              " of line " + std::to_string(opening.line));
    return true;
  }

  bool at_end(Opening opening) {
    if (opening.bracket == 0) return true;
    return wrong({Token::end, "", opening.line}, std::string("the ") + opening.bracket +
                                                     " that is opened here is never closed with " +
                                                     closing(opening.bracket));
  }

  // What another file holds, as if it stood here.
  bool read_include(Node& into) {
    const Token name = take();
    if (name.kind == Token::mistake) return mistake(name);
    if (name.kind != Token::string)
      return wrong(name, "expected a file's name in quotes after @include");
    std::string path;
    if (!text_of(name, path)) return false;
    if (include_depth_ == max_include_depth)
      return wrong(name, "@include " + show(name) + ": files include each other too deep");
    auto included = include_(file_, path);
    if (!included) return wrong(name, "@include " + show(name) + ": " + included.error());
    Parser parser(included->text, included->file, include_depth_ + 1, include_);
    const bool ok =
        into.is_group() ? parser.read_group(into, {0, 1}) : parser.read_elements(into, {0, 1});
    if (!ok) wrong_ = std::move(parser.wrong_);
    return ok;
  }

  bool mistake(const Token& token) { return wrong(token, std::string(token.text)); }

  bool wrong(const Token& token, std::string message) {
    wrong_ = {file_, token.line, std::move(message)};
    return false;
  }

  Scanner scanner_;
  const int file_;
  const int include_depth_;
  const Includer& include_;
  std::optional<Token> ahead_;
  Token last_ = {Token::end, "", 1};
  Token before_ = last_;  // the token before the last that was taken
  int depth_ = 0;
  std::optional<SyntaxError> wrong_;
};

}  // namespace

std::expected<Node, SyntaxError> parse(std::string_view text, int file, const Includer& include) {
  Node root;
  root.file = file;
  root.line = 1;
  Parser parser(text, file, 0, include);
  if (!parser.read_group(root, {0, 1})) return std::unexpected(std::move(parser).error());
  return root;
}

}  // namespace gaiter::policy
