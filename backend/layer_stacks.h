// Stacks of layers as steps need them: the merged metadata and the unpacked
// folders. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/copy.h"
#include "backend/store/store.h"
#include "ir/layout/tree.h"

namespace lamina::backend {

class LayerStacks {
 public:
  explicit LayerStacks(Store& store) : store_(store) {}

  // The merged tree of `layers`, bottom to top. The last one of each `user` is
  // kept and extended: steps of a stage add one layer each, and folding the
  // base again for each would cost more than the step. One user calls this
  // from one thread at a time, and is done with the tree before the next call.
  absl::StatusOr<const ir::Tree*> Fold(const std::string& user,
                                       const std::vector<LayerId>& layers);
  // Where the layers are unpacked, bottom to top; unpacks what is not.
  absl::StatusOr<std::vector<std::string>> Folders(
      const std::vector<LayerId>& layers);
  // Reads small text files: /etc/passwd and /etc/group. `layers` and `tree`
  // must outlive the result.
  ReadText TextReader(const std::vector<LayerId>& layers,
                      const ir::Tree& tree);

 private:
  struct Folded {
    std::vector<LayerId> layers;
    ir::Tree tree;
  };

  Store& store_;
  std::mutex mutex_;  // Guards the maps, and unpacking.
  std::map<std::string, std::unique_ptr<Folded>> folded_;
  std::map<LayerId, std::string> folders_;
};

}  // namespace lamina::backend
