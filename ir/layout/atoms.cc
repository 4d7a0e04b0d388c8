#include "ir/layout/atoms.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/text.h"
#include "ir/layout/change_vector.h"
#include "ir/layout/segments.h"

namespace lamina::ir {
namespace {

constexpr int kMaxBits = 512;
constexpr absl::string_view kBaseChanges = "base-changes";
constexpr absl::string_view kIndex = "index";

AtomRole RoleOf(absl::string_view owner) {
  return owner == kBaseChanges ? AtomRole::kBaseChanges
         : owner == kIndex     ? AtomRole::kIndex
                               : AtomRole::kNormal;
}

// A path of the net diff of all steps.
struct OwnPath {
  int path = 0;
  const PathState* state = nullptr;  // Null: a whiteout.
  StatePiece piece;
  std::vector<int> steps;  // That made its content, then its metadata.
};

// The steps behind the last state: the one that wrote the bytes, and those
// that changed only metadata since.
std::vector<int> StepsBehind(absl::Span<const StateInterval> all) {
  std::vector<int> steps;
  for (size_t at = all.size() - 1; at > 0; --at) {
    steps.push_back(all[at].begin);
    const PathState* before = all[at - 1].state;
    if (all[at].state == nullptr || before == nullptr ||
        all[at].state->type != before->type ||
        all[at].state->body != before->body) {
      break;
    }
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

std::vector<OwnPath> FindOwnPaths(const PathHistories& histories) {
  std::vector<OwnPath> own;
  int last = histories.positions();
  for (int path = 0; path < histories.size(); ++path) {
    absl::Span<const StateInterval> all = histories.intervals(path);
    if (all.size() == 1 || all.front().value == all.back().value) {
      continue;
    }
    StatePiece piece = histories.PieceAt(path, all.size() - 1, last);
    if (all.back().state != nullptr || piece.whiteout) {
      own.push_back({path, all.back().state, piece, StepsBehind(all)});
    }
  }
  return own;
}

std::string TopFolders(absl::string_view path) {
  absl::string_view folder = DirName(path);
  size_t second = folder.find('/', folder.find('/') + 1);
  bool deep = folder.find('/') != absl::string_view::npos;
  folder = deep ? folder.substr(0, second) : folder;
  return folder.empty() ? "." : std::string(folder);
}

class AtomFinder {
 public:
  AtomFinder(const PathHistories& histories, const EpochBits& epochs,
             const ReadText& read)
      : histories_(histories), epochs_(epochs), own_(FindOwnPaths(histories)) {
    std::vector<std::string> present;
    for (const OwnPath& own : own_) {
      if (own.state != nullptr) {
        present.emplace_back(histories.path(own.path));
      }
    }
    owners_ = FindOwners(present, read);
  }

  std::vector<Atom> Find() {
    // By owner, then by change vector.
    std::map<std::string, std::map<std::string, std::vector<const OwnPath*>>>
        groups;
    std::map<int, std::pair<std::string, std::string>> inodes;
    for (const OwnPath& own : own_) {
      std::string owner = OwnerOf(own);
      std::string part = RoleOf(owner) == AtomRole::kNormal ? Vector(own) : "";
      std::pair<std::string, std::string> key = {std::move(owner),
                                                 std::move(part)};
      if (own.piece.first_name >= 0) {
        // All names of an inode go where the first one goes.
        key = inodes.try_emplace(own.piece.first_name, key).first->second;
      }
      groups[key.first][key.second].push_back(&own);
    }
    std::map<std::string, Atom> atoms;
    for (const auto& [owner, parts] : groups) {
      AddOwner(owner, parts, atoms);
    }
    std::vector<Atom> sorted;
    for (auto& [id, atom] : atoms) {
      sorted.push_back(std::move(atom));
    }
    return sorted;
  }

 private:
  using Parts = std::map<std::string, std::vector<const OwnPath*>>;

  // The part with the first step keeps the plain id.
  void AddOwner(const std::string& owner, const Parts& parts,
                std::map<std::string, Atom>& atoms) {
    std::vector<Atom> made;
    for (const auto& [vector, paths] : parts) {
      made.push_back(MakeAtom(owner, paths));
    }
    std::stable_sort(made.begin(), made.end(),
                     [](const Atom& a, const Atom& b) {
                       return a.first_step < b.first_step;
                     });
    for (size_t at = 0; at < made.size(); ++at) {
      if (at > 0) {
        absl::StrAppend(&made[at].id, "@", made[at].first_step);
      }
      // Two parts of one step differ in their later steps only.
      while (atoms.contains(made[at].id)) {
        absl::StrAppend(&made[at].id, "@", made[at].last_step);
      }
      atoms.emplace(made[at].id, made[at]);
    }
  }

  std::string OwnerOf(const OwnPath& own) const {
    const StateInterval& base = histories_.intervals(own.path).front();
    if (own.state == nullptr ||
        (base.state != nullptr && base.state->type != own.state->type)) {
      return std::string(kBaseChanges);
    }
    absl::string_view path = histories_.path(own.path);
    if (IsIndexFile(path)) {
      return std::string(kIndex);
    }
    auto owner = owners_.find(path);
    // Ids are written into JSON, which holds UTF-8 only.
    return EscapeControls(
        owner != owners_.end()
            ? owner->second
            : absl::StrCat("step:", own.steps.front(), ":", TopFolders(path)));
  }

  std::string Vector(const OwnPath& own) {
    auto [at, is_new] = vectors_.try_emplace(own.steps);
    if (is_new) {
      for (int step : own.steps) {
        at->second = JoinVectors(at->second, epochs_.vectors[step - 1]);
      }
    }
    return at->second;
  }

  Atom MakeAtom(const std::string& owner,
                const std::vector<const OwnPath*>& paths) {
    Atom atom = {.id = owner, .role = RoleOf(owner), .first_step = INT32_MAX};
    Hasher hasher;
    for (const OwnPath* own : paths) {
      atom.paths.push_back(own->path);
      atom.bytes += own->state == nullptr
                        ? kEntryBytes
                        : EntryWeight(*own->state, own->piece);
      atom.first_step = std::min(atom.first_step, own->steps.front());
      atom.last_step = std::max(atom.last_step, own->steps.back());
      if (own == paths.front() || atom.role != AtomRole::kNormal) {
        atom.changed = JoinVectors(atom.changed, Vector(*own));
      }
      AddContents(*own, hasher);
    }
    atom.contents = hasher.Finish().hex();
    atom.package =
        atom.role == AtomRole::kNormal && !absl::StartsWith(owner, "step:");
    return atom;
  }

  void AddContents(const OwnPath& own, Hasher& hasher) const {
    hasher.UpdateField(histories_.path(own.path));
    if (own.state == nullptr) {
      hasher.UpdateField("w");
      return;
    }
    const PathState& state = *own.state;
    hasher.UpdateField(absl::StrCat(static_cast<int>(state.type), " ",
                                    state.mode, " ", state.uid, " ",
                                    state.gid));
    hasher.UpdateField(state.body);
    hasher.UpdateField(
        own.piece.first_name < 0 ? "" : histories_.path(own.piece.first_name));
    for (const auto& [name, value] : state.xattrs) {
      hasher.UpdateField(name);
      hasher.UpdateField(value);
    }
  }

  const PathHistories& histories_;
  const EpochBits& epochs_;
  std::vector<OwnPath> own_;
  std::map<std::string, std::string, std::less<>> owners_;
  std::map<std::vector<int>, std::string> vectors_;
};

}  // namespace

EpochBits CountEpochs(const Trace& trace) {
  std::vector<int64_t> weights;
  for (const Epoch& epoch : trace.epochs) {
    weights.push_back(epoch.weight);
  }
  auto total = [&weights] {
    return std::accumulate(weights.begin(), weights.end(), int64_t{0});
  };
  while (total() > kMaxBits && total() > static_cast<int64_t>(weights.size())) {
    for (int64_t& weight : weights) {
      weight = weight / 2 + weight % 2;
    }
  }
  EpochBits bits = {.epochs = static_cast<int>(std::max<int64_t>(total(), 1)),
                    .vectors = std::vector<std::string>(trace.steps.size())};
  std::vector<std::vector<bool>> steps(trace.steps.size(),
                                       std::vector<bool>(bits.epochs));
  int bit = 0;
  for (size_t epoch = 0; epoch < weights.size(); ++epoch) {
    for (int64_t copy = 0; copy < weights[epoch]; ++copy, ++bit) {
      for (int step : trace.epochs[epoch].steps) {
        steps[step - 1][bit] = true;
      }
    }
  }
  for (size_t step = 0; step < steps.size(); ++step) {
    bits.vectors[step] = VectorOf(steps[step]);
  }
  return bits;
}

std::vector<Atom> FindAtoms(const PathHistories& histories,
                            const EpochBits& epochs, const ReadText& read) {
  return AtomFinder(histories, epochs, read).Find();
}

}  // namespace lamina::ir
