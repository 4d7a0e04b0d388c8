#include "frontend/dockerfile/evaluation.h"

namespace lamina::frontend {

const EvaluatedWord* EvaluatedStatement::Find(const grammar::Word& word) const {
  for (const EvaluatedWord& known : words) {
    // All words of a trigger have one range.
    if (known.range == word.range && known.written == word.text) {
      return &known;
    }
  }
  return nullptr;
}

}  // namespace lamina::frontend
