// `# lamina layer=cut|begin|end`: where the user wants layers to end.
//
//   # lamina layer=cut      above an instruction: a layer begins there
//   # lamina layer=begin    above an instruction: it begins a group ...
//   # lamina layer=end      ... that ends before this comment
//
// The steps of a group form one layer. The comments of an instruction that
// makes no step count for the next one that does.
#pragma once

#include <cstdint>
#include <map>

#include "base/diagnostic.h"
#include "grammar/dockerfile_syntax.h"
#include "ir/graph.h"

namespace lamina::frontend {

// By the first byte of the statement; statements without a mark are absent.
using LayerMarks = std::map<uint32_t, ir::LayerMark>;

// True for the instructions that change the file system.
bool MakesStep(const grammar::Statement& statement);

// Reports an unknown word behind `lamina`, a group that is not closed in its
// stage, an end without a beginning, and a cut or a second beginning inside a
// group.
LayerMarks ReadLayerMarks(const grammar::DockerfileSyntax& syntax,
                          Diagnostics& diagnostics);

}  // namespace lamina::frontend
