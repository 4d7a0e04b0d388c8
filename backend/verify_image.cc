#include "backend/verify_image.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/formats/chain.h"
#include "backend/layer_reading.h"
#include "backend/tar_fold.h"
#include "base/json.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kMostConfig = 8 << 20;
constexpr Compression kForms[] = {Compression::kNone, Compression::kGzip,
                                  Compression::kZstd};

class Check {
 public:
  Check(const Image& image, Store& store, const VerifyOptions& options)
      : image_(image),
        store_(store),
        options_(options),
        fold_(TarRules::kForeign) {}

  absl::StatusOr<ImageVerdict> Run() {
    verdict_.layers = image_.layers.size();
    RETURN_IF_ERROR(CheckDocument());
    const size_t count =
        std::min(image_.layers.size(), image_.document.diff_ids.size());
    Digest chain;
    for (size_t i = 0; i < count; ++i) {
      chain = ChainId(chain, image_.document.diff_ids[i]);
      RETURN_IF_ERROR(CheckLayer(i, chain));
    }
    if (folded_) {
      verdict_.paths = fold_.states().size();
      verdict_.tree = ir::TreeDigest(fold_.states());
    }
    if (folded_ && recorded_) {
      CompareWithRecords();
    }
    return std::move(verdict_);
  }

 private:
  void Problem(absl::string_view text) {
    verdict_.problems.push_back(std::string(text));
  }

  // The bytes themselves: parsing repairs a history that does not fit.
  absl::Status CheckDocument() {
    absl::StatusOr<std::string> bytes = store_.ReadBlob(image_.id, kMostConfig);
    if (!bytes.ok() && !absl::IsDataLoss(bytes.status())) {
      return bytes.status();
    }
    absl::StatusOr<Json> config =
        bytes.ok() ? ParseJson(*bytes) : bytes.status();
    if (!config.ok()) {
      Problem(absl::StrCat("configuration: ", config.status().message()));
      return absl::OkStatus();
    }
    const size_t diff_ids = (*config)["rootfs"]["diff_ids"].array().size();
    const Json::List& history = (*config)["history"].array();
    const size_t written = static_cast<size_t>(std::count_if(
        history.begin(), history.end(),
        [](const Json& entry) { return !entry["empty_layer"].boolean(); }));
    if (written != diff_ids && !history.empty()) {
      Problem(absl::StrCat("configuration: its history writes ", written,
                           " layers, but it has ", diff_ids, " diff ids"));
    }
    if (diff_ids != image_.layers.size()) {
      Problem(absl::StrCat("configuration: it has ", diff_ids,
                           " diff ids, but the store has ",
                           image_.layers.size(), " layers of it"));
    }
    return absl::OkStatus();
  }

  absl::Status CheckLayer(size_t index, const Digest& chain) {
    const Digest& diff_id = image_.document.diff_ids[index];
    const std::string name =
        absl::StrCat("layer ", index + 1, " (", diff_id.ToString(), "): ");
    absl::StatusOr<Layer> layer = store_.GetLayer(image_.layers[index]);
    absl::StatusOr<ir::StepDiff> diff = store_.ReadDiff(image_.layers[index]);
    const absl::Status record = layer.ok() ? diff.status() : layer.status();
    if (record.ok()) {
      tree_.Apply(*diff);
    } else {
      Problem(absl::StrCat(name, record.message()));
      recorded_ = false;
    }
    if (layer.ok() && layer->diff_id != diff_id) {
      Problem(absl::StrCat(name, "the store has recorded it as ",
                           layer->diff_id.value_or(Digest()).ToString()));
    }
    RETURN_IF_ERROR(CheckForms(diff_id, name));
    if (!layer.ok() || !folded_) {
      return absl::OkStatus();
    }
    const bool own = options_.strict || WasBuiltHere(*layer, chain);
    for (const std::string& rule : fold_.broken_rules()) {
      (own ? verdict_.problems : verdict_.notes)
          .push_back(absl::StrCat(name, rule));
    }
    return absl::OkStatus();
  }

  // Every stored form of one layer; the first one is folded.
  absl::Status CheckForms(const Digest& diff_id, const std::string& name) {
    bool found = false;
    for (Compression form : kForms) {
      ASSIGN_OR_RETURN(std::optional<LayerBlob> blob,
                       store_.FindBlob(diff_id, form));
      if (!blob.has_value()) {
        continue;
      }
      const bool folds = folded_ && !found;
      found = true;
      ASSIGN_OR_RETURN(LayerReading reading,
                       ReadLayerTar(*blob, store_, folds ? &fold_ : nullptr));
      CheckReading(*blob, reading, name);
      folded_ = folded_ && (!folds || reading.content.ok());
    }
    if (!found) {
      folded_ = false;
      Problem(absl::StrCat(name, WhyMissing(diff_id)));
    }
    return absl::OkStatus();
  }

  void CheckReading(const LayerBlob& blob, const LayerReading& reading,
                    const std::string& name) {
    const std::string what = absl::StrCat(
        name, "blob ", blob.digest.ToString(),
        blob.compression == Compression::kNone
            ? ""
            : absl::StrCat(" (", CompressionName(blob.compression), ")"));
    if (reading.digest != blob.digest) {
      Problem(absl::StrCat(what, " is damaged: its bytes are ",
                           reading.digest.ToString()));
    }
    if (reading.size != blob.size) {
      Problem(absl::StrCat(what, " has ", reading.size, " bytes instead of ",
                           blob.size));
    }
    if (!reading.content.ok()) {
      Problem(absl::StrCat(what, ": ", reading.content.message()));
      return;
    }
    if (reading.diff_id != blob.diff_id && reading.digest == blob.digest) {
      Problem(
          absl::StrCat(what, " holds the tar ", reading.diff_id.ToString()));
    }
    if (reading.tar_size != blob.tar_size) {
      Problem(absl::StrCat(what, " holds a tar of ", reading.tar_size,
                           " bytes instead of ", blob.tar_size));
    }
  }

  std::string WhyMissing(const Digest& diff_id) const {
    struct stat info;
    return stat(store_.BlobPath(diff_id).c_str(), &info) == 0
               ? absl::StrCat("its blob has ", info.st_size,
                              " bytes, which is not what was written")
               : std::string("its blob is missing from the store");
  }

  void CompareWithRecords() {
    ir::PathStates promised = ir::StatesOf(tree_);
    ir::PathStates found = fold_.states();
    promised.erase("");
    for (auto& [path, state] : found) {
      const ir::Tree::Item* item = tree_.Find(path);
      if (state.type != ir::EntryType::kFile) {
        state.link.clear();  // Records have links of files only.
      } else if (item != nullptr && item->entry.digest.empty() &&
                 item->entry.size == state.size &&
                 item->entry.type == ir::EntryType::kFile) {
        // Of a layer from elsewhere only the headers were recorded.
        promised.at(path).body = state.body;
      }
    }
    verdict_.differences = CompareRoots();
    for (ir::TreeDifference& difference :
         ir::CompareTrees(promised, found, options_.most_differences + 1)) {
      verdict_.differences.push_back(std::move(difference));
    }
    if (verdict_.differences.size() > options_.most_differences) {
      verdict_.differences.resize(options_.most_differences);
      verdict_.more_differences = true;
    }
  }

  std::vector<ir::TreeDifference> CompareRoots() const {
    const ir::Tree::Item* item = tree_.Find("");
    const auto root = [](const std::optional<ir::PathState>& state) {
      ir::PathStates states;
      if (state.has_value()) {
        states["."] = *state;
      }
      return states;
    };
    std::optional<ir::PathState> promised;
    if (item != nullptr) {
      promised = ir::PathState{.type = item->entry.type,
                               .mode = item->entry.mode,
                               .uid = item->entry.uid,
                               .gid = item->entry.gid,
                               .mtime = item->entry.mtime,
                               .xattrs = item->entry.xattrs};
    }
    std::vector<ir::TreeDifference> differences = ir::CompareTrees(
        root(promised), root(fold_.root()), options_.most_differences);
    for (ir::TreeDifference& difference : differences) {
      difference.path = std::string("/");
    }
    return differences;
  }

  const Image& image_;
  Store& store_;
  const VerifyOptions& options_;
  ImageVerdict verdict_;
  TarFold fold_;
  bool folded_ = true;    // All layers so far.
  ir::Tree tree_;         // Of the records,
  bool recorded_ = true;  // if there is one of every layer.
};

}  // namespace

absl::StatusOr<ImageVerdict> VerifyImage(const Image& image, Store& store,
                                         const VerifyOptions& options) {
  return Check(image, store, options).Run();
}

bool WasBuiltHere(const Layer& layer, const Digest& chain) {
  return layer.chain != chain;
}

}  // namespace lamina::backend
