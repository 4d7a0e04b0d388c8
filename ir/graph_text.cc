// Prints graphs. The grammar of the text is that of graph_parser.cc.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "ir/graph.h"

namespace lamina::ir {
namespace {

// A JSON string, but bytes above 0x7E stay as they are: unequal strings must
// give unequal texts, UTF-8 or not.
std::string Quote(absl::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(&out, "\\u%04x", unsigned{byte});
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string QuoteAll(const std::vector<std::string>& texts) {
  return absl::StrJoin(texts, ", ", [](std::string* out, const auto& text) {
    absl::StrAppend(out, Quote(text));
  });
}

// ` name(...)` for what differs from the default; nothing otherwise.
std::string Text(absl::string_view name, const std::string& value,
                 absl::string_view unset = "") {
  return value == unset ? "" : absl::StrCat(" ", name, "(", Quote(value), ")");
}

std::string Texts(absl::string_view name,
                  const std::vector<std::string>& values) {
  return values.empty() ? ""
                        : absl::StrCat(" ", name, "(", QuoteAll(values), ")");
}

std::string Number(absl::string_view name, int64_t value) {
  return value == 0 ? "" : absl::StrCat(" ", name, "(", value, ")");
}

std::string Flag(absl::string_view name, bool value) {
  return value ? absl::StrCat(" ", name) : "";
}

absl::string_view TypeName(Mount::Type type) {
  switch (type) {
    case Mount::Type::kBind:
      return "bind";
    case Mount::Type::kCache:
      return "cache";
    case Mount::Type::kTmpfs:
      return "tmpfs";
    case Mount::Type::kSecret:
      return "secret";
    case Mount::Type::kSsh:
      return "ssh";
  }
  return "";
}

absl::string_view SharingName(Mount::Sharing sharing) {
  switch (sharing) {
    case Mount::Sharing::kShared:
      return "";
    case Mount::Sharing::kPrivate:
      return " private";
    case Mount::Sharing::kLocked:
      return " locked";
  }
  return "";
}

std::string PrintMount(const Mount& mount) {
  return absl::StrCat(
      " mount(", TypeName(mount.type), " ", Quote(mount.target),
      Text("source", mount.source),
      mount.input ? absl::StrCat(" input(", *mount.input, ")") : "",
      Flag("writable", !mount.read_only), Text("id", mount.id),
      SharingName(mount.sharing), Flag("required", mount.required),
      Number("size", mount.size),
      mount.mode != 0 ? absl::StrFormat(" mode(0%o)", mount.mode) : "",
      Number("uid", mount.uid), Number("gid", mount.gid),
      Text("env", mount.env), ")");
}

// What an op does, in its canonical form: ` attributes` after the op's name.
struct Describe {
  bool complete = true;  // With what does not count for the effect.

  std::string operator()(const Scratch&) const { return ""; }

  std::string operator()(const BaseImage& op) const {
    // The same image under another name is the same tree.
    bool by_id = !complete && !op.image_id.empty();
    return absl::StrCat(
        by_id ? "" : " " + Quote(op.reference.Full()),
        op.image_id.empty() ? "" : Text("id", op.image_id.ToString()));
  }

  std::string operator()(const LocalFiles& op) const {
    return " " + Quote(op.name);
  }

  std::string operator()(const RemoteFile& op) const {
    return absl::StrCat(" ", Quote(op.url), Text("name", op.name),
                        Text("checksum", op.checksum));
  }

  std::string operator()(const GitTree& op) const {
    return absl::StrCat(
        " ", Quote(op.url), Text("ref", op.ref), Text("subdir", op.subdir),
        Text("checksum", op.checksum), Flag("keep-git", op.keep_git),
        Flag("skip-submodules", op.skip_submodules),
        Flag("by-commit", op.by_commit), Flag("commit-times", op.commit_times));
  }

  std::string operator()(const Run& op) const {
    std::string out = Texts("env", op.env);
    if (complete) {
      out += Texts("hidden-env", op.hidden_env);
    }
    out += Text("user", op.user);
    out += Text("dir", op.working_dir, "/");
    out += op.network == NetworkMode::kHost   ? " network(host)"
           : op.network == NetworkMode::kNone ? " network(none)"
                                              : "";
    out += Flag("insecure", op.insecure);
    out += Text("platform", op.platform);
    for (const Mount& mount : op.mounts) {
      out += PrintMount(mount);
    }
    for (const ScriptFile& script : op.scripts) {
      out += Texts("script", {script.name, script.data});
    }
    return absl::StrCat(out, " [", QuoteAll(op.args), "]");
  }

  std::string operator()(const Copy& op) const {
    std::string out =
        absl::StrCat(" [", QuoteAll(op.sources), "] ", Quote(op.destination));
    if (!op.source_inputs.empty()) {
      absl::StrAppend(&out, " from(", absl::StrJoin(op.source_inputs, ", "),
                      ")");
    }
    for (const InlineFile& file : op.files) {
      out += Texts("file", {file.name, file.data});
    }
    // Three values, one of them a flag: `given` without names resets to root.
    if (op.owner != Ownership{}) {
      absl::StrAppend(&out, op.owner.given ? " owner(" : " default-owner(",
                      QuoteAll({op.owner.user, op.owner.group}), ")");
    }
    out += Text("chmod", op.chmod);
    out += Flag("preserve-owner", op.preserve_owner);
    out += Flag("unpack", op.unpack);
    out += Flag("unpack-remote", op.unpack_remote);
    out += Flag("parents", op.parents);
    out += Flag("link", op.link);
    return out + Texts("exclude", op.exclude);
  }

  std::string operator()(const MakeDir& op) const {
    return absl::StrCat(" ", Quote(op.path), Text("user", op.user));
  }
};

absl::string_view OpName(const Op& op) {
  static constexpr absl::string_view kNames[] = {
      "scratch", "image", "local", "remote", "git", "run", "copy", "mkdir"};
  static_assert(std::size(kNames) == std::variant_size_v<Op>);
  return kNames[op.index()];
}

std::string PrintNode(uint32_t index, const Node& node) {
  std::string out = absl::StrCat("n", index, " = ", OpName(node.op));
  for (NodeId input : node.inputs) {
    absl::StrAppend(&out, " n", input.index);
  }
  out += std::visit(Describe{}, node.op);
  out += Text("stage", node.stage);
  out += Text("text", node.text);
  if (node.layer != LayerMark{}) {
    absl::StrAppend(&out, " layer(", node.layer.cut ? "cut, " : "",
                    node.layer.group, ")");
  }
  out += Flag("same-sandbox", node.same_sandbox);
  if (node.source != SourceRange{}) {
    absl::StrAppend(&out, " at(", node.source.begin, ", ", node.source.end,
                    ")");
  }
  return out + "\n";
}

std::string PrintHistoryStep(const HistoryStep& step) {
  const HistoryEntry& entry = step.entry;
  return absl::StrCat(
      "  history", step.node ? absl::StrCat(" n", step.node->index) : "", " ",
      Quote(entry.created_by), Text("created", entry.created),
      Text("author", entry.author), Text("comment", entry.comment),
      Flag("empty", entry.empty_layer), "\n");
}

}  // namespace

std::string PrintOp(const Op& op) {
  return absl::StrCat(OpName(op), std::visit(Describe{.complete = false}, op));
}

std::string PrintGraph(const BuildGraph& graph) {
  std::string out;
  for (uint32_t index = 0; index < graph.nodes.size(); ++index) {
    out += PrintNode(index, graph.nodes[NodeId{index}]);
  }
  for (const Target& target : graph.targets) {
    absl::StrAppend(&out, "target ", Quote(target.name), " n",
                    target.root.index);
    if (target.config != ImageConfig{}) {
      absl::StrAppend(&out, " config(", Quote(PrintImageConfig(target.config)),
                      ")");
    }
    out += "\n";
    for (const HistoryStep& step : target.history) {
      out += PrintHistoryStep(step);
    }
  }
  return out;
}

}  // namespace lamina::ir
