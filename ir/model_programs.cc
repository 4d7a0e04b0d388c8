#include "ir/model_programs.h"

#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

bool IsModelStep(const Op& op) {
  return std::holds_alternative<Run>(op) || std::holds_alternative<Copy>(op) ||
         std::holds_alternative<MakeDir>(op);
}

bool MakeModelFolder(const MakeDir& make, ModelTree& tree) {
  std::optional<std::string> path = tree.Resolve(make.path, true);
  return path && tree.MakeFolders(*path, 0755, 0, 0);
}

// The tree after a node, from those of its inputs; nothing if it failed.
std::optional<ModelTree> RunNode(const Node& node,
                                 const std::vector<ModelTree>& trees,
                                 const ModelWorld& world) {
  if (const auto* image = std::get_if<BaseImage>(&node.op)) {
    return world.images.at(image->reference.Full());
  }
  if (const auto* local = std::get_if<LocalFiles>(&node.op)) {
    return world.contexts.at(local->name);
  }
  if (node.inputs.empty()) {
    return ModelTree();
  }
  ModelTree tree = trees[node.inputs[0].index];
  bool good = true;
  if (const auto* run = std::get_if<Run>(&node.op)) {
    good = tree.RunCommand(*run);
  } else if (const auto* copy = std::get_if<Copy>(&node.op)) {
    good = CopyModel(
        *copy, node.inputs.size() > 1 ? &trees[node.inputs[1].index] : nullptr,
        tree);
  } else if (const auto* make = std::get_if<MakeDir>(&node.op)) {
    good = MakeModelFolder(*make, tree);
  }
  return good ? std::optional(std::move(tree)) : std::nullopt;
}

// Makes programs out of few names, so that steps meet each other often.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  ModelProgram Make() {
    MakeWorld();
    for (int stages = 1 + Below(3); stages-- > 0;) {
      MakeStage();
    }
    int targets = Chance(15) && stages_.size() > 1 ? 2 : 1;
    for (size_t i = stages_.size() - targets; i < stages_.size(); ++i) {
      program_.graph.targets.push_back(std::move(stages_[i]));
    }
    program_.run.trees = std::move(trees_);
    return std::move(program_);
  }

 private:
  int Below(int limit) {
    return static_cast<int>(random_() % static_cast<uint64_t>(limit));
  }
  bool Chance(int percent) { return Below(100) < percent; }
  template <size_t kSize>
  std::string Pick(const char* const (&words)[kSize]) {
    return words[Below(kSize)];
  }

  std::string Name() { return Pick({"a", "b", "x", "y"}); }
  std::string Path() {
    std::string path = absl::StrCat("/", Name());
    return Chance(60) ? absl::StrCat(path, "/", Name()) : path;
  }
  std::string Mode() {
    return Pick({"755", "0755", "644", "600", "0700", "4755", "+x", "a+x",
                 "u+x", "+w", "go-w", "a+rX", "-w", "u=rw"});
  }
  std::string Owner() {
    return Pick({"0:0", "1000:1000", "7:8", "1000", "7:"});
  }

  // --- what steps read -----------------------------------------------------

  ModelTree Files(int64_t time) {
    ModelTree tree;
    for (int count = 1 + Below(5); count-- > 0;) {
      std::string path = Path().substr(1);
      if (!tree.MakeFolders(std::string(path.substr(0, path.find('/'))), 0755,
                            0, 0) ||
          tree.IsFolder(path)) {
        continue;
      }
      Entry entry = {.mode = Chance(80)   ? 0644U
                             : Chance(50) ? 0755U
                                          : 04711U,
                     .uid = Chance(80) ? 0U : 5U,
                     .mtime = time,
                     .size = 1};
      entry.digest = Sha256(absl::StrCat(Below(3)));
      if (Chance(20)) {
        entry.type = EntryType::kSymlink;
        entry.mode = 0777;
        entry.size = 0;
        entry.digest = Digest();
        entry.link = Chance(50) ? Path() : Name();
      }
      const std::map<std::string, ModelFile>& files = tree.files();
      bool linked = Chance(15) && !files.empty() &&
                    files.rbegin()->second.entry.type == EntryType::kFile;
      if (linked) {
        tree.Put(path, ModelFile(files.rbegin()->second));
      } else {
        tree.PutNew(path, std::move(entry));
      }
    }
    return tree;
  }

  static void SetLink(const std::string& path, const std::string& target,
                      ModelTree& tree) {
    Entry link = {.type = EntryType::kSymlink, .mode = 0777};
    link.link = target;
    tree.Erase(path);
    tree.PutNew(path, std::move(link));
  }

  void MakeWorld() {
    ModelTree context = Files(2);
    // Names that are certain to be there.
    context.Erase("f");
    context.PutNew("f", {.mode = Chance(80) ? 0644U : 04711U,
                         .mtime = 3,
                         .size = 1,
                         .digest = Sha256("f")});
    context.PutNew(
        "g", {.mode = 0600, .mtime = 4, .size = 1, .digest = Sha256("g")});
    ModelTree base_files = Files(1);
    trap_ = Chance(5);
    if (trap_) {
      // A copy through this link replaces it.
      SetLink("a", "/", base_files);
      SetLink("a", "b", context);
    }
    program_.world.contexts[""] = std::move(context);
    context_ = AddNode(program_.graph, {.op = LocalFiles{""}});
    ImageReference base = *ImageReference::Parse("base");
    program_.world.images[base.Full()] = std::move(base_files);
    NodeId image =
        AddNode(program_.graph, {.op = BaseImage{base, Sha256("base")}});
    NodeId scratch = AddNode(program_.graph, {.op = Scratch{}});
    roots_ = {image, scratch};
    trees_ = RunModel(program_.graph, program_.world).trees;
  }

  // --- steps ---------------------------------------------------------------

  void MakeStage() {
    Target stage;
    if (!stages_.empty() && Chance(40)) {
      stage = stages_[Below(static_cast<int>(stages_.size()))];
    } else {
      stage.root = roots_[Chance(60) ? 0 : 1];
    }
    stage.name = absl::StrCat("s", stages_.size());
    stage.config.env = {absl::StrCat("STAGE=", stage.name)};
    stage_ = stage.name;
    for (int wanted = 1 + Below(6), tries = 24; wanted > 0 && tries > 0;
         --tries) {
      if (Chance(10)) {
        stage.history.push_back(
            {{.created_by = absl::StrCat("ENV ", tries), .empty_layer = true},
             std::nullopt});
      }
      wanted -= AddStep(stage) ? 1 : 0;
    }
    stages_.push_back(std::move(stage));
  }

  bool AddStep(Target& stage) {
    Node node = {.inputs = {stage.root}, .stage = stage_};
    int kind = Below(100);
    if (kind < 8 && !steps_.empty()) {
      // What another stage, or this one, did before.
      node =
          program_.graph.nodes[steps_[Below(static_cast<int>(steps_.size()))]];
      node.inputs[0] = stage.root;
      node.stage = stage_;
    } else if (kind < 50) {
      MakeCopy(node);
    } else if (kind < 60) {
      node.op = MakeDir{Path(), ""};
    } else {
      MakeRun(node);
    }
    std::optional<ModelTree> tree = RunNode(node, trees_, program_.world);
    if (!tree) {
      return false;
    }
    last_copy_.reset();
    if (const auto* copy = std::get_if<Copy>(&node.op)) {
      last_copy_ = *copy;
    }
    trees_.push_back(*std::move(tree));
    stage.root = AddNode(program_.graph, std::move(node));
    steps_.push_back(stage.root);
    stage.history.push_back(
        {{.created_by = absl::StrCat("step ", stage.root.index)}, stage.root});
    return true;
  }

  void MakeCopy(Node& node) {
    Copy copy;
    if (last_copy_ && Chance(45)) {
      copy = *last_copy_;  // Likely to overwrite it.
      if (Chance(30) && !copy.sources.empty()) {
        copy.sources.push_back(Pick({"f", "g"}));
      }
      if (Chance(15)) {
        copy.chmod = Mode();
      }
    } else {
      int sources = Chance(25) ? 2 : 1;
      for (int i = 0; i < sources; ++i) {
        copy.sources.push_back(Chance(60)   ? Pick({"f", "g"})
                               : Chance(80) ? Path().substr(1)
                                            : std::string("."));
      }
      copy.destination =
          Chance(15) ? "/" : Path() + (sources > 1 || Chance(60) ? "/" : "");
      copy.chmod = Chance(20) ? Mode() : "";
      if (Chance(20)) {
        copy.owner = {Pick({"0", "7", "1000"}), Pick({"", "0", "8"}), true};
      }
      copy.link = Chance(8);
    }
    NodeId source = context_;
    if (trap_ && Chance(50)) {
      copy = {.sources = {"."}, .destination = "/a/"};
    } else if (Chance(25)) {
      copy.files = {{Name(), Pick({"1", "2"})}};
      if (Chance(60)) {
        copy.sources.clear();
      }
    } else if (Chance(20) && !steps_.empty()) {
      source = steps_[Below(static_cast<int>(steps_.size()))];
      copy.sources = {Chance(70) ? Path() : std::string("/")};
      copy.preserve_owner = !copy.owner.given;
    }
    if (copy.files.size() + copy.sources.size() > 1 &&
        copy.destination.back() != '/') {
      copy.destination += "/";
    }
    if (!copy.sources.empty()) {
      node.inputs.push_back(source);
    }
    node.op = std::move(copy);
  }

  // A command on what the copy before wrote, or on anything.
  std::string Subject() {
    if (!last_copy_ || Chance(30)) {
      return Path();
    }
    const Copy& copy = *last_copy_;
    std::string path = copy.destination;
    if (path.back() != '/') {
      return path;
    }
    std::string all;
    for (const std::string& source : copy.sources) {
      absl::StrAppend(&all, all.empty() ? "" : " ", path, BaseName(source));
    }
    for (const InlineFile& file : copy.files) {
      absl::StrAppend(&all, all.empty() ? "" : " ", path, file.name);
    }
    return all;
  }

  std::string Command() {
    switch (Below(last_copy_ ? 12 : 8)) {
      case 0:
        return absl::StrCat("rm -rf ", Path());
      case 1:
        return absl::StrCat("mv ", Path(), " ", Path());
      case 2:
        return absl::StrCat("ln ", Path(), " ", Path());
      case 3:
        return absl::StrCat("ln -s ", Chance(50) ? Path() : Name(), " ",
                            Path());
      case 4:
        return absl::StrCat("mkdir -p ", Path());
      case 5:
        return "true";
      case 6:
      case 7:
        return absl::StrCat("echo ", Below(3), " > ", Path());
      case 8:
      case 9:
        return absl::StrCat("chmod ", Chance(20) ? "-R " : "", Mode(), " ",
                            Subject());
      default:
        return absl::StrCat("chown ", Chance(20) ? "-R " : "", Owner(), " ",
                            Subject());
    }
  }

  void MakeRun(Node& node) {
    Run run;
    run.args = {"/bin/sh", "-c", Command()};
    run.env = {"PATH=/usr/bin:/bin"};
    run.user = Chance(8) ? "1000" : "";
    run.working_dir = Chance(15) ? Path() : "/";
    run.network = Chance(10) ? NetworkMode::kNone : NetworkMode::kDefault;
    if (Chance(10)) {
      run.mounts.push_back({.type = Mount::Type::kTmpfs, .target = "/tmp"});
    }
    node.op = std::move(run);
  }

  std::mt19937_64 random_;
  ModelProgram program_;
  std::vector<ModelTree> trees_;  // By node.
  NodeId context_;
  std::vector<NodeId> roots_;
  std::vector<NodeId> steps_;
  std::vector<Target> stages_;
  std::string stage_;
  std::optional<Copy> last_copy_;
  bool trap_ = false;
};

}  // namespace

ModelRun RunModel(const BuildGraph& graph, const ModelWorld& world) {
  ModelRun run;
  for (uint32_t index = 0; index < graph.nodes.size(); ++index) {
    std::optional<ModelTree> tree =
        RunNode(graph.nodes[NodeId{index}], run.trees, world);
    if (!tree) {
      run.failed = NodeId{index};
      break;
    }
    run.trees.push_back(*std::move(tree));
  }
  return run;
}

StepDiff StepDiffOf(const BuildGraph& graph, const ModelRun& run, NodeId id) {
  const Node& node = graph.nodes[id];
  if (!IsModelStep(node.op)) {
    return StepDiff();
  }
  return DiffModel(run.trees[node.inputs[0].index], run.trees[id.index]);
}

ModelProgram RandomProgram(uint64_t seed) { return Generator(seed).Make(); }

Facts ModelFacts(const ModelWorld& world) {
  Facts facts;
  facts.list_copy = [&world](const Copy& copy, const LocalFiles& from)
      -> std::optional<std::vector<Facts::Picked>> {
    std::optional<std::vector<ModelPick>> picks =
        ListModel(copy, world.contexts.at(from.name));
    if (!picks) {
      return std::nullopt;
    }
    std::vector<Facts::Picked> listed;
    for (ModelPick& pick : *picks) {
      listed.push_back(
          {std::move(pick.name), pick.from_folder, std::move(pick.file.entry)});
    }
    return listed;
  };
  auto trees = std::make_shared<std::map<std::string, Tree>>();
  facts.base_tree = [&world, trees](const BaseImage& base) {
    std::string name = base.reference.Full();
    auto [tree, is_new] = trees->try_emplace(name);
    if (is_new) {
      tree->second.Apply(DiffModel(ModelTree(), world.images.at(name)));
    }
    return static_cast<const Tree*>(&tree->second);
  };
  return facts;
}

}  // namespace lamina::ir
