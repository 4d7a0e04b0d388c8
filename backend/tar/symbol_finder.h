// Libraries that few runs need, loaded at first use: a shared library on the
// link line would cost every start of the process.
#pragma once

#include <dlfcn.h>

#include <type_traits>

namespace lamina::backend {

// Fills a table of function pointers from a shared library.
class SymbolFinder {
 public:
  explicit SymbolFinder(const char* library)
      : library_(dlopen(library, RTLD_NOW | RTLD_LOCAL)),
        complete_(library_ != nullptr) {}

  template <typename Function>
  void Find(Function*& function, const char* name) {
    static_assert(std::is_function_v<Function>);
    void* symbol = complete_ ? dlsym(library_, name) : nullptr;
    complete_ = symbol != nullptr;
    function = reinterpret_cast<Function*>(symbol);
  }

  // True when the library and every function so far were found.
  bool complete() const { return complete_; }

 private:
  void* library_;
  bool complete_;
};

}  // namespace lamina::backend
