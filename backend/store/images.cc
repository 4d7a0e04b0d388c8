// Images and their names.
//
// An image is its configuration blob, the list of its layers, and a row that
// is written last and durably.
#include <algorithm>
#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "backend/store/store_impl.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

constexpr size_t kMaxConfig = size_t{16} << 20;
constexpr size_t kMinPrefix = 2;
constexpr absl::string_view kSha256 = "sha256:";

// The rows of a name: with its tag, and with its digest.
std::vector<std::string> TagNames(const ir::ImageReference& name) {
  std::vector<std::string> names;
  if (!name.tag.empty()) {
    ir::ImageReference tagged = name;
    tagged.digest.clear();
    names.push_back(tagged.Full());
  }
  if (!name.digest.empty()) {
    ir::ImageReference pinned = name;
    pinned.tag.clear();
    names.push_back(pinned.Full());
  }
  return names;
}

bool IsHexPrefix(absl::string_view text) {
  return text.size() >= kMinPrefix && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  (c >= 'a' && c <= 'f');
         });
}

absl::Status NoSuchId(const Digest& id) {
  return absl::NotFoundError(
      absl::StrCat("no image with id `", id.ToString(), "`"));
}

absl::Status SetTags(Database& database, const std::vector<std::string>& names,
                     const Digest& image) {
  for (const std::string& name : names) {
    RETURN_IF_ERROR(database.Run(
        "INSERT OR REPLACE INTO tags(name, image) VALUES(?, ?)", name, image));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Digest>> FindTag(Database& database,
                                              const std::string& name) {
  ASSIGN_OR_RETURN(Query query,
                   database.Ask("SELECT image FROM tags WHERE name = ?", name));
  ASSIGN_OR_RETURN(bool found, query.Next());
  return found ? std::optional(query.GetDigest(0)) : std::nullopt;
}

// The image whose id begins with `prefix`; nothing when there is none.
absl::StatusOr<std::optional<Digest>> FindPrefix(Database& database,
                                                 absl::string_view prefix) {
  ASSIGN_OR_RETURN(Query query, database.Ask("SELECT id FROM images"));
  std::vector<Digest> matches;
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      break;
    }
    if (absl::StartsWith(query.GetDigest(0).hex(), prefix)) {
      matches.push_back(query.GetDigest(0));
    }
  }
  if (matches.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "`", prefix, "` begins the ids of ", matches.size(),
        " images, for instance ", matches[0].hex().substr(0, 12), " and ",
        matches[1].hex().substr(0, 12), "; give more digits"));
  }
  return matches.empty() ? std::nullopt : std::optional(matches[0]);
}

absl::StatusOr<bool> HasSameRecords(Store& store, Database& database,
                                    const Digest& id,
                                    const std::vector<LayerId>& known,
                                    const std::vector<LayerId>& layers,
                                    const std::vector<std::string>& names) {
  if (known != layers || !store.HasBlob(id)) {
    return false;
  }
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(std::optional<Digest> image, FindTag(database, name));
    if (image != id) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<std::optional<int64_t>> Store::Impl::FindImageRow(
    const Digest& id) {
  return database.AskInt("SELECT stored_at FROM images WHERE id = ?", id);
}

absl::StatusOr<std::vector<LayerId>> Store::Impl::ImageLayers(
    const Digest& image) {
  ASSIGN_OR_RETURN(
      Query query,
      database.Ask("SELECT layer FROM image_layers WHERE image = ? "
                   "ORDER BY position",
                   image));
  std::vector<LayerId> layers;
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return layers;
    }
    layers.push_back(query.Int(0));
  }
}

absl::StatusOr<Image> Store::AddImage(
    const std::string& config_json, const std::vector<LayerId>& layers,
    const std::vector<ir::ImageReference>& tags) {
  Image image = {.layers = layers};
  ASSIGN_OR_RETURN(image.document, ir::ParseImageDocument(config_json));
  if (image.document.diff_ids.size() != layers.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the configuration has ", image.document.diff_ids.size(),
                     " diff ids for ", layers.size(), " layers"));
  }
  image.id = Sha256(config_json);
  std::vector<std::string> names;
  for (const ir::ImageReference& tag : tags) {
    for (std::string& name : TagNames(tag)) {
      names.push_back(std::move(name));
    }
  }
  bool has_config = HasBlob(image.id);
  {
    std::lock_guard lock(impl_->mutex);
    ASSIGN_OR_RETURN(std::optional<int64_t> known,
                     impl_->FindImageRow(image.id));
    ASSIGN_OR_RETURN(std::vector<LayerId> known_layers,
                     impl_->ImageLayers(image.id));
    ASSIGN_OR_RETURN(bool same, HasSameRecords(*this, impl_->database, image.id,
                                               known_layers, layers, names));
    same = same && known.has_value();
    has_config = has_config && known.has_value();
    image.stored_at = known.value_or(time(nullptr));
    ASSIGN_OR_RETURN(std::optional<int64_t> unsynced,
                     impl_->database.AskInt("SELECT max(seq) FROM unsynced"));
    if (same && !unsynced.has_value()) {
      return image;
    }
  }
  RETURN_IF_ERROR(AddBlob(config_json).status());
  if (durability_ != Durability::kNone) {
    // The configuration is listed like the data of a layer, so that Sync finds
    // something to do. A known image has it on the disk.
    if (!has_config) {
      std::lock_guard lock(impl_->mutex);
      RETURN_IF_ERROR(NoteUnsynced("blob", image.id));
    }
    RETURN_IF_ERROR(Sync());
  }
  RETURN_IF_ERROR(WriteImage(image, names));
  return image;
}

absl::Status Store::WriteImage(const Image& image,
                               const std::vector<std::string>& names) {
  std::lock_guard lock(impl_->mutex);
  Database& database = impl_->database;
  ASSIGN_OR_RETURN(
      Transaction transaction,
      Transaction::Begin(database, durability_ != Durability::kNone));
  for (LayerId layer : image.layers) {
    ASSIGN_OR_RETURN(std::optional<Layer> known, impl_->FindLayerRow(layer));
    if (!known.has_value()) {
      return absl::NotFoundError(absl::StrCat(
          "layer ", layer, " of a new image is missing from the store"));
    }
  }
  RETURN_IF_ERROR(
      database.Run("INSERT OR IGNORE INTO images(id, stored_at) VALUES(?, ?)",
                   image.id, image.stored_at));
  RETURN_IF_ERROR(
      database.Run("DELETE FROM image_layers WHERE image = ?", image.id));
  for (size_t i = 0; i < image.layers.size(); ++i) {
    RETURN_IF_ERROR(
        database.Run("INSERT INTO image_layers(image, position, layer) "
                     "VALUES(?, ?, ?)",
                     image.id, i, image.layers[i]));
  }
  RETURN_IF_ERROR(SetTags(database, names, image.id));
  return transaction.Commit();
}

absl::StatusOr<Image> Store::ReadImage(const Digest& id, int64_t stored_at) {
  absl::StatusOr<std::string> config = ReadBlob(id, kMaxConfig);
  if (!config.ok()) {
    return Annotate(config.status(),
                    absl::StrCat("image ", id.hex().substr(0, 12)));
  }
  Image image = {.id = id, .stored_at = stored_at};
  ASSIGN_OR_RETURN(image.document, ir::ParseImageDocument(*config));
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(image.layers, impl_->ImageLayers(id));
  return image;
}

absl::StatusOr<Image> Store::GetImage(const Digest& id) {
  std::unique_lock lock(impl_->mutex);
  ASSIGN_OR_RETURN(std::optional<int64_t> stored_at, impl_->FindImageRow(id));
  lock.unlock();
  return stored_at.has_value() ? ReadImage(id, *stored_at) : NoSuchId(id);
}

absl::StatusOr<std::vector<Image>> Store::ListImages() {
  std::vector<Image> images;
  {
    std::lock_guard lock(impl_->mutex);
    ASSIGN_OR_RETURN(
        Query query,
        impl_->database.Ask(
            "SELECT id, stored_at FROM images ORDER BY stored_at DESC, id"));
    while (true) {
      ASSIGN_OR_RETURN(bool found, query.Next());
      if (!found) {
        break;
      }
      images.push_back({.id = query.GetDigest(0), .stored_at = query.Int(1)});
    }
  }
  for (Image& image : images) {
    absl::StatusOr<Image> read = ReadImage(image.id, image.stored_at);
    // A damaged image stays on the list, so that one can remove it.
    if (read.ok()) {
      image = *std::move(read);
    }
  }
  return images;
}

absl::StatusOr<std::vector<std::pair<std::string, Digest>>> Store::ListTags() {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(
      Query query,
      impl_->database.Ask("SELECT name, image FROM tags ORDER BY name"));
  std::vector<std::pair<std::string, Digest>> tags;
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return tags;
    }
    tags.emplace_back(query.Text(0), query.GetDigest(1));
  }
}

// The id behind `name`, which may be a tag, a digest, an id or a prefix.
absl::StatusOr<std::optional<Digest>> Store::ResolveImage(
    absl::string_view name) {
  std::lock_guard lock(impl_->mutex);
  Database& database = impl_->database;
  absl::string_view hex = absl::StripPrefix(name, kSha256);
  bool is_digest = hex.size() != name.size();
  absl::StatusOr<ir::ImageReference> reference =
      ir::ImageReference::Parse(name);
  if (reference.ok() && !is_digest) {
    for (const std::string& row : TagNames(*reference)) {
      // With a digest the tag does not count: it may have moved on.
      if (!reference->digest.empty() && row.find('@') == std::string::npos) {
        continue;
      }
      ASSIGN_OR_RETURN(std::optional<Digest> image, FindTag(database, row));
      if (image.has_value()) {
        return image;
      }
    }
  }
  if (reference.ok() && !reference->digest.empty()) {
    is_digest = true;
    hex = absl::StripPrefix(reference->digest, kSha256);
  }
  if (!IsHexPrefix(hex)) {
    if (!is_digest && !reference.ok()) {
      return reference.status();
    }
    return std::nullopt;
  }
  return FindPrefix(database, hex);
}

absl::StatusOr<Image> Store::FindImage(absl::string_view name) {
  ASSIGN_OR_RETURN(std::optional<Digest> id, ResolveImage(name));
  if (id.has_value()) {
    return GetImage(*id);
  }
  ASSIGN_OR_RETURN(auto tags, ListTags());
  std::vector<std::string> candidates;
  for (const auto& [tag, image] : tags) {
    absl::StatusOr<ir::ImageReference> reference =
        ir::ImageReference::Parse(tag);
    if (reference.ok()) {
      candidates.push_back(reference->Familiar());
      if (reference->tag == "latest") {
        candidates.push_back(reference->FamiliarRepository());
      }
    }
  }
  std::optional<std::string> near = Closest(name, candidates);
  return absl::NotFoundError(absl::StrCat(
      "no image named `", EscapeControls(name), "`",
      near.has_value() ? absl::StrCat("; did you mean `", *near, "`?") : ""));
}

absl::Status Store::Tag(const ir::ImageReference& name, const Digest& image) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(
      Transaction transaction,
      Transaction::Begin(impl_->database, durability_ != Durability::kNone));
  ASSIGN_OR_RETURN(std::optional<int64_t> known, impl_->FindImageRow(image));
  if (!known.has_value()) {
    return NoSuchId(image);
  }
  RETURN_IF_ERROR(SetTags(impl_->database, TagNames(name), image));
  return transaction.Commit();
}

absl::StatusOr<bool> Store::Untag(const ir::ImageReference& name) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(
      Transaction transaction,
      Transaction::Begin(impl_->database, durability_ != Durability::kNone));
  bool removed = false;
  for (const std::string& row : TagNames(name)) {
    RETURN_IF_ERROR(
        impl_->database.Run("DELETE FROM tags WHERE name = ?", row));
    removed = removed || impl_->database.changed_rows() > 0;
  }
  RETURN_IF_ERROR(transaction.Commit());
  return removed;
}

absl::Status Store::RemoveImage(const Digest& id) {
  std::lock_guard lock(impl_->mutex);
  Database& database = impl_->database;
  {
    ASSIGN_OR_RETURN(
        Transaction transaction,
        Transaction::Begin(database, durability_ != Durability::kNone));
    ASSIGN_OR_RETURN(std::optional<int64_t> known, impl_->FindImageRow(id));
    if (!known.has_value()) {
      return NoSuchId(id);
    }
    RETURN_IF_ERROR(database.Run("DELETE FROM images WHERE id = ?", id));
    RETURN_IF_ERROR(
        database.Run("DELETE FROM image_layers WHERE image = ?", id));
    RETURN_IF_ERROR(database.Run("DELETE FROM tags WHERE image = ?", id));
    RETURN_IF_ERROR(transaction.Commit());
  }
  return Sweep().status();
}

}  // namespace lamina::backend
