// Reads the text of PrintGraph:
//
//   line  = "n0" "=" op value* | "target" value* | "history" value*
//   value = string | word | list | call
//   list  = "[" value* "]"      call = word "(" value* ")"
//
// Commas between values are optional; empty lines and `#` lines are skipped.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "ir/graph.h"

namespace lamina::ir {
namespace {

struct Value {
  enum class Kind { kString, kWord, kList, kCall };
  Kind kind = Kind::kString;
  std::string text;  // A string's bytes, a word, a call's name.
  std::vector<Value> values;
};

absl::Status Wrong(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

// Reads the values of one line.
class ValueReader {
 public:
  explicit ValueReader(absl::string_view line) : rest_(line) {}

  // All values up to the character `end`, which is taken; 0 is the line's end.
  absl::StatusOr<std::vector<Value>> Values(char end) {
    std::vector<Value> values;
    while (true) {
      while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == ',')) {
        rest_.remove_prefix(1);
      }
      if (rest_.empty() || rest_[0] == end) {
        if (rest_.empty() != (end == '\0')) {
          return Wrong(absl::StrCat("`", std::string(1, end), "` is missing"));
        }
        rest_.remove_prefix(rest_.empty() ? 0 : 1);
        return values;
      }
      ASSIGN_OR_RETURN(Value value, One());
      values.push_back(std::move(value));
    }
  }

 private:
  absl::StatusOr<Value> One() {
    Value value;
    if (rest_[0] == '"') {
      ASSIGN_OR_RETURN(value.text, String());
      return value;
    }
    if (rest_[0] == '[') {
      rest_.remove_prefix(1);
      value.kind = Value::Kind::kList;
      ASSIGN_OR_RETURN(value.values, Values(']'));
      return value;
    }
    size_t end = std::min(rest_.find_first_of(" ,()[]\""), rest_.size());
    if (end == 0) {
      return Wrong(absl::StrCat("unexpected `", rest_.substr(0, 1), "`"));
    }
    value.kind = Value::Kind::kWord;
    value.text = std::string(rest_.substr(0, end));
    rest_.remove_prefix(end);
    if (!rest_.empty() && rest_[0] == '(') {
      rest_.remove_prefix(1);
      value.kind = Value::Kind::kCall;
      ASSIGN_OR_RETURN(value.values, Values(')'));
    }
    return value;
  }

  absl::StatusOr<std::string> String() {
    std::string out;
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_[0] != '"') {
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      ASSIGN_OR_RETURN(char escaped, Escaped());
      out.push_back(escaped);
    }
    if (rest_.empty()) {
      return Wrong("a string has no end");
    }
    rest_.remove_prefix(1);
    return out;
  }

  absl::StatusOr<char> Escaped() {
    char c = rest_.empty() ? '\0' : rest_[0];
    rest_.remove_prefix(rest_.empty() ? 0 : 1);
    if (c == 'n' || c == 't') {
      return c == 'n' ? '\n' : '\t';
    }
    if (c == '"' || c == '\\') {
      return c;
    }
    uint32_t code = 0;
    if (c == 'u' && rest_.size() >= 4 &&
        absl::SimpleHexAtoi(rest_.substr(0, 4), &code) && code < 0x80) {
      rest_.remove_prefix(4);
      return static_cast<char>(code);
    }
    return Wrong("unknown escape in a string");
  }

  absl::string_view rest_;
};

// Takes values off a line by kind and name; what is left at the end is a
// mistake. The first mistake sticks.
class Fields {
 public:
  explicit Fields(std::vector<Value> values) : values_(std::move(values)) {}

  bool Has(absl::string_view word) {
    return Take(Value::Kind::kWord, word).has_value();
  }
  std::vector<NodeId> Nodes() {
    std::vector<NodeId> nodes;
    while (!values_.empty() && values_[0].kind == Value::Kind::kWord) {
      uint32_t index = 0;
      absl::string_view word = values_[0].text;
      if (word[0] != 'n' || !absl::SimpleAtoi(word.substr(1), &index)) {
        break;
      }
      nodes.push_back({index});
      values_.erase(values_.begin());
    }
    return nodes;
  }
  std::string String() {
    std::optional<Value> value = Take(Value::Kind::kString, "");
    Require(value.has_value(), "a string is missing");
    return value ? value->text : "";
  }
  std::vector<std::string> List() {
    std::optional<Value> value = Take(Value::Kind::kList, "");
    Require(value.has_value(), "a list is missing");
    return value ? Strings(*value) : std::vector<std::string>();
  }
  std::optional<Value> Call(absl::string_view name) {
    return Take(Value::Kind::kCall, name);
  }
  std::vector<std::string> Texts(absl::string_view name) {
    std::optional<Value> call = Call(name);
    return call ? Strings(*call) : std::vector<std::string>();
  }
  std::string Text(absl::string_view name, absl::string_view unset = "") {
    std::vector<std::string> texts = Texts(name);
    Require(texts.size() <= 1, name);
    return texts.empty() ? std::string(unset) : texts[0];
  }
  std::pair<std::string, std::string> Pair(const Value& call) {
    std::vector<std::string> texts = Strings(call);
    Require(texts.size() == 2, call.text);
    texts.resize(2);
    return {texts[0], texts[1]};
  }
  // One word of a call, "" without the call.
  std::string Word(absl::string_view name) {
    std::optional<Value> call = Call(name);
    bool valid = !call || (call->values.size() == 1 &&
                           call->values[0].kind == Value::Kind::kWord);
    Require(valid, name);
    return call && valid ? call->values[0].text : "";
  }
  template <typename T>
  std::optional<T> Number(absl::string_view name) {
    std::string word = Word(name);
    if (word.empty()) {
      return std::nullopt;
    }
    T value = 0;
    Require(absl::SimpleAtoi(word, &value), name);
    return value;
  }
  std::vector<uint32_t> Numbers(absl::string_view name) {
    std::vector<uint32_t> numbers;
    std::optional<Value> call = Call(name);
    for (size_t i = 0; call && i < call->values.size(); ++i) {
      numbers.push_back(0);
      Require(absl::SimpleAtoi(call->values[i].text, &numbers.back()), name);
    }
    return numbers;
  }
  uint32_t Octal(absl::string_view name) {
    uint32_t value = 0;
    for (char c : Word(name)) {
      Require(c >= '0' && c <= '7' && value <= 07777777777, name);
      value = value * 8 + static_cast<uint32_t>(c - '0');
    }
    return value;
  }
  void Require(bool valid, absl::string_view mistake) {
    if (!valid && mistake_.empty()) {
      mistake_ = std::string(mistake);
    }
  }
  absl::Status Finish() const {
    if (!mistake_.empty()) {
      return Wrong(absl::StrCat("malformed: ", mistake_));
    }
    if (!values_.empty()) {
      return Wrong(absl::StrCat("unexpected `", values_[0].text, "`"));
    }
    return absl::OkStatus();
  }

 private:
  std::optional<Value> Take(Value::Kind kind, absl::string_view text) {
    bool named = kind == Value::Kind::kWord || kind == Value::Kind::kCall;
    auto found =
        std::find_if(values_.begin(), values_.end(), [&](const Value& value) {
          return value.kind == kind && (!named || value.text == text);
        });
    if (found == values_.end()) {
      return std::nullopt;
    }
    Value value = std::move(*found);
    values_.erase(found);
    return value;
  }
  std::vector<std::string> Strings(const Value& value) {
    std::vector<std::string> texts;
    for (const Value& element : value.values) {
      Require(element.kind == Value::Kind::kString, value.text);
      texts.push_back(element.text);
    }
    return texts;
  }

  std::vector<Value> values_;
  std::string mistake_;
};

absl::StatusOr<BaseImage> ReadBaseImage(Fields& fields) {
  ASSIGN_OR_RETURN(ImageReference reference,
                   ImageReference::Parse(fields.String()));
  BaseImage op = {.reference = std::move(reference)};
  if (std::string id = fields.Text("id"); !id.empty()) {
    ASSIGN_OR_RETURN(op.image_id, Digest::Parse(id));
  }
  return op;
}

absl::StatusOr<Mount> ReadMount(Value call) {
  using Type = Mount::Type;
  Fields fields(std::move(call.values));
  Mount mount;
  mount.target = fields.String();
  mount.source = fields.Text("source");
  mount.input = fields.Number<uint32_t>("input");
  mount.read_only = !fields.Has("writable");
  mount.id = fields.Text("id");
  mount.sharing = fields.Has("private")  ? Mount::Sharing::kPrivate
                  : fields.Has("locked") ? Mount::Sharing::kLocked
                                         : Mount::Sharing::kShared;
  mount.required = fields.Has("required");
  mount.size = fields.Number<int64_t>("size").value_or(0);
  mount.mode = fields.Octal("mode");
  mount.uid = fields.Number<uint32_t>("uid").value_or(0);
  mount.gid = fields.Number<uint32_t>("gid").value_or(0);
  mount.env = fields.Text("env");
  mount.type = fields.Has("cache")    ? Type::kCache
               : fields.Has("tmpfs")  ? Type::kTmpfs
               : fields.Has("secret") ? Type::kSecret
               : fields.Has("ssh")    ? Type::kSsh
                                      : Type::kBind;
  fields.Require(mount.type != Type::kBind || fields.Has("bind"), "mount type");
  RETURN_IF_ERROR(fields.Finish());
  return mount;
}

absl::StatusOr<Run> ReadRun(Fields& fields) {
  Run op;
  op.args = fields.List();
  op.env = fields.Texts("env");
  op.hidden_env = fields.Texts("hidden-env");
  op.user = fields.Text("user");
  op.working_dir = fields.Text("dir", "/");
  std::string network = fields.Word("network");
  fields.Require(network.empty() || network == "host" || network == "none",
                 "network");
  op.network = network == "host"   ? NetworkMode::kHost
               : network == "none" ? NetworkMode::kNone
                                   : NetworkMode::kDefault;
  op.insecure = fields.Has("insecure");
  op.platform = fields.Text("platform");
  while (std::optional<Value> call = fields.Call("mount")) {
    ASSIGN_OR_RETURN(Mount mount, ReadMount(*std::move(call)));
    op.mounts.push_back(std::move(mount));
  }
  while (std::optional<Value> call = fields.Call("script")) {
    auto [name, data] = fields.Pair(*call);
    op.scripts.push_back({std::move(name), std::move(data)});
  }
  return op;
}

RemoteFile ReadRemoteFile(Fields& fields) {
  RemoteFile op;
  op.url = fields.String();
  op.name = fields.Text("name");
  op.checksum = fields.Text("checksum");
  return op;
}

GitTree ReadGitTree(Fields& fields) {
  GitTree op;
  op.url = fields.String();
  op.ref = fields.Text("ref");
  op.subdir = fields.Text("subdir");
  op.checksum = fields.Text("checksum");
  op.keep_git = fields.Has("keep-git");
  op.skip_submodules = fields.Has("skip-submodules");
  op.by_commit = fields.Has("by-commit");
  op.commit_times = fields.Has("commit-times");
  return op;
}

Copy ReadCopy(Fields& fields) {
  Copy op;
  op.sources = fields.List();
  op.source_inputs = fields.Numbers("from");
  op.destination = fields.String();
  while (std::optional<Value> call = fields.Call("file")) {
    auto [name, data] = fields.Pair(*call);
    op.files.push_back({std::move(name), std::move(data)});
  }
  std::optional<Value> owner = fields.Call("owner");
  op.owner.given = owner.has_value();
  owner = owner ? std::move(owner) : fields.Call("default-owner");
  if (owner) {
    std::tie(op.owner.user, op.owner.group) = fields.Pair(*owner);
  }
  op.chmod = fields.Text("chmod");
  op.preserve_owner = fields.Has("preserve-owner");
  op.unpack = fields.Has("unpack");
  op.unpack_remote = fields.Has("unpack-remote");
  op.parents = fields.Has("parents");
  op.link = fields.Has("link");
  op.exclude = fields.Texts("exclude");
  return op;
}

absl::StatusOr<Op> ReadOp(absl::string_view name, Fields& fields) {
  if (name == "scratch") {
    return Scratch{};
  }
  if (name == "image") {
    return ReadBaseImage(fields);
  }
  if (name == "local") {
    return LocalFiles{fields.String()};
  }
  if (name == "remote") {
    return ReadRemoteFile(fields);
  }
  if (name == "git") {
    return ReadGitTree(fields);
  }
  if (name == "run") {
    return ReadRun(fields);
  }
  if (name == "copy") {
    return ReadCopy(fields);
  }
  if (name == "mkdir") {
    std::string path = fields.String();
    return MakeDir{std::move(path), fields.Text("user")};
  }
  return Wrong(absl::StrCat("`", name, "` is no operation"));
}

absl::Status ReadNode(std::vector<Value> values, BuildGraph& graph) {
  std::string expected = absl::StrCat("n", graph.nodes.size());
  if (values.size() < 3 || values[0].text != expected ||
      values[1].text != "=") {
    return Wrong(absl::StrCat("`", expected, " = ` and an operation expected"));
  }
  std::string name = values[2].text;
  values.erase(values.begin(), values.begin() + 3);
  Fields fields(std::move(values));
  Node node;
  node.inputs = fields.Nodes();
  for (NodeId input : node.inputs) {
    fields.Require(input.index < graph.nodes.size(), "an input comes later");
  }
  ASSIGN_OR_RETURN(node.op, ReadOp(name, fields));
  node.stage = fields.Text("stage");
  node.text = fields.Text("text");
  node.same_sandbox = fields.Has("same-sandbox");
  if (std::optional<Value> at = fields.Call("at")) {
    bool valid = at->values.size() == 2 &&
                 absl::SimpleAtoi(at->values[0].text, &node.source.begin) &&
                 absl::SimpleAtoi(at->values[1].text, &node.source.end);
    fields.Require(valid, "at");
  }
  if (std::optional<Value> layer = fields.Call("layer")) {
    node.layer.cut = layer->values.size() == 2 && layer->values[0].text == "cut";
    bool valid = layer->values.size() == (node.layer.cut ? 2 : 1) &&
                 absl::SimpleAtoi(layer->values.back().text, &node.layer.group);
    fields.Require(valid, "layer");
  }
  RETURN_IF_ERROR(fields.Finish());
  AddNode(graph, std::move(node));
  return absl::OkStatus();
}

absl::Status ReadTarget(std::vector<Value> values, BuildGraph& graph) {
  values.erase(values.begin());
  Fields fields(std::move(values));
  Target target;
  target.name = fields.String();
  std::vector<NodeId> nodes = fields.Nodes();
  if (nodes.size() != 1 || nodes[0].index >= graph.nodes.size()) {
    return Wrong("a target has one root");
  }
  target.root = nodes[0];
  if (std::string config = fields.Text("config"); !config.empty()) {
    ASSIGN_OR_RETURN(target.config, ParseImageConfig(config));
  }
  RETURN_IF_ERROR(fields.Finish());
  graph.targets.push_back(std::move(target));
  return absl::OkStatus();
}

absl::Status ReadHistoryStep(std::vector<Value> values, BuildGraph& graph) {
  values.erase(values.begin());
  Fields fields(std::move(values));
  std::vector<NodeId> nodes = fields.Nodes();
  HistoryStep step;
  step.entry.created_by = fields.String();
  step.entry.created = fields.Text("created");
  step.entry.author = fields.Text("author");
  step.entry.comment = fields.Text("comment");
  step.entry.empty_layer = fields.Has("empty");
  RETURN_IF_ERROR(fields.Finish());
  if (nodes.size() > 1 || graph.targets.empty() ||
      (!nodes.empty() && nodes[0].index >= graph.nodes.size())) {
    return Wrong("history names one node at most, below its target");
  }
  if (!nodes.empty()) {
    step.node = nodes[0];
  }
  graph.targets.back().history.push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status ReadLine(absl::string_view line, BuildGraph& graph) {
  ASSIGN_OR_RETURN(std::vector<Value> values, ValueReader(line).Values('\0'));
  if (values.empty()) {
    return absl::OkStatus();
  }
  if (values[0].text == "target") {
    return ReadTarget(std::move(values), graph);
  }
  if (values[0].text == "history") {
    return ReadHistoryStep(std::move(values), graph);
  }
  return ReadNode(std::move(values), graph);
}

}  // namespace

absl::StatusOr<BuildGraph> ParseGraph(absl::string_view text) {
  BuildGraph graph;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty() && line[0] != '#') {
      RETURN_IF_ERROR(
          Annotate(ReadLine(line, graph), absl::StrCat("line ", number)));
    }
  }
  return graph;
}

}  // namespace lamina::ir
