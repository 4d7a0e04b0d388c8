// Containers: a folder each, and a row with what the user sees.
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "absl/strings/match.h"
#include "backend/store/store_impl.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

constexpr size_t kShortId = 12;

absl::StatusOr<std::string> RandomId() {
  Digest random;
  if (getrandom(random.bytes.data(), random.bytes.size(), 0) !=
      static_cast<ssize_t>(random.bytes.size())) {
    return ErrnoError("get random bytes");
  }
  return random.hex();
}

Container ContainerFromRow(const Query& row) {
  return {.id = row.Text(0),
          .name = row.Text(1),
          .image = row.GetDigest(2),
          .image_name = row.Text(3),
          .command = row.Text(4),
          .created = row.Int(5),
          .state = row.Text(6),
          .exit_code = static_cast<int>(row.Int(7)),
          .pid = static_cast<int>(row.Int(8))};
}

absl::Status NoSuchContainer(absl::string_view name) {
  return absl::NotFoundError(
      absl::StrCat("no container named `", EscapeControls(name), "`"));
}

}  // namespace

std::string Store::ContainerFolder(const std::string& id) const {
  return absl::StrCat(root_, "/containers/", id);
}

absl::StatusOr<Container> Store::AddContainer(Container container) {
  if (container.id.empty()) {
    ASSIGN_OR_RETURN(container.id, RandomId());
  }
  RETURN_IF_ERROR(Digest::FromHex(container.id).status());  // It is a path.
  if (container.name.empty()) {
    container.name = container.id.substr(0, kShortId);
  }
  if (container.created == 0) {
    container.created = time(nullptr);
  }
  if (container.state.empty()) {
    container.state = "created";
  }
  std::string folder = ContainerFolder(container.id);
  RETURN_IF_ERROR(MakeDirs(JoinPath(folder, "upper"), 0755));
  RETURN_IF_ERROR(MakeDirs(JoinPath(folder, "work"), 0700));
  absl::Status written = WriteContainer(container);
  if (!written.ok()) {
    RemoveTree(folder).IgnoreError();
    return written;
  }
  return container;
}

absl::Status Store::WriteContainer(const Container& container) {
  std::lock_guard lock(impl_->mutex);
  Database& database = impl_->database;
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  ASSIGN_OR_RETURN(
      Query same,
      database.Ask("SELECT id FROM containers WHERE name = ?", container.name));
  ASSIGN_OR_RETURN(bool taken, same.Next());
  if (taken) {
    return absl::AlreadyExistsError(absl::StrCat(
        "the name `", container.name, "` belongs to container ",
        same.Text(0).substr(0, kShortId), "; remove it or choose another"));
  }
  RETURN_IF_ERROR(database.Run(
      "INSERT INTO containers VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", container.id,
      container.name, container.image, container.image_name, container.command,
      container.created, container.state, container.exit_code, container.pid));
  // Of its own, as the image may be removed while the container stays.
  RETURN_IF_ERROR(
      database.Run("INSERT OR IGNORE INTO container_layers(container, layer) "
                   "SELECT ?, layer FROM image_layers WHERE image = ?",
                   container.id, container.image));
  return transaction.Commit();
}

absl::Status Store::UpdateContainer(const Container& container) {
  std::lock_guard lock(impl_->mutex);
  RETURN_IF_ERROR(impl_->database.Run(
      "UPDATE containers SET name = ?, image_name = ?, command = ?, "
      "state = ?, exit_code = ?, pid = ? WHERE id = ?",
      container.name, container.image_name, container.command, container.state,
      container.exit_code, container.pid, container.id));
  return impl_->database.changed_rows() > 0 ? absl::OkStatus()
                                            : NoSuchContainer(container.id);
}

absl::StatusOr<std::vector<Container>> Store::ListContainers() {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(
      Query query,
      impl_->database.Ask(
          "SELECT id, name, image, image_name, command, created, state, "
          "exit_code, pid FROM containers ORDER BY created DESC, id"));
  std::vector<Container> containers;
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return containers;
    }
    containers.push_back(ContainerFromRow(query));
  }
}

absl::StatusOr<Container> Store::FindContainer(absl::string_view name) {
  ASSIGN_OR_RETURN(std::vector<Container> all, ListContainers());
  std::vector<const Container*> matches;
  std::vector<std::string> names;
  for (const Container& container : all) {
    if (container.name == name || container.id == name) {
      return container;
    }
    if (!name.empty() && absl::StartsWith(container.id, name)) {
      matches.push_back(&container);
    }
    names.push_back(container.name);
  }
  if (matches.size() == 1) {
    return *matches[0];
  }
  if (matches.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", name, "` begins the ids of ", matches.size(),
                     " containers; give more digits"));
  }
  absl::Status missing = NoSuchContainer(name);
  std::optional<std::string> near = Closest(name, names);
  return near.has_value()
             ? absl::NotFoundError(absl::StrCat(
                   missing.message(), "; did you mean `", *near, "`?"))
             : missing;
}

absl::Status Store::RemoveContainer(const std::string& id) {
  {
    std::lock_guard lock(impl_->mutex);
    Database& database = impl_->database;
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
    RETURN_IF_ERROR(database.Run("DELETE FROM containers WHERE id = ?", id));
    if (database.changed_rows() == 0) {
      return NoSuchContainer(id);
    }
    RETURN_IF_ERROR(
        database.Run("DELETE FROM container_layers WHERE container = ?", id));
    RETURN_IF_ERROR(transaction.Commit());
  }
  return RemoveTree(ContainerFolder(id));
}

}  // namespace lamina::backend
