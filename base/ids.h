// Ids and tables: how rows refer to each other.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/status.h"

namespace lamina {

// The position of a T in its Table. Unlike a pointer it survives growth,
// compares in creation order and prints the same in every run.
template <typename T>
struct Id {
  uint32_t index = 0;

  friend auto operator<=>(Id, Id) = default;
};

// Rows of type T, added at the end and never removed.
template <typename T>
class Table {
 public:
  Id<T> Add(T row) {
    rows_.push_back(std::move(row));
    return Id<T>{static_cast<uint32_t>(rows_.size() - 1)};
  }
  const T& operator[](Id<T> id) const {
    CHECK(id.index < rows_.size());
    return rows_[id.index];
  }
  T& operator[](Id<T> id) {
    CHECK(id.index < rows_.size());
    return rows_[id.index];
  }
  size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  auto begin() const { return rows_.begin(); }
  auto end() const { return rows_.end(); }

 private:
  std::vector<T> rows_;
};

}  // namespace lamina
