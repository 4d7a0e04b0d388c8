// Archives into the store. Everything is read and verified in scratch files
// first; the store changes only when the whole archive was found good.
#include <fcntl.h>

#include <map>

#include "backend/formats/archive_index.h"
#include "backend/formats/chain.h"
#include "backend/formats/formats.h"
#include "backend/formats/hashing_source.h"
#include "backend/formats/member_set.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

constexpr size_t kMostLayers = 4096;

// A layer whose bytes were read to the end.
struct VerifiedLayer {
  LayerBlob blob;
  ir::StepDiff diff;
  std::string file;  // Holds the bytes of blob.digest.
};

struct VerifiedImage {
  std::string config_json;
  ir::ImageDocument document;
  std::vector<const VerifiedLayer*> layers;  // Bottom to top.
  std::vector<ir::ImageReference> names;
};

Compression StoredCompression(absl::string_view format) {
  return format == "gzip"   ? Compression::kGzip
         : format == "zstd" ? Compression::kZstd
                            : Compression::kNone;
}

// xz and bzip2 are read from foreign archives but never stored.
absl::Status WritePlain(ByteSource& source, const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  std::string buffer(1 << 20, '\0');
  while (true) {
    ASSIGN_OR_RETURN(size_t count, source.Read(buffer.data(), buffer.size()));
    if (count == 0) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(
        WriteAll(fd.get(), absl::string_view(buffer.data(), count)));
  }
}

absl::StatusOr<VerifiedLayer> ReadLayer(const MemberSet::File& file) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(file.path, O_RDONLY));
  std::string format;
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> plain,
                   Decompress(MakeFdSource(fd.get()), &format));
  if (format == "xz" || format == "bzip2") {
    std::string path = file.path + ".plain";
    RETURN_IF_ERROR(WritePlain(*plain, path));
    return ReadLayer({.path = path});
  }
  HashingSource hashed(*plain);
  VerifiedLayer layer;
  ASSIGN_OR_RETURN(layer.diff, ScanLayer(hashed));
  RETURN_IF_ERROR(hashed.Drain());
  struct stat status = {};
  if (fstat(fd.get(), &status) != 0) {
    return ErrnoError("read a layer");
  }
  layer.blob.compression = StoredCompression(format);
  layer.blob.tar_size = hashed.count();
  layer.blob.diff_id = hashed.Finish();
  layer.blob.size = status.st_size;
  layer.blob.digest = layer.blob.compression == Compression::kNone
                          ? layer.blob.diff_id
                          : file.digest;
  layer.file = file.path;
  return layer;
}

// What ParseImageDocument repairs or ignores but a loaded image must have.
absl::Status CheckConfig(absl::string_view json) {
  ASSIGN_OR_RETURN(Json config, ParseJson(json));
  const std::string& os = config["os"].string();
  if (os != "linux") {
    return absl::InvalidArgumentError(
        os.empty() ? "`os` is missing"
                   : absl::StrCat("cannot load ", EscapeControls(os),
                                  " image on linux"));
  }
  if (config["architecture"].string().empty()) {
    return absl::InvalidArgumentError("`architecture` is missing");
  }
  if (config["rootfs"]["type"].string() != "layers") {
    return absl::InvalidArgumentError("`rootfs.type` is not \"layers\"");
  }
  return absl::OkStatus();
}

// Reads each layer member once, however many images share it.
class Verifier {
 public:
  explicit Verifier(const MemberSet& members) : members_(members) {}

  absl::StatusOr<VerifiedImage> Verify(const ArchivedImage& archived) {
    VerifiedImage image;
    image.names = archived.names;
    ASSIGN_OR_RETURN(image.config_json, members_.ReadDocument(archived.config));
    RETURN_IF_ERROR(Annotate(CheckConfig(image.config_json),
                             EscapeControls(archived.config)));
    ASSIGN_OR_RETURN(image.document, ir::ParseImageDocument(image.config_json));
    const std::vector<Digest>& diff_ids = image.document.diff_ids;
    if (archived.layers.size() != diff_ids.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("invalid manifest, layers length mismatch: expected ",
                       diff_ids.size(), ", got ", archived.layers.size()));
    }
    if (diff_ids.size() > kMostLayers) {
      return absl::InvalidArgumentError("the image has too many layers");
    }
    for (size_t i = 0; i < diff_ids.size(); ++i) {
      ASSIGN_OR_RETURN(const VerifiedLayer* layer, Layer(archived.layers[i]));
      if (layer->blob.diff_id != diff_ids[i]) {
        return absl::DataLossError(absl::StrCat(
            "invalid diffID for layer ", i, ": expected ",
            diff_ids[i].ToString(), ", got ", layer->blob.diff_id.ToString()));
      }
      image.layers.push_back(layer);
    }
    return image;
  }

 private:
  absl::StatusOr<const VerifiedLayer*> Layer(const std::string& member) {
    ASSIGN_OR_RETURN(const MemberSet::File* file, members_.Find(member));
    auto known = layers_.find(file->path);
    if (known == layers_.end()) {
      absl::StatusOr<VerifiedLayer> layer = ReadLayer(*file);
      RETURN_IF_ERROR(Annotate(layer.status(),
                               absl::StrCat("layer ", EscapeControls(member))));
      known = layers_.emplace(file->path, *std::move(layer)).first;
    }
    return &known->second;
  }

  const MemberSet& members_;
  std::map<std::string, VerifiedLayer> layers_;
};

absl::StatusOr<LayerId> AddVerifiedLayer(const VerifiedLayer& layer,
                                         const Digest& chain, Store& store) {
  if (!store.HasBlob(layer.blob.digest)) {
    RETURN_IF_ERROR(store.PublishBlob(layer.file, layer.blob.digest));
  }
  ASSIGN_OR_RETURN(std::optional<Layer> known, store.FindLayer(chain));
  if (!known.has_value()) {
    ASSIGN_OR_RETURN(LayerId reserved, store.ReserveLayer());
    ASSIGN_OR_RETURN(known, store.AddLayer(reserved, chain, layer.diff,
                                           /*unpacked=*/false));
  }
  RETURN_IF_ERROR(store.SetBlob(known->id, layer.blob, nullptr));
  return known->id;
}

absl::StatusOr<LoadedImage> Publish(const VerifiedImage& verified,
                                    Store& store) {
  std::vector<LayerId> layers;
  Digest chain;
  for (const VerifiedLayer* layer : verified.layers) {
    chain = ChainId(chain, layer->blob.diff_id);
    ASSIGN_OR_RETURN(LayerId id, AddVerifiedLayer(*layer, chain, store));
    layers.push_back(id);
  }
  ASSIGN_OR_RETURN(Image image, store.AddImage(verified.config_json, layers,
                                               verified.names));
  return LoadedImage{.id = image.id, .names = verified.names};
}

absl::StatusOr<std::vector<ArchivedImage>> ReadContents(
    const MemberSet& members) {
  if (members.Has("manifest.json")) {
    return ReadDockerIndex(members);
  }
  if (members.Has("index.json")) {
    return ReadOciIndex(members);
  }
  return absl::InvalidArgumentError(
      "invalid archive: does not contain a manifest.json");
}

// The image that `wanted` names, among those of a layout.
absl::StatusOr<ArchivedImage> Choose(const MemberSet& members,
                                     const std::string& wanted) {
  ASSIGN_OR_RETURN(std::vector<ArchivedImage> images,
                   ReadOciIndex(members, wanted));
  if (images.empty()) {
    return absl::NotFoundError(
        wanted.empty() ? "the layout has no image"
                       : absl::StrCat("the layout has no image `",
                                      EscapeControls(wanted), "`"));
  }
  if (images.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the layout has ", images.size(), " images",
                     wanted.empty() ? "" : " of that name",
                     "; name one as PATH:TAG or PATH@DIGEST"));
  }
  return std::move(images[0]);
}

absl::StatusOr<std::vector<LoadedImage>> Load(ByteSource& archive,
                                              Store& store) {
  ASSIGN_OR_RETURN(TempDir folder, TempDir::Create(store.scratch()));
  std::string format;
  ASSIGN_OR_RETURN(
      std::unique_ptr<ByteSource> plain,
      Decompress(std::make_unique<BorrowedSource>(archive), &format));
  ASSIGN_OR_RETURN(MemberSet members, MemberSet::Read(*plain, folder.path()));
  ASSIGN_OR_RETURN(std::vector<ArchivedImage> contents, ReadContents(members));
  Verifier verifier(members);
  std::vector<VerifiedImage> verified;
  for (const ArchivedImage& archived : contents) {
    ASSIGN_OR_RETURN(VerifiedImage image, verifier.Verify(archived));
    verified.push_back(std::move(image));
  }
  // From here on nothing is checked, only published.
  std::vector<LoadedImage> loaded;
  for (const VerifiedImage& image : verified) {
    ASSIGN_OR_RETURN(LoadedImage one, Publish(image, store));
    loaded.push_back(std::move(one));
  }
  return loaded;
}

}  // namespace

absl::StatusOr<std::vector<LoadedImage>> LoadArchive(ByteSource& archive,
                                                     Store& store) {
  absl::StatusOr<std::vector<LoadedImage>> loaded = Load(archive, store);
  RETURN_IF_ERROR(Annotate(loaded.status(), "while loading the archive"));
  return loaded;
}

absl::StatusOr<Digest> LoadLayout(const std::string& path,
                                  const std::string& wanted, Store* store) {
  ASSIGN_OR_RETURN(TempDir scratch,
                   TempDir::Create(store != nullptr ? store->scratch() : ""));
  ASSIGN_OR_RETURN(MemberSet members,
                   MemberSet::OpenLayout(path, scratch.path()));
  ASSIGN_OR_RETURN(ArchivedImage archived, Choose(members, wanted));
  if (store == nullptr) {
    ASSIGN_OR_RETURN(const MemberSet::File* config,
                     members.Find(archived.config));
    return config->digest;
  }
  // A name that stands in the layout is not ours to take.
  archived.names.clear();
  Verifier verifier(members);
  ASSIGN_OR_RETURN(VerifiedImage image, verifier.Verify(archived));
  ASSIGN_OR_RETURN(LoadedImage loaded, Publish(image, *store));
  return loaded.id;
}

}  // namespace lamina::backend
