#include "cli/template.h"

#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"

namespace lamina::cli {
namespace {

// Go's default form of a value: maps and lists without quotes.
std::string Plain(const Json& value) {
  if (value.is_string()) {
    return value.string();
  }
  std::vector<std::string> parts;
  if (value.is_array()) {
    for (const Json& item : value.array()) {
      parts.push_back(Plain(item));
    }
    return absl::StrCat("[", absl::StrJoin(parts, " "), "]");
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.object()) {
      parts.push_back(absl::StrCat(key, ":", Plain(member)));
    }
    return absl::StrCat("map[", absl::StrJoin(parts, " "), "]");
  }
  return value.is_null() ? "<no value>" : PrintJson(value);
}

bool Truth(const Json& value) {
  return value.boolean() || value.number() != 0 || value.integer() != 0 ||
         !value.string().empty() || !value.array().empty() ||
         !value.object().empty();
}

// Words parted by blanks; a quoted word keeps its blanks and its quotes.
absl::StatusOr<std::vector<std::string>> SplitAction(absl::string_view action) {
  std::vector<std::string> words;
  size_t i = 0;
  while (i < action.size()) {
    if (action[i] == ' ') {
      ++i;
      continue;
    }
    size_t end =
        action[i] == '"' ? action.find('"', i + 1) : action.find(' ', i);
    if (action[i] == '"') {
      if (end == absl::string_view::npos) {
        return UsageError("a quote in the template is not closed");
      }
      ++end;
    }
    end = std::min(end, action.size());
    words.emplace_back(action.substr(i, end - i));
    i = end;
  }
  return words;
}

class Expander {
 public:
  Expander(absl::string_view text, const Json& root)
      : rest_(text), root_(root) {}

  absl::StatusOr<std::string> Expand() {
    std::string out;
    ASSIGN_OR_RETURN(std::string stop, Block(root_, &out));
    if (!stop.empty()) {
      return UsageError(absl::StrCat("`{{", stop, "}}` in the template has no ",
                                     "beginning"));
    }
    return out;
  }

 private:
  // Expands up to {{end}}, {{else}} or the end of the text, and returns the
  // word it stopped at. With a null `out` nothing is evaluated.
  absl::StatusOr<std::string> Block(const Json& dot, std::string* out) {
    while (!rest_.empty()) {
      const size_t open = rest_.find("{{");
      if (out != nullptr) {
        out->append(std::string(rest_.substr(0, open)));
      }
      if (open == absl::string_view::npos) {
        rest_ = "";
        break;
      }
      rest_.remove_prefix(open + 2);
      const size_t close = rest_.find("}}");
      if (close == absl::string_view::npos) {
        return UsageError("`{{` in the template is not closed");
      }
      const absl::string_view action =
          absl::StripAsciiWhitespace(rest_.substr(0, close));
      rest_.remove_prefix(close + 2);
      if (action == "end" || action == "else") {
        return std::string(action);
      }
      RETURN_IF_ERROR(Action(action, dot, out));
    }
    return std::string();
  }

  absl::Status Action(absl::string_view action, const Json& dot,
                      std::string* out) {
    ASSIGN_OR_RETURN(std::vector<std::string> words, SplitAction(action));
    if (words.empty()) {
      return UsageError("an empty `{{}}` in the template");
    }
    if (words[0] == "range" || words[0] == "if") {
      if (words.size() != 2) {
        return UsageError(absl::StrCat("`", words[0], "` takes one value"));
      }
      return words[0] == "range" ? Range(words[1], dot, out)
                                 : If(words[1], dot, out);
    }
    if (out != nullptr) {
      ASSIGN_OR_RETURN(std::string text, Call(words, dot));
      out->append(text);
    }
    return absl::OkStatus();
  }

  absl::Status Range(const std::string& operand, const Json& dot,
                     std::string* out) {
    std::vector<Json> items;
    if (out != nullptr) {
      ASSIGN_OR_RETURN(Json list, Value(operand, dot));
      items = list.array();
      for (const auto& [key, member] : list.object()) {
        items.push_back(member);
      }
    }
    const absl::string_view body = rest_;
    for (const Json& item : items) {
      rest_ = body;
      RETURN_IF_ERROR(BlockTo("end", item, out));
    }
    return items.empty() ? BlockTo("end", Json(), nullptr) : absl::OkStatus();
  }

  absl::Status If(const std::string& operand, const Json& dot,
                  std::string* out) {
    bool truth = false;
    if (out != nullptr) {
      ASSIGN_OR_RETURN(Json value, Value(operand, dot));
      truth = Truth(value);
    }
    ASSIGN_OR_RETURN(std::string stop, Block(dot, truth ? out : nullptr));
    if (stop == "else") {
      ASSIGN_OR_RETURN(stop, Block(dot, truth ? nullptr : out));
    }
    return stop == "end" ? absl::OkStatus() : NotEnded();
  }

  absl::Status BlockTo(absl::string_view wanted, const Json& dot,
                       std::string* out) {
    ASSIGN_OR_RETURN(std::string stop, Block(dot, out));
    return stop == wanted ? absl::OkStatus() : NotEnded();
  }

  static absl::Status NotEnded() {
    return UsageError("a block of the template has no `{{end}}`");
  }

  // A field path, a quoted string or a number.
  absl::StatusOr<Json> Value(const std::string& word, const Json& dot) {
    int64_t number = 0;
    if (absl::SimpleAtoi(word, &number)) {
      return Json(number);
    }
    if (word[0] == '"') {
      return Json(absl::StrReplaceAll(word.substr(1, word.size() - 2),
                                      {{"\\n", "\n"}, {"\\t", "\t"}}));
    }
    const bool from_root = absl::StartsWith(word, "$.");
    if (word[0] != '.' && !from_root) {
      return UsageError(
          absl::StrCat("the template has no function `", word, "`"));
    }
    Json value = from_root ? root_ : dot;
    for (absl::string_view field : absl::StrSplit(
             word.substr(from_root ? 2 : 1), '.', absl::SkipEmpty())) {
      ASSIGN_OR_RETURN(value, Field(value, field));
    }
    return value;
  }

  static absl::StatusOr<Json> Field(const Json& value,
                                    absl::string_view field) {
    if (value.is_object() && value.object().count(std::string(field)) > 0) {
      return Json(value[field]);
    }
    std::vector<std::string> names;
    for (const auto& [name, member] : value.object()) {
      names.push_back(name);
    }
    std::string message = absl::StrCat("there is no field `", field, "`");
    if (std::optional<std::string> near = Closest(field, names)) {
      absl::StrAppend(&message, "; did you mean `", *near, "`?");
    } else if (!names.empty()) {
      absl::StrAppend(&message, "; there are ", absl::StrJoin(names, ", "));
    }
    return UsageError(message);
  }

  absl::StatusOr<std::string> Call(const std::vector<std::string>& words,
                                   const Json& dot) {
    if (words.size() == 1 && words[0] != "println") {
      ASSIGN_OR_RETURN(Json value, Value(words[0], dot));
      return Plain(value);
    }
    std::vector<Json> arguments;
    for (size_t i = 1; i < words.size(); ++i) {
      ASSIGN_OR_RETURN(Json value, Value(words[i], dot));
      arguments.push_back(std::move(value));
    }
    if (words[0] == "index") {
      return Index(arguments);
    }
    if (words[0] == "println") {
      return absl::StrCat(arguments.empty() ? "" : Plain(arguments[0]), "\n");
    }
    return CallFunction(words[0], arguments);
  }

  static absl::StatusOr<std::string> CallFunction(
      const std::string& name, const std::vector<Json>& arguments) {
    const Json& first = arguments[0];
    if (name == "join" && arguments.size() == 2) {
      return absl::StrJoin(first.strings(), arguments[1].string());
    }
    if (arguments.size() == 1) {
      if (name == "json") {
        return PrintJson(first);
      }
      if (name == "len") {
        return absl::StrCat(first.string().size() + first.array().size() +
                            first.object().size());
      }
      if (name == "upper") {
        return absl::AsciiStrToUpper(Plain(first));
      }
      if (name == "lower") {
        return absl::AsciiStrToLower(Plain(first));
      }
    }
    return UsageError(absl::StrCat("the template has no function `", name,
                                   "` with ", arguments.size(), " values"));
  }

  static absl::StatusOr<std::string> Index(const std::vector<Json>& arguments) {
    Json value = arguments[0];
    for (size_t i = 1; i < arguments.size(); ++i) {
      const Json& key = arguments[i];
      if (value.is_object()) {
        value = Json(value[key.string()]);
        continue;
      }
      const Json::List list = value.array();
      if (key.integer() < 0 ||
          key.integer() >= static_cast<int64_t>(list.size())) {
        return UsageError(absl::StrCat("index ", key.integer(),
                                       " is outside a list of ", list.size()));
      }
      value = list[key.integer()];
    }
    return Plain(value);
  }

  absl::string_view rest_;
  const Json& root_;
};

void AppendPretty(const Json& json, const std::string& indent,
                  std::string& out) {
  const std::string inner = indent + "    ";
  bool first = true;
  if (json.is_array() && !json.array().empty()) {
    out += "[";
    for (const Json& item : json.array()) {
      absl::StrAppend(&out, first ? "\n" : ",\n", inner);
      AppendPretty(item, inner, out);
      first = false;
    }
    absl::StrAppend(&out, "\n", indent, "]");
  } else if (json.is_object() && !json.object().empty()) {
    out += "{";
    for (const auto& [key, member] : json.object()) {
      absl::StrAppend(&out, first ? "\n" : ",\n", inner, PrintJson(Json(key)),
                      ": ");
      AppendPretty(member, inner, out);
      first = false;
    }
    absl::StrAppend(&out, "\n", indent, "}");
  } else {
    out += PrintJson(json);
  }
}

}  // namespace

absl::StatusOr<std::string> ExpandTemplate(absl::string_view text,
                                           const Json& data) {
  // Only outside of actions: quoted words there have escapes of their own.
  std::string unescaped;
  bool inside = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const absl::string_view two = text.substr(i, 2);
    inside = two == "{{" || (inside && two != "}}");
    if (!inside && (two == "\\t" || two == "\\n")) {
      unescaped += two == "\\t" ? '\t' : '\n';
      ++i;
    } else {
      unescaped += text[i];
    }
  }
  return Expander(unescaped, data).Expand();
}

std::string PrettyJson(const Json& json) {
  std::string out;
  AppendPretty(json, "", out);
  return out + "\n";
}

}  // namespace lamina::cli
