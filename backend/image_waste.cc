#include "backend/image_waste.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/formats/chain.h"
#include "backend/formats/hashing_source.h"
#include "backend/tar_fold_parser.h"
#include "backend/verify_image.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kPiece = 1 << 20;

// Layers without digests of files that another layer may have unchanged.
std::set<size_t> FindDoubtful(const std::vector<ir::StepDiff>& diffs) {
  std::set<size_t> doubtful;
  std::map<std::string, std::pair<size_t, uint64_t>> last;  // By path.
  for (size_t i = 0; i < diffs.size(); ++i) {
    for (const ir::Entry& entry : diffs[i].entries) {
      if (entry.type != ir::EntryType::kFile || entry.size == 0) {
        continue;
      }
      const auto [at, added] = last.insert({entry.path, {i, entry.size}});
      if (!added && at->second.second == entry.size) {
        doubtful.insert(i);
        doubtful.insert(at->second.first);
      }
      at->second = {i, entry.size};
    }
  }
  return doubtful;
}

// Fills in the digests of the files that the tar of a layer holds.
absl::Status FillDigests(const Digest& diff_id, Store& store,
                         ir::StepDiff& diff) {
  ASSIGN_OR_RETURN(std::optional<LayerBlob> blob, store.FindAnyBlob(diff_id));
  if (!blob.has_value()) {
    return absl::DataLossError(absl::StrCat(
        "layer ", diff_id.ToString(), " is missing from the store or damaged"));
  }
  ASSIGN_OR_RETURN(UniqueFd fd, store.OpenBlob(blob->digest));
  std::string format;
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> plain,
                   Decompress(MakeFdSource(fd.get()), &format));
  std::map<std::string, std::string> digests;
  FoldParser parser([&digests](FoldMember member) {
    digests[member.path] = std::move(member.state.body);
    return absl::OkStatus();
  });
  std::string buffer(kPiece, '\0');
  while (true) {
    ASSIGN_OR_RETURN(const size_t count,
                     plain->Read(buffer.data(), buffer.size()));
    if (count == 0) {
      break;
    }
    RETURN_IF_ERROR(parser.Add({buffer.data(), count}));
  }
  RETURN_IF_ERROR(parser.Finish());
  for (ir::Entry& entry : diff.entries) {
    const auto found = digests.find(entry.path);
    if (entry.type == ir::EntryType::kFile && entry.digest.empty() &&
        found != digests.end()) {
      absl::StatusOr<Digest> digest = Digest::Parse(found->second);
      entry.digest = digest.ok() ? *digest : Digest();
    }
  }
  return absl::OkStatus();
}

bool LacksDigests(const ir::StepDiff& diff) {
  for (const ir::Entry& entry : diff.entries) {
    if (entry.type == ir::EntryType::kFile && entry.digest.empty()) {
      return true;
    }
  }
  return false;
}

// One a layer; entries without a layer wrote nothing.
std::vector<std::string> Instructions(const Image& image) {
  std::vector<std::string> instructions;
  for (const ir::HistoryEntry& entry : image.document.history) {
    if (!entry.empty_layer) {
      instructions.push_back(entry.created_by);
    }
  }
  instructions.resize(image.layers.size());
  return instructions;
}

}  // namespace

absl::StatusOr<ImageWaste> FindImageWaste(const Image& image, Store& store) {
  ImageWaste waste = {.instructions = Instructions(image)};
  std::vector<ir::StepDiff> diffs;
  Digest chain;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    chain = ChainId(chain, image.document.diff_ids[i]);
    ASSIGN_OR_RETURN(Layer layer, store.GetLayer(image.layers[i]));
    waste.own.push_back(WasBuiltHere(layer, chain));
    ASSIGN_OR_RETURN(ir::StepDiff diff, store.ReadDiff(layer.id));
    diffs.push_back(std::move(diff));
  }
  for (size_t i : FindDoubtful(diffs)) {
    if (LacksDigests(diffs[i])) {
      RETURN_IF_ERROR(FillDigests(image.document.diff_ids[i], store, diffs[i]));
    }
  }
  // Of an image that was loaded as a whole nobody can tell base and own apart.
  const bool none_own = std::set<bool>(waste.own.begin(), waste.own.end()) ==
                        std::set<bool>{false};
  std::vector<WasteLayer> layers;
  for (size_t i = 0; i < diffs.size(); ++i) {
    layers.push_back({.diff = &diffs[i],
                      .instruction = waste.instructions[i],
                      .own = none_own || waste.own[i]});
  }
  waste.report = FindWaste(layers);
  return waste;
}

}  // namespace lamina::backend
