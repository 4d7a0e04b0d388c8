#include <sys/utsname.h>

#include <set>

#include "absl/strings/match.h"
#include "backend/formats/archive_index.h"
#include "backend/formats/image_layout.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

constexpr int kDeepestIndex = 4;

bool IsIndexType(absl::string_view type) {
  return type == kIndexType ||
         type == "application/vnd.docker.distribution.manifest.list.v2+json";
}

bool IsManifestType(absl::string_view type) {
  return type == kManifestType ||
         type == "application/vnd.docker.distribution.manifest.v2+json";
}

bool IsConfigType(absl::string_view type) {
  return type == kConfigType ||
         type == "application/vnd.docker.container.image.v1+json";
}

// The architecture of this machine in Go's words.
std::string HostArchitecture() {
  utsname name = {};
  if (uname(&name) != 0) {
    return "amd64";
  }
  absl::string_view machine = name.machine;
  return machine == "x86_64"    ? "amd64"
         : machine == "aarch64" ? "arm64"
                                : std::string(machine);
}

// Attestations stand in an index beside the images they speak of.
bool IsAttestation(const Json& descriptor) {
  return descriptor["platform"]["os"].string() == "unknown" ||
         !descriptor["annotations"]["vnd.docker.reference.type"]
              .string()
              .empty();
}

// "1" is a tag of nothing; "app:1" and "registry/app" are names.
std::vector<ir::ImageReference> NamesOf(const Json& annotations) {
  std::string text = annotations[kNameAnnotation].string();
  if (text.empty()) {
    text = annotations[kRefNameAnnotation].string();
    if (text.find_first_of(":/") == std::string::npos) {
      return {};
    }
  }
  absl::StatusOr<ir::ImageReference> name = ir::ImageReference::Parse(text);
  if (!name.ok() || !name->digest.empty()) {
    return {};
  }
  return {*std::move(name)};
}

// Follows the descriptors of one index.json.
class IndexReader {
 public:
  IndexReader(const MemberSet& members, const std::string& wanted)
      : members_(members), wanted_(wanted) {}

  absl::StatusOr<std::vector<ArchivedImage>> Read() {
    ASSIGN_OR_RETURN(std::string text, members_.ReadDocument("index.json"));
    absl::StatusOr<Json> index = ParseJson(text);
    RETURN_IF_ERROR(Annotate(index.status(), "index.json"));
    std::vector<ArchivedImage> images;
    for (const Json* descriptor : Chosen(*index)) {
      if (!IsWanted(*descriptor)) {
        continue;
      }
      ASSIGN_OR_RETURN(ArchivedImage image, ReadImage(*descriptor, 0));
      image.names = NamesOf((*descriptor)["annotations"]);
      images.push_back(std::move(image));
    }
    return images;
  }

 private:
  bool IsWanted(const Json& descriptor) const {
    const std::string& tag =
        descriptor["annotations"][kRefNameAnnotation].string();
    return wanted_.empty() || descriptor["digest"].string() == wanted_ ||
           tag == wanted_ || absl::EndsWith(tag, absl::StrCat(":", wanted_));
  }

  // The images of an index, without those of other platforms when this
  // machine's is there.
  static std::vector<const Json*> Chosen(const Json& index) {
    std::string host = HostArchitecture();
    std::vector<const Json*> all, fitting;
    for (const Json& descriptor : index["manifests"].array()) {
      if (IsAttestation(descriptor)) {
        continue;
      }
      all.push_back(&descriptor);
      const Json& platform = descriptor["platform"];
      if (platform.is_null() || (platform["architecture"].string() == host &&
                                 platform["os"].string() == "linux")) {
        fitting.push_back(&descriptor);
      }
    }
    return fitting.empty() ? all : fitting;
  }

  // The name of the member that `descriptor` describes.
  absl::StatusOr<std::string> Blob(const Json& descriptor) {
    absl::StatusOr<Digest> digest =
        Digest::Parse(descriptor["digest"].string());
    RETURN_IF_ERROR(Annotate(digest.status(), "a descriptor"));
    std::string name = BlobMember(*digest);
    ASSIGN_OR_RETURN(const MemberSet::File* file, members_.Find(name));
    const Json& size = descriptor["size"];
    if (!size.is_integer() || size.integer() < 0 ||
        static_cast<uint64_t>(size.integer()) != file->size) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", name, "` has ", file->size,
                       " bytes, its descriptor says otherwise"));
    }
    // The name promises a digest, but a link could lead anywhere.
    if (file->digest != *digest) {
      return absl::DataLossError(absl::StrCat("`", name, "` is damaged"));
    }
    return name;
  }

  absl::StatusOr<ArchivedImage> ReadImage(const Json& descriptor, int depth) {
    if (depth >= kDeepestIndex) {
      return absl::InvalidArgumentError("indexes are nested too deeply");
    }
    ASSIGN_OR_RETURN(std::string name, Blob(descriptor));
    ASSIGN_OR_RETURN(std::string text, members_.ReadDocument(name));
    absl::StatusOr<Json> document = ParseJson(text);
    RETURN_IF_ERROR(Annotate(document.status(), name));
    RETURN_IF_ERROR(Annotate(CheckDocument(descriptor, *document), name));
    if (!IsIndexType(descriptor["mediaType"].string())) {
      return ReadManifest(*document);
    }
    std::vector<const Json*> chosen = Chosen(*document);
    if (chosen.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": an index without images"));
    }
    return ReadImage(*chosen.front(), depth + 1);
  }

  // A document that could be read as two things is refused (CVE-2021-41190).
  static absl::Status CheckDocument(const Json& descriptor,
                                    const Json& document) {
    const std::string& type = descriptor["mediaType"].string();
    const Json& embedded = document["mediaType"];
    bool is_index = !document["manifests"].is_null();
    bool is_manifest =
        !document["config"].is_null() || !document["layers"].is_null();
    bool fits = (IsIndexType(type) && is_index && !is_manifest) ||
                (IsManifestType(type) && is_manifest && !is_index);
    if (!fits || (!embedded.is_null() && embedded.string() != type)) {
      return absl::InvalidArgumentError(
          absl::StrCat("is not of media type \"", EscapeControls(type), "\""));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ArchivedImage> ReadManifest(const Json& manifest) {
    const std::string& type = manifest["config"]["mediaType"].string();
    if (!IsConfigType(type)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "this is no container image: its configuration has media type \"",
          EscapeControls(type), "\""));
    }
    ArchivedImage image;
    ASSIGN_OR_RETURN(image.config, Blob(manifest["config"]));
    for (const Json& layer : manifest["layers"].array()) {
      ASSIGN_OR_RETURN(std::string name, Blob(layer));
      image.layers.push_back(std::move(name));
    }
    return image;
  }

  const MemberSet& members_;
  const std::string& wanted_;
};

}  // namespace

absl::StatusOr<std::vector<ArchivedImage>> ReadOciIndex(
    const MemberSet& members, const std::string& wanted) {
  return IndexReader(members, wanted).Read();
}

}  // namespace lamina::backend
