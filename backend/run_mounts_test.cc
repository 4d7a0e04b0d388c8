#include "backend/run_mounts.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace lamina::backend {
namespace {

std::string Shown(const std::vector<std::string>& secrets,
                  const std::vector<std::string>& pieces) {
  Redactor redactor(secrets);
  std::string shown;
  for (const std::string& piece : pieces) {
    shown += redactor.Pass(piece);
  }
  return shown + redactor.Rest();
}

TEST(Redactor, HidesSecretsHoweverTheyArrive) {
  EXPECT_EQ(Shown({"hunter2\n"}, {"a hunter2 b"}), "a *** b");
  EXPECT_EQ(Shown({"hunter2"}, {"a hun", "ter", "2 b"}), "a *** b");
  EXPECT_EQ(Shown({"hunter2"}, {"a hunt", "ing"}), "a hunting");
  EXPECT_EQ(Shown({"hunter2"}, {"hunter", "hunter2"}), "hunter***");
  EXPECT_EQ(Shown({"hunter2", "swordfish"}, {"swordhunter2fish swordfish"}),
            "sword***fish ***");
}

TEST(Redactor, HidesTheLinesOfALongSecretToo) {
  std::vector<std::string> key = {"-----BEGIN-----\nfirst-line\n{\nlast\n"};
  EXPECT_EQ(Shown(key, {"x -----BEGIN-----\nfirst-line\n{\nlast y"}),
            "x *** y");
  EXPECT_EQ(Shown(key, {"x first-", "line y { last"}), "x *** y { last");
}

TEST(Redactor, ShowsTheRestAtOnce) {
  Redactor redactor({"hunter2"});
  EXPECT_EQ(redactor.Pass("no secret\n"), "no secret\n");
  EXPECT_EQ(redactor.Pass("hun"), "");
  EXPECT_EQ(redactor.Pass("t\n"), "hunt\n");
}

TEST(Redactor, LeavesVeryShortTextsAlone) {
  EXPECT_EQ(Shown({"a", ""}, {"banana"}), "banana");
}

}  // namespace
}  // namespace lamina::backend
