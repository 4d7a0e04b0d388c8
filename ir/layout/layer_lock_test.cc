#include "ir/layout/layer_lock.h"

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace lamina::ir {
namespace {

LayerLock Partition() {
  return {.target = "app",
          .mode = "partition",
          .base = "sha256:00",
          .alpha = 250,
          .beta = 1000,
          .gamma = 65536,
          .delta = 50,
          .writer = R"({"compression":"gzip","level":6})",
          .layers = {{.atoms = {"deb:libc6", "pip:flask"},
                      .role = "normal",
                      .diff_id = "sha256:11",
                      .bytes = 104857600},
                     {.atoms = {"index"}, .role = "index", .bytes = 512}},
          .epochs = 26,
          .changed = {{"pip:flask", "2000401"}},
          .contents = {{"pip:flask", "aa"}},
          .shadow_since = 14,
          .shadow = {{"deb:libc6"}, {"pip:flask"}},
          .regret = 7};
}

constexpr char kText[] =
    R"({"base":"sha256:00","history":{"changed":{"pip:flask":"2000401"},)"
    R"("contents":{"pip:flask":"aa"},"epochs":26},"layers":[{"atoms":)"
    R"(["deb:libc6","pip:flask"],"bytes":104857600,"diff_id":"sha256:11",)"
    R"("role":"normal"},{"atoms":["index"],"bytes":512,"diff_id":"",)"
    R"("role":"index"}],"mode":"partition","shadow":{"layers":[["deb:libc6"],)"
    R"(["pip:flask"]],"regret":7,"since":14},"target":"app","version":1,)"
    R"("weights":{"alpha":250,"beta":1000,"delta":50,"gamma":65536},)"
    R"("writer":{"compression":"gzip","level":6}})"
    "\n";

TEST(LayerLock, IsCanonicalJsonAndReadsBack) {
  EXPECT_EQ(PrintLayerLock(Partition()), kText);
  absl::StatusOr<LayerLock> back = ParseLayerLock(kText);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(*back == Partition());
  LayerLock chain = {.target = "t",
                     .mode = "chain",
                     .base = "scratch",
                     .layers = {{.cut = "RUN a", .role = "normal"},
                                {.cut = "", .role = "normal"}},
                     .epochs = 1,
                     .shadow = {{"RUN a", "RUN a#2"}}};
  back = ParseLayerLock(PrintLayerLock(chain));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(*back == chain);
}

TEST(LayerLock, WhatIsDamagedSaysWhereAndWhatToDo) {
  const std::pair<std::pair<const char*, const char*>, const char*> cases[] = {
      {{"\"version\":1", "\"version\":2"},
       "layer lock: version 2, but this program knows 1; use the program"},
      {{"\"pip:flask\"]", "\"deb:libc6\"]"},
       "layer lock: `layers[0].atoms`: names `deb:libc6`, which stands in a "
       "layer already; restore the file"},
      {{"[\"pip:flask\"]", "[\"deb:libc6\"]"},
       "layer lock: `shadow.layers[1]`: names `deb:libc6`"},
      {{"\"2000401\"", "\"4000000\""},
       "layer lock: `history.changed.pip:flask`: tells of more than 26"},
      {{"\"2000401\"", "\"xyz\""},
       "layer lock: `history.changed.pip:flask`: is no number in hex"},
      {{"\"epochs\":26", "\"epochs\":53"},
       "layer lock: `history.epochs`: is 53, more than 52"},
      {{"\"role\":\"index\"", "\"role\":\"idx\""},
       "layer lock: `layers[1].role`: is `idx`, not one of base-changes,"},
      {{"\"bytes\":512", "\"bytes\":-1"},
       "layer lock: `layers[1].bytes`: is missing or no integer from 0"},
      {{"\"mode\":\"partition\"", "\"mode\":\"chain\""},
       "layer lock: `layers[0].cut`: is missing or no text"},
      {{"\"mode\":\"partition\"", "\"mode\":\"x\""}, "layer lock: `mode`: is"},
      {{"\"regret\":7", "\"regret\":7,\"new\":1"},
       "layer lock: `shadow.new`: is a key that version 1 does not have"},
      {{"\"base\":\"sha256:00\",", ""}, "layer lock: `base`: is missing"},
      {{"{\"base\"", "{\"base\":\"\",\"base\""},
       "layer lock: key \"base\" stands twice; restore"},
      {{"}}\n", "}\n"}, "layer lock: invalid JSON at byte "},
      {{"{\"base\"", "[{\"base\""}, "layer lock: invalid JSON"},
      {{"\"target\"", "\n<<<<<<< HEAD\n\"target\""},
       "layer lock: line 2 has the mark of a merge conflict; restore"},
  };
  for (const auto& [change, message] : cases) {
    std::string text =
        absl::StrReplaceAll(kText, {{change.first, change.second}});
    ASSERT_NE(text, kText) << change.first;
    absl::StatusOr<LayerLock> lock = ParseLayerLock(text);
    ASSERT_FALSE(lock.ok()) << text;
    EXPECT_TRUE(absl::StartsWith(lock.status().message(), message))
        << lock.status().message();
  }
  EXPECT_FALSE(ParseLayerLock("").ok());
  EXPECT_FALSE(ParseLayerLock("[]").ok());
}

TEST(LayerLock, ALockOfAnotherTargetOrModeIsNotFollowed) {
  EXPECT_EQ(CheckLock(Partition(), "app", "partition"), "");
  EXPECT_TRUE(absl::StartsWith(CheckLock(Partition(), "web", "partition"),
                               "the layer lock is of target `app`, not `web`"));
  EXPECT_TRUE(absl::StartsWith(CheckLock(Partition(), "app", "chain"),
                               "the layer lock holds a partition layout"));
}

}  // namespace
}  // namespace lamina::ir
