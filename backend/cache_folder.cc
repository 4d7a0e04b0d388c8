#include "backend/cache_folder.h"

#include <fcntl.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/formats/formats.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr absl::string_view kFormat = "lamina cache 1";
constexpr size_t kMaxIndex = size_t{256} << 20;  // Bytes.

std::string BlobFile(const std::string& folder, const Digest& digest) {
  return JoinPath(folder, absl::StrCat("blobs/sha256/", digest.hex()));
}

std::string DiffFile(const std::string& folder, const Digest& chain) {
  return JoinPath(folder, absl::StrCat("diffs/", chain.hex()));
}

// Copies a file and answers the digest of what was copied.
absl::StatusOr<Digest> CopyBytes(const std::string& from,
                                 const std::string& to) {
  ASSIGN_OR_RETURN(UniqueFd in, OpenFile(from, O_RDONLY));
  ASSIGN_OR_RETURN(UniqueFd out,
                   OpenFile(to, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  std::string buffer(1 << 20, '\0');
  Hasher hasher;
  while (true) {
    ASSIGN_OR_RETURN(size_t size,
                     ReadFull(in.get(), buffer.data(), buffer.size()));
    hasher.Update(buffer.data(), size);
    RETURN_IF_ERROR(WriteAll(out.get(), {buffer.data(), size}));
    if (size < buffer.size()) {
      return hasher.Finish();
    }
  }
}

Json LayerJson(const Layer& layer, const LayerBlob& blob) {
  Json json = Json::Object();
  json.Set("chain", layer.chain.ToString());
  json.Set("diff_id", blob.diff_id.ToString());
  json.Set("digest", blob.digest.ToString());
  json.Set("size", static_cast<int64_t>(blob.size));
  json.Set("tar_size", static_cast<int64_t>(blob.tar_size));
  json.Set("compression", std::string(CompressionName(blob.compression)));
  return json;
}

// Adds the member `layer` to `step`.
absl::Status WriteLayerFiles(LayerId id, const std::string& folder,
                             Store& store, const LayerWriterOptions& options,
                             Json& step) {
  ASSIGN_OR_RETURN(LayerBlob blob, EnsureBlob(id, store, options));
  ASSIGN_OR_RETURN(Layer layer, store.GetLayer(id));
  std::string file = BlobFile(folder, blob.digest);
  if (!FileExists(file)) {
    std::string part = absl::StrCat(file, ".part");
    RETURN_IF_ERROR(CopyBytes(store.BlobPath(blob.digest), part).status());
    if (rename(part.c_str(), file.c_str()) != 0) {
      return ErrnoError(absl::StrCat("write ", file));
    }
  }
  std::string diff_file = DiffFile(folder, layer.chain);
  if (!FileExists(diff_file)) {
    ASSIGN_OR_RETURN(ir::StepDiff diff, store.ReadDiff(id));
    RETURN_IF_ERROR(ReplaceFile(diff_file, ir::PrintStepDiff(diff), 0644,
                                /*durable=*/false));
  }
  step.Set("layer", LayerJson(layer, blob));
  return absl::OkStatus();
}

absl::StatusOr<Json> ReadIndex(const std::string& folder) {
  std::string path = JoinPath(folder, "index.json");
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxIndex));
  absl::StatusOr<Json> index = ParseJson(text);
  if (!index.ok() || (*index)["format"].string() != kFormat) {
    return absl::DataLossError(
        absl::StrCat(path, " is no index of a step cache; remove the folder, "
                           "or name another one"));
  }
  return index;
}

absl::StatusOr<LayerBlob> ParseBlob(const Json& json) {
  LayerBlob blob;
  ASSIGN_OR_RETURN(blob.diff_id, Digest::Parse(json["diff_id"].string()));
  ASSIGN_OR_RETURN(blob.digest, Digest::Parse(json["digest"].string()));
  blob.size = static_cast<uint64_t>(json["size"].integer());
  blob.tar_size = static_cast<uint64_t>(json["tar_size"].integer());
  for (Compression known :
       {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    if (json["compression"].string() == CompressionName(known)) {
      blob.compression = known;
      return blob;
    }
  }
  return absl::DataLossError("unknown compression");
}

absl::StatusOr<LayerId> ReadLayer(const Json& json, const std::string& folder,
                                  Store& store) {
  ASSIGN_OR_RETURN(Digest chain, Digest::Parse(json["chain"].string()));
  ASSIGN_OR_RETURN(std::optional<Layer> known, store.FindLayer(chain));
  if (known.has_value()) {
    return known->id;
  }
  ASSIGN_OR_RETURN(LayerBlob blob, ParseBlob(json));
  ASSIGN_OR_RETURN(std::string text,
                   ReadFile(DiffFile(folder, chain), kMaxIndex));
  ASSIGN_OR_RETURN(ir::StepDiff diff, ir::ParseStepDiff(text));
  std::string file = JoinPath(store.scratch(), "cached-layer");
  ASSIGN_OR_RETURN(Digest digest,
                   CopyBytes(BlobFile(folder, blob.digest), file));
  if (digest != blob.digest) {
    return absl::DataLossError(absl::StrCat(
        BlobFile(folder, blob.digest), " is damaged: its digest is ",
        digest.ToString()));
  }
  ASSIGN_OR_RETURN(LayerId reserved, store.ReserveLayer());
  RETURN_IF_ERROR(store.PublishBlob(file, blob.digest));
  ASSIGN_OR_RETURN(Layer layer, store.AddLayer(reserved, chain, diff,
                                               /*unpacked=*/false));
  RETURN_IF_ERROR(store.SetBlob(layer.id, blob, nullptr));
  return layer.id;
}

absl::Status ReadStep(const Json& json, const std::string& folder,
                      Store& store) {
  StepRecord record;
  ASSIGN_OR_RETURN(record.key, Digest::Parse(json["key"].string()));
  ASSIGN_OR_RETURN(std::optional<StepRecord> known,
                   store.FindStep(record.key));
  if (known.has_value()) {
    return absl::OkStatus();
  }
  if (json["layer"].is_object()) {
    ASSIGN_OR_RETURN(record.layer, ReadLayer(json["layer"], folder, store));
  }
  record.seconds = static_cast<double>(json["milliseconds"].integer()) / 1000;
  record.created = json["created"].integer();
  record.name = json["name"].string();
  record.inputs = json["inputs"].string();
  return store.AddStep(record);
}

}  // namespace

absl::Status WriteCacheFolder(const std::vector<StepRecord>& steps,
                              const std::string& folder, Store& store,
                              const LayerWriterOptions& options) {
  RETURN_IF_ERROR(MakeDirs(JoinPath(folder, "blobs/sha256")));
  RETURN_IF_ERROR(MakeDirs(JoinPath(folder, "diffs")));
  std::map<std::string, Json> by_key;
  absl::StatusOr<Json> old = ReadIndex(folder);
  if (old.ok()) {
    for (const Json& step : (*old)["steps"].array()) {
      by_key[step["key"].string()] = step;
    }
  } else if (!absl::IsNotFound(old.status())) {
    return old.status();
  }
  for (const StepRecord& step : steps) {
    Json json = Json::Object();
    json.Set("key", step.key.ToString());
    json.Set("name", step.name);
    json.Set("inputs", step.inputs);
    json.Set("created", step.created);
    json.Set("milliseconds", static_cast<int64_t>(step.seconds * 1000));
    if (step.layer.has_value()) {
      RETURN_IF_ERROR(
          WriteLayerFiles(*step.layer, folder, store, options, json));
    }
    by_key[step.key.ToString()] = std::move(json);
  }
  Json index = Json::Object();
  index.Set("format", std::string(kFormat));
  Json list = Json::Array();
  for (auto& [key, step] : by_key) {
    list.Append(std::move(step));
  }
  index.Set("steps", std::move(list));
  return ReplaceFile(JoinPath(folder, "index.json"),
                     absl::StrCat(PrintJson(index), "\n"), 0644,
                     /*durable=*/false);
}

absl::Status ReadCacheFolder(const std::string& folder, Store& store) {
  absl::StatusOr<Json> index = ReadIndex(folder);
  if (absl::IsNotFound(index.status())) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(index.status());
  for (const Json& step : (*index)["steps"].array()) {
    RETURN_IF_ERROR(Annotate(ReadStep(step, folder, store),
                             absl::StrCat("while reading the cache ", folder)));
  }
  return absl::OkStatus();
}

}  // namespace lamina::backend
