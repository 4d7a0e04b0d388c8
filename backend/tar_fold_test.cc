#include "backend/tar_fold.h"

#include <gtest/gtest.h>

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "backend/test_raw_tar.h"
#include "base/digest.h"

namespace lamina::backend {
namespace {

using namespace raw;  // NOLINT: the words of these tests.
using ir::EntryType;

// "f a 644 =text" and so on; "@b" is the first name of a group of links.
std::string Describe(const TarFold& fold,
                     const std::map<std::string, std::string>& texts) {
  std::vector<std::string> lines;
  std::map<std::string, std::string> first;
  for (const auto& [path, state] : fold.states()) {
    std::string line = absl::StrFormat("%c %s", char(state.type), path);
    if (state.type == EntryType::kFile) {
      absl::StrAppend(&line, " ", texts.at(state.body));
    } else if (!state.body.empty()) {
      absl::StrAppend(&line, " ", state.body);
    }
    if (!state.link.empty()) {
      first.emplace(state.link, path);
      absl::StrAppend(&line, " @", first[state.link]);
    }
    lines.push_back(line);
  }
  return absl::StrJoin(lines, "|");
}

struct Folded {
  std::string error;
  std::string tree;
  std::vector<std::string> broken;  // Of the last layer.
};

Folded Fold(const std::vector<std::vector<Raw>>& layers,
            TarRules rules = TarRules::kForeign) {
  TarFold fold(rules);
  Folded out;
  std::map<std::string, std::string> texts = {};
  for (const std::vector<Raw>& layer : layers) {
    for (const Raw& raw : layer) {
      texts[Sha256(raw.content).ToString()] = raw.content;
    }
    absl::Status status = fold.Add(Tar(layer));
    status.Update(fold.EndLayer());
    if (!status.ok()) {
      out.error = std::string(status.message());
      break;
    }
  }
  out.tree = Describe(fold, texts);
  out.broken = fold.broken_rules();
  return out;
}

struct Case {
  const char* title;
  std::vector<std::vector<Raw>> layers;
  const char* tree;
};

TEST(TarFold, AppliesLayersAsTheSpecificationSays) {
  const std::vector<Raw> base = {
      Folder("etc"), {"etc/passwd", '0', "root"}, {"etc/gone", '0', "x"}};
  const Case kCases[] = {
      {"no layer", {}, ""},
      {"missing parents are made",
       {{{"a/b/c", '0', "t"}}},
       "d a|d a/b|f a/b/c t"},
      {"a leading slash or dot is the root",
       {{Folder("."), {"./a", '0', "t"}, {"/b//c", '0', "u"}}},
       "f a t|d b|f b/c u"},
      {"a whiteout deletes",
       {base, {Whiteout("etc/.wh.gone")}},
       "d etc|f etc/passwd root"},
      {"a whiteout deletes a whole folder", {base, {Whiteout(".wh.etc")}}, ""},
      {"a whiteout spares its own layer, before",
       {base, {Whiteout(".wh.etc"), Folder("etc"), {"etc/new", '0', "n"}}},
       "d etc|f etc/new n"},
      {"and after",
       {base, {Folder("etc"), {"etc/new", '0', "n"}, Whiteout(".wh.etc")}},
       "d etc|f etc/new n"},
      {"and in the middle of the lower folder",
       {{Folder("a"), Folder("a/b"), {"a/b/old", '0', "o"}, {"a/x", '0', "x"}},
        {{"a/b/new", '0', "n"}, Whiteout(".wh.a")}},
       "d a|d a/b|f a/b/new n"},
      {"an opaque marker empties the folder of lower layers, last",
       {base, {{"etc/new", '0', "n"}, Whiteout("etc/.wh..wh..opq")}},
       "d etc|f etc/new n"},
      {"and first",
       {base, {Whiteout("etc/.wh..wh..opq"), {"etc/new", '0', "n"}}},
       "d etc|f etc/new n"},
      {"an opaque root",
       {base, {{"new", '0', "n"}, Whiteout(".wh..wh..opq")}},
       "f new n"},
      {"what AUFS leaves is skipped",
       {{Folder(".wh..wh.plnk"),
         {".wh..wh.plnk/1.2", '0', "t"},
         {".wh..wh.aufs", '0'}}},
       ""},
      {"a folder over a folder keeps the children",
       {base, {Folder("etc")}},
       "d etc|f etc/gone x|f etc/passwd root"},
      {"a file over a folder drops them",
       {base, {{"etc", '0', "t"}}},
       "f etc t"},
      {"and they do not come back",
       {base, {{"etc", '0', "t"}, Folder("etc")}},
       "d etc"},
      {"an entry that stands twice counts as last written",
       {{{"a", '0', "1"}, {"a", '0', "2"}}},
       "f a 2"},
      {"a symlink on the way is resolved in the root",
       {base, {Symlink("l", "/etc"), {"l/new", '0', "n"}}},
       "d etc|f etc/gone x|f etc/new n|f etc/passwd root|l l /etc"},
      {"up and out of the root",
       {base, {Symlink("l", "../../etc"), Whiteout("l/.wh.gone")}},
       "d etc|f etc/passwd root|l l ../../etc"},
      {"a dangling one",
       {{Symlink("l", "/dne"), {"l/new", '0', "n"}}},
       "d dne|f dne/new n|l l /dne"},
      {"a whiteout below a dangling one does nothing",
       {base, {Symlink("l", "/dne"), Whiteout("l/.wh.etc")}},
       "d etc|f etc/gone x|f etc/passwd root|l l /dne"},
      {"the last symlink is never followed",
       {base, {Symlink("l", "etc/passwd")}, {{"l", '0', "t"}}},
       "d etc|f etc/gone x|f etc/passwd root|f l t"},
      {"a folder replaces a symlink",
       {base, {Symlink("l", "etc")}, {Folder("l"), {"l/t", '0', "t"}}},
       "d etc|f etc/gone x|f etc/passwd root|d l|f l/t t"},
      {"whiteout of a symlink spares its target",
       {base, {Symlink("l", "etc")}, {Whiteout(".wh.l")}},
       "d etc|f etc/gone x|f etc/passwd root"},
      {"links of one layer",
       {{{"a", '0', "t"}, HardLink("b", "a"), HardLink("c", "b")}},
       "f a t @a|f b t @a|f c t @a"},
      {"a link to a lower layer",
       {{{"a", '0', "t"}}, {HardLink("b", "/a")}},
       "f a t @a|f b t @a"},
      {"a link through a symlink and out of the root",
       {base, {Symlink("l", "../../etc"), HardLink("b", "l/../etc/passwd")}},
       "f b root @b|d etc|f etc/gone x|f etc/passwd root @b|l l ../../etc"},
      {"overwriting one name leaves the others",
       {{{"a", '0', "t"}, HardLink("b", "a"), HardLink("c", "a")},
        {{"a", '0', "new"}}},
       "f a new|f b t @b|f c t @b"},
      {"the last name alone is no group",
       {{{"a", '0', "t"}, HardLink("b", "a")}, {Whiteout(".wh.a")}},
       "f b t"},
      {"a link onto itself changes nothing",
       {{{"a", '0', "t"}, HardLink("a", "a")}},
       "f a t"},
      {"a link over another name of the same file",
       {{{"a", '0', "t"}, HardLink("b", "a")}, {HardLink("b", "a")}},
       "f a t @a|f b t @a"},
      {"links to symlinks are links too",
       {{Symlink("a", "x"), HardLink("b", "a")}},
       "l a x @a|l b x @a"},
      {"a folder marked by a slash only", {{{"a/", '0'}}}, "d a"},
      {"a name of any bytes", {{{"\xff", '0', "t"}}}, "f \xff t"},
      {"neighbours that sort between a folder and its children",
       {{Folder("a"), {"a/b", '0', "1"}, {"a-b", '0', "2"}},
        {Whiteout(".wh.a")}},
       "f a-b 2"},
  };
  for (const Case& test : kCases) {
    SCOPED_TRACE(test.title);
    const Folded folded = Fold(test.layers);
    EXPECT_EQ(folded.error, "");
    EXPECT_EQ(folded.tree, test.tree);
  }
}

TEST(TarFold, RefusesWhatHasNoMeaning) {
  const Raw file = {"f", '0', "t"};
  const struct {
    std::vector<std::vector<Raw>> layers;
    const char* error;
  } kCases[] = {
      {{{{"a/../../b", '0'}}}, "`a/../../b` at byte 0: a name with `..`"},
      {{{Symlink("./", "/etc")}},
       "`./` at byte 0: the root can only be a folder"},
      {{{file, {"f/below", '0'}}},
       "`f/below` at byte 1024: it is below `f`, which is no folder"},
      {{{Symlink("l", "f"), file, {"l/below", '0'}}},
       "`l/below` at byte 1536: it is below `f`, which is no folder"},
      {{{Symlink("l", "l"), {"l/x", '0'}}},
       "`l/x` at byte 512: its parents are more than 40 symlinks"},
      {{{HardLink("h", "none")}},
       "`h` at byte 0: a hard link to `none`, which does not exist"},
      {{{Folder("d"), HardLink("h", "d")}},
       "`h` at byte 512: a hard link to `d`, which is a folder"},
      {{{{"d/f", '0', "t"}, HardLink("d", "d/f")}},
       "`d` at byte 1024: a hard link in place of the folder of its target"},
      {{{{".wh.", '0'}}}, "`.wh.` at byte 0: a whiteout that deletes no name"},
      {{{{"etc/.wh..", '0'}}},
       "`etc/.wh..` at byte 0: a whiteout that deletes no name"},
      {{{{".wh...", '0'}}},
       "`.wh...` at byte 0: a whiteout that deletes no name"},
      {{{{".wh.etc/f", '0'}}},
       "`.wh.etc/f` at byte 0: a folder whose name begins with `.wh.`"},
      {{{Raw{.name = "s", .type = 'S'}}},
       "`s` at byte 0: sparse members are not supported"},
      {{{Raw{.name = "s", .pax = {{"GNU.sparse.major", "1"}}}}},
       "`s` at byte 0: sparse members are not supported"},
      {{{Raw{.name = "v", .type = 'V'}}},
       "`v` at byte 0: no type of member is called `V`"},
      {{{Raw{.name = "p", .pax = {{"uid", "-1"}}}}},
       "`p` at byte 0: the PAX uid is no number it can be"},
      {{{Raw{.name = "p", .pax = {{"mtime", "1.x"}}}}},
       "`p` at byte 0: the PAX mtime is no number it can be"},
      {{{Raw{.name = "p", .pax = {{"path", std::string("a\0b", 3)}}}}},
       "a NUL in the name"},
      {{{Raw{.name = "p",
             .pax = {{"SCHILY.xattr.user.x", std::string(65537, 'x')}}}}},
       "`p` at byte 0: an xattr of more than 65536 bytes"},
      {{{Raw{.name = "p", .pax = {{"path", std::string(256, 'x')}}}}},
       "a part of the name is longer than 255 bytes"},
      {{{Raw{.name = "p", .pax = {{"x", std::string(1 << 20, 'x')}}}}},
       "the tar at byte 0: an extended header of more than 1048576 bytes"},
  };
  for (const auto& test : kCases) {
    const std::string error = Fold(test.layers).error;
    EXPECT_TRUE(absl::StrContains(error, test.error))
        << error << "\n  instead of " << test.error;
  }
}

TEST(TarFold, NamesEachRuleThatALayerBreaks) {
  const std::vector<Raw> base = {Folder("d"), {"d/f", '0', "t"}};
  const Raw owned = {"x", '0', "t"};
  const struct {
    std::vector<Raw> layer;
    const char* rule;
  } kCases[] = {
      {{owned, owned}, "`x` stands twice"},
      {{Folder("."), Folder(".")}, "`./` stands twice"},
      {{Whiteout("d/.wh.f"), Whiteout("d/.wh.f")}, "`d/.wh.f` stands twice"},
      {{{"new/x", '0'}}, "`new/x` has no parent in the layer or below it"},
      {{Symlink("l", "d"), {"l/x", '0'}}, "`l/x` is below a symlink"},
      {{HardLink("h", "d/f")}, "`h` is a hard link to a file of another layer"},
      {{owned, HardLink("h", "./x")},
       "`h` is a hard link whose target is not the plain path"},
      {{Whiteout(".wh.none")}, "`.wh.none` is a whiteout of nothing"},
      {{Whiteout("d/f/.wh.x")}, "`d/f/.wh.x` is a whiteout of nothing"},
      {{Whiteout("d/.wh..wh..opq")}, "`d/.wh..wh..opq` is an opaque marker"},
      {{{"d/.wh.f", '0', "text"}}, "`d/.wh.f` is a whiteout but no empty file"},
      {{{"./x", '0'}}, "`x` is not written as the plain relative path"},
      {{{"x//", '5'}}, "`x` is not written as the plain relative path"},
      {{{"x", '2', "text", "t"}}, "`x` has a size but is no file"},
      {{Raw{.name = "x",
            .pax = {{"SCHILY.xattr.trusted.overlay.opaque", "y"}}}},
       "`x` has xattrs that are no part of a layer"},
      {{{".wh..wh.aufs", '0'}}, "`.wh..wh.aufs` is what AUFS leaves behind"},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.rule);
    std::vector<Raw> layer = test.layer;
    if (layer[0].type == '2' && !layer[0].content.empty()) {
      // A size without bytes: nothing but files has any.
      std::string tar = Tar({layer[0]});
      tar.erase(512, 512);
      TarFold fold(TarRules::kForeign);
      EXPECT_TRUE(fold.Add(tar).ok() && fold.EndLayer().ok());
      EXPECT_EQ(absl::StrJoin(fold.broken_rules(), "|"), test.rule);
      continue;
    }
    const Folded foreign = Fold({base, layer});
    EXPECT_EQ(foreign.error, "");
    EXPECT_EQ(absl::StrJoin(foreign.broken, "|"), test.rule);
    const Folded own = Fold({base, layer}, TarRules::kOwn);
    EXPECT_EQ(own.error, absl::StrCat("layer 2: ", test.rule));
    EXPECT_EQ(own.tree, foreign.tree);
  }
  EXPECT_EQ(Fold({{Whiteout(".wh.x")}}, TarRules::kOwn).error,
            "layer 1: `.wh.x` is a whiteout in the bottom layer");
  EXPECT_EQ(Fold({base, {owned, owned, owned}}, TarRules::kOwn).error,
            "layer 2: `x` stands twice, and 1 more broken rules");
}

TEST(TarFold, AcceptsWhatOurOwnLayersHave) {
  const Folded folded = Fold(
      {{Folder("d"),
        {"d/f", '0', "t"},
        HardLink("d/g", "d/f"),
        Symlink("l", "nowhere")},
       {Folder("."),
        Folder("d"),
        Whiteout("d/.wh.f"),
        {"d/new", '0', "n"},
        Raw{.name = "long", .content = "c", .pax = {{"path", "d/\xc3\xa9"}}}}},
      TarRules::kOwn);
  EXPECT_EQ(folded.error, "");
  EXPECT_EQ(folded.tree, "d d|f d/g t|f d/new n|f d/\xc3\xa9 c|l l nowhere");
}

TEST(TarFold, ReadsEveryFormOfEveryField) {
  Raw pax = {.name = "short",
             .pax = {{"path", "a/long"},
                     {"uid", "3000000"},
                     {"gid", "4"},
                     {"mtime", "-1.5"},
                     {"SCHILY.xattr.user.note", std::string("a\0b", 3)},
                     {"SCHILY.xattr.user.empty", ""},
                     {"SCHILY.xattr.security.selinux", "label"}}};
  std::string device = Header("dev", '4', 0);
  Put(device, 329, absl::string_view("\x80\0\0\0\0\0\1\0", 8));
  Put(device, 337, "0000007");
  Put(device, 108, absl::string_view("\x80\0\0\0\xff\xff\xff\xff", 8));
  Put(device, 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe");
  Sum(device);
  std::string prefixed = Header("name", '0', 0);
  Put(prefixed, 345, "some/prefix");
  Sum(prefixed);
  std::string gnu = Header("gnu", '0', 0);
  Put(gnu, 257, absl::string_view("ustar  \0", 8));
  Put(gnu, 345, "12345");  // Times, in GNU's form.
  Sum(gnu);
  const std::string name(300, 'n');
  std::string parts = absl::StrCat(name.substr(0, 200), "/", name);
  std::string tar = Bytes(pax);
  absl::StrAppend(
      &tar, device, prefixed, gnu, Header("././@LongLink", 'L', 256),
      Padded(name.substr(0, 250)), "", Header("././@LongLink", 'K', 151),
      Padded(std::string(150, 'k')), Header("cut", '2', 0),
      Header("g", 'g', 13), Padded("13 path=evil\n"), Header("v7", '\0', 0),
      End());
  TarFold fold(TarRules::kForeign);
  ASSERT_TRUE(fold.Add(tar).ok()) << fold.Add("");
  ASSERT_TRUE(fold.EndLayer().ok());
  const ir::PathStates& states = fold.states();
  const ir::PathState& first = states.at("a/long");
  EXPECT_EQ(first.uid, 3000000u);
  EXPECT_EQ(first.gid, 4u);
  EXPECT_EQ(first.mtime, -2);
  EXPECT_EQ(first.xattrs.size(), 1u);
  EXPECT_EQ(first.xattrs.at("user.note"), std::string("a\0b", 3));
  EXPECT_EQ(states.at("dev").body, "256:7");
  EXPECT_EQ(states.at("dev").uid, 0xffffffffu);
  EXPECT_EQ(states.at("dev").mtime, -2);
  EXPECT_TRUE(states.contains("some/prefix/name"));
  EXPECT_TRUE(states.contains("gnu"));
  EXPECT_EQ(states.at(name.substr(0, 250)).body, std::string(150, 'k'));
  EXPECT_TRUE(states.contains("v7"));
  EXPECT_FALSE(states.contains("evil"));
}

TEST(TarFold, KeepsTheMetadataOfTheRootApart) {
  TarFold fold;
  EXPECT_FALSE(fold.root().has_value());
  Raw root = Folder(".");
  root.mode = 0700;
  ASSERT_TRUE(fold.Add(Tar({root})).ok() && fold.EndLayer().ok());
  EXPECT_EQ(fold.root()->mode, 0700u);
  EXPECT_TRUE(fold.states().empty());
}

TEST(TarFold, GoesOnFromATreeThatWasFoldedBefore) {
  TarFold below;
  ASSERT_TRUE(below.Add(Tar({{"a", '0', "t"}, HardLink("b", "a")})).ok());
  ASSERT_TRUE(below.EndLayer().ok());
  TarFold above;
  above.StartFrom(below.states());
  const Raw more = {"c", '0', "t"};
  ASSERT_TRUE(
      above.Add(Tar({Whiteout(".wh.a"), more, HardLink("d", "c")})).ok());
  ASSERT_TRUE(above.EndLayer().ok());
  const std::map<std::string, std::string> texts = {
      {Sha256("t").ToString(), "t"}};
  EXPECT_EQ(Describe(above, texts), "f b t|f c t @c|f d t @c");
  EXPECT_EQ(Describe(below, texts), "f a t @a|f b t @a");
}

TEST(TarFold, StopsAfterAnError) {
  TarFold fold;
  EXPECT_FALSE(fold.Add(std::string(512, 'x')).ok());
  EXPECT_FALSE(fold.Add(End()).ok());
  EXPECT_FALSE(fold.EndLayer().ok());
}

}  // namespace
}  // namespace lamina::backend
