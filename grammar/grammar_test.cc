#include "grammar/dockerfile_syntax.h"
#include "grammar/word_syntax.h"
#include "gtest/gtest.h"
namespace lamina::grammar {
TEST(Smoke, Parses) {
  SourceFile source("Dockerfile", "FROM a\nRUN <<E\nx\nE\n");
  Diagnostics d;
  auto s = ParseDockerfile(source,
                           {{"FROM", ArgumentShape::kWords},
                            {"RUN", ArgumentShape::kJsonOrText, true}},
                           d);
  ASSERT_EQ(s.statements.size(), 2u);
  EXPECT_EQ(s.statements[1].heredocs[0].body, "x\n");
  auto w = ParseWord("a${b:-c}'x'", {});
  ASSERT_TRUE(w.ok());
  EXPECT_EQ(w->size(), 3u);
}
}  // namespace lamina::grammar
