// Graphs, image names and configurations.
#include "ir/graph.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ir/rewrite.h"
#include "ir/verify.h"

namespace lamina::ir {
namespace {

std::string ReadBack(const std::string& text) {
  absl::StatusOr<BuildGraph> graph = ParseGraph(text);
  return graph.ok() ? PrintGraph(*graph)
                    : absl::StrCat("error: ", graph.status().message());
}

// Every field of every op differs from its default.
BuildGraph EveryOp() {
  BuildGraph graph;
  Digest id = Sha256("x");
  ImageReference debian = *ImageReference::Parse("debian:12");
  NodeId scratch = AddNode(graph, {.op = Scratch{}});
  NodeId base = AddNode(graph, {.op = BaseImage{debian, id}});
  AddNode(graph, {.op = BaseImage{debian, {}}});
  NodeId local = AddNode(graph, {.op = LocalFiles{"name \"q\""}});
  Run run = {.args = {"/bin/sh", "-c", "echo a\n\tb\\ \x7F\xFF\xC3\xA4", ""},
             .env = {"A=1", "B="},
             .hidden_env = {"http_proxy=h"},
             .user = "app:1",
             .working_dir = "/srv",
             .network = NetworkMode::kHost,
             .insecure = true,
             .platform = "linux/arm/v7",
             .scripts = {{"EOF", "#!/bin/sh\nls\n"}}};
  run.mounts = {{.target = "/src", .source = "/out", .input = 1},
                {.type = Mount::Type::kCache,
                 .target = "/c",
                 .input = 1,
                 .read_only = false,
                 .id = "id",
                 .sharing = Mount::Sharing::kPrivate,
                 .mode = 0755,
                 .uid = 1,
                 .gid = 4294967295},
                {.type = Mount::Type::kCache,
                 .target = "/d",
                 .sharing = Mount::Sharing::kLocked},
                {.type = Mount::Type::kTmpfs, .target = "/t", .size = 1 << 20},
                {.type = Mount::Type::kSecret,
                 .target = "/run/secrets/s",
                 .id = "s",
                 .required = true,
                 .mode = 0400,
                 .env = "TOKEN"},
                {.type = Mount::Type::kSsh, .target = "/agent"}};
  NodeId ran = AddNode(graph, {.op = run,
                               .inputs = {base, local},
                               .source = {3, 9},
                               .stage = "build",
                               .text = "RUN x",
                               .same_sandbox = true});
  Run none = {.args = {"x"}, .working_dir = "", .network = NetworkMode::kNone};
  AddNode(graph, {.op = none, .inputs = {ran}});
  Copy copy = {.sources = {"a b", "c"},
               .files = {{"f", "data\n"}},
               .destination = "/d/",
               .owner = {"u", "g", true},
               .chmod = "0755",
               .preserve_owner = true,
               .unpack = true,
               .parents = true,
               .link = true,
               .exclude = {"*.o", "!x"}};
  NodeId copied = AddNode(graph, {.op = copy, .inputs = {ran, local}});
  NodeId file = AddNode(
      graph, {.op = RemoteFile{"https://h/f?\"", "f", id.ToString()}});
  NodeId tree = AddNode(graph, {.op = GitTree{.url = "git@h:x.git",
                                              .ref = "main",
                                              .subdir = "a/b",
                                              .checksum = "c0ffee1",
                                              .keep_git = true,
                                              .skip_submodules = true,
                                              .by_commit = true,
                                              .commit_times = true}});
  Copy mixed = {.sources = {"/", "f", "x"},
                .source_inputs = {2, 1, 3},
                .destination = "/m/",
                .unpack_remote = true};
  copied = AddNode(graph,
                   {.op = mixed, .inputs = {copied, file, tree, local}});
  Copy reset = {
      .files = {{"f", ""}}, .destination = "/f", .owner = {"", "", true}};
  NodeId last = AddNode(graph, {.op = reset, .inputs = {copied}});
  last = AddNode(graph, {.op = MakeDir{"/w", "1:2"}, .inputs = {last}});
  Target target = {.name = "app", .root = last};
  target.config.architecture = "";
  target.config.os_version = "10";
  target.config.env = {"PATH=/bin", "X=\"\n"};
  target.config.labels = {{"k", "v"}};
  target.config.healthcheck = Healthcheck{.test = {"NONE"}, .retries = 3};
  target.history = {{{.created = "2026-01-02T03:04:05Z",
                      .created_by = "base",
                      .author = "me",
                      .comment = "c"},
                     {}},
                    {{.created_by = "RUN \"x\""}, ran},
                    {{.created_by = "CMD", .empty_layer = true}, {}}};
  graph.targets = {target, {.name = "", .root = scratch}};
  return graph;
}

TEST(GraphText, EveryFieldOfEveryOpIsReadBack) {
  BuildGraph graph = EveryOp();
  std::string text = PrintGraph(graph);
  absl::StatusOr<BuildGraph> parsed = ParseGraph(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
  ASSERT_EQ(parsed->nodes.size(), graph.nodes.size());
  for (uint32_t i = 0; i < graph.nodes.size(); ++i) {
    EXPECT_EQ(parsed->nodes[NodeId{i}], graph.nodes[NodeId{i}]) << i;
  }
  EXPECT_EQ(parsed->targets, graph.targets) << text;
  EXPECT_EQ(PrintGraph(*parsed), text);
}

TEST(GraphText, TheOrderOfAttributesIsFree) {
  EXPECT_EQ(ReadBack("n0 = scratch\n\n# note\n"
                     "n1 = run n0 [\"ls\"] env(\"A=1\" \"B=2\")\n"),
            "n0 = scratch\nn1 = run n0 env(\"A=1\", \"B=2\") [\"ls\"]\n");
}

TEST(GraphText, MistakesNameTheirLine) {
  const std::pair<const char*, const char*> kCases[] = {
      {"n1 = scratch", "line 1: `n0 = ` and an operation expected"},
      {"n0 = frob", "line 1: `frob` is no operation"},
      {"n0 = scratch\nn1 = mkdir n1 \"/a\"",
       "line 2: malformed: an input comes later"},
      {"n0 = mkdir \"/a", "line 1: a string has no end"},
      {"n0 = mkdir \"/a\" foo", "line 1: unexpected `foo`"},
      {"n0 = run", "line 1: malformed: a list is missing"},
      {"n0 = run [\"a\"", "line 1: `]` is missing"},
      {"n0 = run [\"a\"] network(moon)", "line 1: malformed: network"},
      {"n0 = run [\"a\"] mount(\"/a\")", "line 1: malformed: mount type"},
      {"n0 = local \"\\q\"", "line 1: unknown escape in a string"},
      {"n0 = copy [\"a\"] \"/\" from(x)", "line 1: malformed: from"},
      {"target \"a\" n0", "line 1: a target has one root"},
      {"history \"a\"",
       "line 1: history names one node at most, below its target"},
  };
  for (const auto& [text, error] : kCases) {
    EXPECT_EQ(ReadBack(text), absl::StrCat("error: ", error)) << text;
  }
}

TEST(GraphText, TheKeyOfAStepLeavesOutWhatHasNoEffect) {
  ir::Run run = {.args = {"ls"}, .hidden_env = {"http_proxy=x"}};
  EXPECT_EQ(PrintOp(run), "run [\"ls\"]");
  run.env = {"A=1"};
  EXPECT_EQ(PrintOp(run), "run env(\"A=1\") [\"ls\"]");
  BaseImage base = {*ImageReference::Parse("a:1"), Sha256("x")};
  BaseImage retagged = {*ImageReference::Parse("a:2"), Sha256("x")};
  EXPECT_EQ(PrintOp(base), PrintOp(retagged));
  base.image_id = {};
  EXPECT_EQ(PrintOp(base), "image \"docker.io/library/a:1\"");
}

TEST(Rewrite, ReplacedNodesAreRenumberedEverywhere) {
  BuildGraph graph = *ParseGraph(
      "n0 = scratch\nn1 = local \"\"\nn2 = mkdir n0 \"/a\"\n"
      "n3 = mkdir n2 \"/b\"\nn4 = mkdir n3 \"/c\"\n"
      "target \"t\" n4\n  history n2 \"x\"\n  history n3 \"y\"\n"
      "  history n4 \"z\"\n");
  Successors successors = EachStays(graph);
  successors[1].reset();
  successors[3] = NodeId{2};
  EXPECT_EQ(
      PrintGraph(ReplaceNodes(graph, successors, History::kEmpty).graph),
      "n0 = scratch\nn1 = mkdir n0 \"/a\"\nn2 = mkdir n1 \"/c\"\n"
      "target \"t\" n2\n  history n1 \"x\"\n  history \"y\" empty\n"
      "  history n2 \"z\"\n");
}

TEST(Verify, EachBrokenInvariantIsNamed) {
  const std::pair<const char*, const char*> kCases[] = {
      {"n0 = scratch\nn1 = mkdir n0 \"/a\"\ntarget \"t\" n1\n"
       " history \"base\"\n history n1 \"x\"\n history \"y\" empty",
       ""},
      {"n0 = scratch\nn1 = scratch n0", "n1: an op without inputs has some"},
      {"n0 = run [\"a\"]", "n0: run has no input to run on"},
      {"n0 = scratch\nn1 = run n0 []", "n1: run has no arguments"},
      {"n0 = scratch\nn1 = run n0 mount(bind \"/a\" input(1)) [\"a\"]",
       "n1: mount /a takes input 1 of 1"},
      {"n0 = scratch\nn1 = copy n0 [] \"/\"", "n1: copy has nothing to copy"},
      {"n0 = scratch\nn1 = copy n0 [\"a\"] \"/\"", "n1: copy has 1 inputs"},
      {"n0 = local \"\"\nn1 = copy n0 n0 n0 [\"a\"] \"/\"",
       "n1: copy has 3 inputs"},
      {"n0 = local \"\"\nn1 = copy n0 n0 [\"a\"] from(2) \"/\"",
       "n1: copy takes input 2 of 2"},
      {"n0 = local \"\"\nn1 = copy n0 n0 [\"a\", \"b\"] from(1) \"/\"",
       "n1: copy has sources without an input"},
      {"n0 = remote \"https://h/\" name(\"..\")",
       "n0: the file of a URL has no name"},
      {"n0 = git \"https://h/x.git\" subdir(\"../x\")",
       "n0: the folder of a git tree is outside of it"},
      {"n0 = scratch\nn1 = copy n0 [] \"a\" file(\"f\", \"\")",
       "n1: the destination of copy is relative"},
      {"n0 = scratch\nn1 = mkdir n0 n0 \"/a\"", "n1: mkdir has 2 inputs"},
      {"n0 = scratch\nn1 = mkdir n0 \"a\"",
       "n1: the path of mkdir is relative"},
      {"n0 = scratch\nn1 = mkdir n0 \"/a\"\ntarget \"t\" n0\n history n1 \"x\"",
       "target `t`: history `x` names n1, which is not on the chain of the "
       "root"},
      {"n0 = scratch\nn1 = mkdir n0 \"/a\"\nn2 = mkdir n1 \"/b\"\n"
       "target \"t\" n2\n history n2 \"x\"\n history n1 \"y\"",
       "target `t`: history `y` names n1 after n2"},
      {"n0 = scratch\nn1 = mkdir n0 \"/a\"\ntarget \"t\" n1\n"
       " history n1 \"x\" empty",
       "target `t`: history `x` has a node but an empty layer"},
      {"n0 = scratch\nn1 = mkdir n0 \"/a\"\ntarget \"t\" n1\n"
       " history n1 \"x\"\n history \"y\"",
       "target `t`: history `y` has a layer but no node"},
  };
  for (const auto& [text, error] : kCases) {
    absl::StatusOr<BuildGraph> graph = ParseGraph(text);
    ASSERT_TRUE(graph.ok()) << graph.status() << "\n" << text;
    EXPECT_EQ(VerifyGraph(*graph).message(), error) << text;
  }
}

TEST(Verify, TheGraphWithEveryOpIsFine) {
  absl::Status status = VerifyGraph(EveryOp());
  EXPECT_TRUE(status.ok()) << status;
}

TEST(ImageReference, DefaultsAreFilledInAndLeftOut) {
  const std::string hex(64, 'a');
  const std::vector<std::string> kCases[] = {
      // Written, full, familiar.
      {"debian", "docker.io/library/debian:latest", "debian:latest"},
      {"debian:12", "docker.io/library/debian:12", "debian:12"},
      {"docker.io/debian", "docker.io/library/debian:latest", "debian:latest"},
      {"index.docker.io/debian:1", "docker.io/library/debian:1", "debian:1"},
      {"library/debian:1", "docker.io/library/debian:1", "debian:1"},
      {"me/app", "docker.io/me/app:latest", "me/app:latest"},
      {"localhost/app:1", "localhost/app:1", "localhost/app:1"},
      {"localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"},
      {"localhost:5000/app", "localhost:5000/app:latest",
       "localhost:5000/app:latest"},
      {"ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1"},
      {"Host/app:1", "Host/app:1", "Host/app:1"},
      {"[::1]:80/app:1", "[::1]:80/app:1", "[::1]:80/app:1"},
      {"f_g/a__b.c-d--e:T.1-_", "docker.io/f_g/a__b.c-d--e:T.1-_",
       "f_g/a__b.c-d--e:T.1-_"},
      {"docker.io/my.org/x:1", "docker.io/my.org/x:1", "docker.io/my.org/x:1"},
      {"app@sha256:" + hex, "docker.io/library/app@sha256:" + hex,
       "app@sha256:" + hex},
      {"app:1@sha256:" + hex, "docker.io/library/app:1@sha256:" + hex,
       "app:1@sha256:" + hex},
      {hex + ":1", "docker.io/library/" + hex + ":1", hex + ":1"},
  };
  for (const auto& row : kCases) {
    absl::StatusOr<ImageReference> reference = ImageReference::Parse(row[0]);
    ASSERT_TRUE(reference.ok()) << row[0] << ": " << reference.status();
    EXPECT_EQ(reference->Full(), row[1]);
    EXPECT_EQ(reference->Familiar(), row[2]);
    EXPECT_EQ(*ImageReference::Parse(reference->Familiar()), *reference);
    EXPECT_EQ(*ImageReference::Parse(reference->Full()), *reference);
  }
}

TEST(ImageReference, ErrorsSayWhichPartIsWrong) {
  const std::pair<std::string, const char*> kCases[] = {
      {"", "the image name is empty"},
      {std::string(64, 'a'), "64 hex digits alone are an image id"},
      {"Debian", "repository `Debian` must be lower case"},
      {"me/App:1", "repository `me/App` must be lower case"},
      {"a//b", "repository `a//b` must be lower-case letters and digits"},
      {"a/", "repository `a/` must be"},
      {"-a", "repository `-a` must be"},
      {"a-", "repository `a-` must be"},
      {"a..b", "repository `a..b` must be"},
      {"a___b", "repository `a___b` must be"},
      {"a._b", "repository `a._b` must be"},
      {"a b", "repository `a b` must be"},
      {"a$", "repository `a$` must be"},
      {":1", "the repository is empty"},
      {"a:", "tag `` must be 1 to 128 letters"},
      {"a:-x", "tag `-x` must be"},
      {"a:" + std::string(129, 'x'), "must be 1 to 128 letters"},
      {"a:b:c", "tag `b:c` must be"},
      {"a@sha256:12", "digest `sha256:12` must be `sha256:` and 64"},
      {"a@sha256:" + std::string(64, 'A'), "lower-case hex digits"},
      {"host:x/app", "domain `host:x` must be a host name"},
      {"-h.io/app", "domain `-h.io` must be"},
      {"h..io/app", "domain `h..io` must be"},
      {std::string(256, 'a'), "has 256 bytes; 255 are allowed"},
  };
  for (const auto& [text, part] : kCases) {
    absl::StatusOr<ImageReference> reference = ImageReference::Parse(text);
    ASSERT_FALSE(reference.ok()) << text;
    EXPECT_TRUE(absl::StrContains(reference.status().message(), part))
        << reference.status();
  }
}

TEST(ImageConfig, TheDocumentIsCanonicalAndLeavesOutWhatIsEmpty) {
  ImageDocument document;
  EXPECT_EQ(PrintImageDocument(document),
            R"({"architecture":"amd64","config":{"WorkingDir":"/"},)"
            R"("os":"linux","rootfs":{"diff_ids":[],"type":"layers"}})");
  document.created = "2026-01-02T03:04:05Z";
  document.config.cmd = {"a && b"};
  document.config.exposed_ports = {"80/tcp"};
  document.config.args_escaped = true;
  document.config.healthcheck = Healthcheck{.test = {"NONE"}};
  document.history = {{.created_by = "COPY a / # buildkit"},
                      {.created_by = "CMD x", .empty_layer = true}};
  document.diff_ids = {Sha256("")};
  EXPECT_EQ(PrintImageDocument(document),
            absl::StrCat(
                R"({"architecture":"amd64","config":{"ArgsEscaped":true,)",
                R"("Cmd":["a && b"],"ExposedPorts":{"80/tcp":{}},)",
                R"("Healthcheck":{"Test":["NONE"]},"WorkingDir":"/"},)",
                R"("created":"2026-01-02T03:04:05Z","history":[)",
                R"({"created_by":"COPY a / # buildkit"},)",
                R"({"created_by":"CMD x","empty_layer":true}],"os":"linux",)",
                R"("rootfs":{"diff_ids":["sha256:)", Sha256("").hex(),
                R"("],"type":"layers"}})"));
}

TEST(ImageConfig, EveryFieldIsReadBack) {
  ImageDocument document = {.created = "2026-01-02T03:04:05.5Z"};
  document.config = {
      .architecture = "arm",
      .os = "windows",
      .variant = "v7",
      .os_version = "10.0",
      .author = "me",
      .user = "app:app",
      .env = {"PATH=/bin", "A=x=y", "E="},
      .entrypoint = {"/e", ""},
      .cmd = {"c"},
      .working_dir = "/srv",
      .labels = {{"k", "v"}, {"e", ""}},
      .exposed_ports = {"443/udp", "80/tcp"},
      .volumes = {"/data"},
      .stop_signal = "SIGINT",
      .args_escaped = true,
      .healthcheck = Healthcheck{{"CMD", "x"}, 1, 2, 3, 4, 5},
      .on_build = {"RUN x"},
      .shell = {"/bin/bash", "-c"},
  };
  document.history = {{"2026-01-01T00:00:00Z", "RUN x", "me", "note", false},
                      {.created_by = "CMD", .empty_layer = true}};
  document.diff_ids = {Sha256("a")};
  absl::StatusOr<ImageDocument> read =
      ParseImageDocument(PrintImageDocument(document));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->config, document.config);
  EXPECT_EQ(read->created, document.created);
  EXPECT_EQ(read->history, document.history);
  EXPECT_EQ(read->diff_ids, document.diff_ids);
}

TEST(ImageConfig, DocumentsOfOtherToolsAreRead) {
  absl::StatusOr<ImageDocument> read = ParseImageDocument(
      R"({"architecture":"amd64","container":"c","config":{"Hostname":"h",)"
      R"("Cmd":null,"Entrypoint":null,"Env":["A=1","B=2","A=3"],)"
      R"("Image":"sha256:1","Labels":null,"OnBuild":null,"User":"",)"
      R"("Volumes":null,"WorkingDir":"app"},"container_config":{"Cmd":["x"]},)"
      R"("created":"2020-01-01T00:00:00.123456789Z","docker_version":"20",)"
      R"("history":null,"os":"linux","rootfs":{"type":"layers"}})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->config.env, (std::vector<std::string>{"A=3", "B=2"}));
  EXPECT_EQ(read->config.working_dir, "/app");
  EXPECT_TRUE(read->config.cmd.empty());
  EXPECT_FALSE(read->config.healthcheck);
  EXPECT_EQ(read->created, "2020-01-01T00:00:00.123456789Z");
}

TEST(ImageConfig, HistoryIsRepairedToMatchTheLayers) {
  std::string one = Sha256("a").ToString();
  absl::StatusOr<ImageDocument> missing = ParseImageDocument(
      absl::StrCat(R"({"created":"2026-01-02T03:04:05Z","history":[)",
                   R"({"created_by":"x","empty_layer":true}],)",
                   R"("rootfs":{"diff_ids":[")", one, R"("]}})"));
  ASSERT_TRUE(missing.ok());
  ASSERT_EQ(missing->history.size(), 2u);
  EXPECT_EQ(missing->history[1].comment, "buildkit.exporter.image.v0");
  EXPECT_FALSE(missing->history[1].empty_layer);
  absl::StatusOr<ImageDocument> surplus = ParseImageDocument(absl::StrCat(
      R"({"history":[{"created_by":"a"},{"created_by":"b"},)",
      R"({"created_by":"c","empty_layer":true},{"created_by":"d"}],)",
      R"("rootfs":{"diff_ids":[")", one, R"("]}})"));
  ASSERT_TRUE(surplus.ok());
  std::vector<bool> empty;
  for (const HistoryEntry& entry : surplus->history) {
    empty.push_back(entry.empty_layer);
  }
  EXPECT_EQ(empty, (std::vector<bool>{false, true, true, true}));
}

TEST(ImageConfig, BadDocumentsAreRefused) {
  EXPECT_FALSE(ParseImageDocument("[]").ok());
  EXPECT_FALSE(ParseImageDocument("{").ok());
  absl::StatusOr<ImageDocument> digest =
      ParseImageDocument(R"({"rootfs":{"diff_ids":["sha256:1"]}})");
  EXPECT_TRUE(absl::StartsWith(digest.status().message(), "rootfs.diff_ids: "));
  EXPECT_FALSE(ParseImageDocument(R"({"rootfs":{"type":"x"}})").ok());
}

TEST(ImageConfig, AKnownVariableKeepsItsPlace) {
  ImageConfig config;
  config.SetEnv("A", "1");
  config.SetEnv("AB", "2");
  config.SetEnv("A", "3");
  EXPECT_EQ(config.env, (std::vector<std::string>{"A=3", "AB=2"}));
  EXPECT_EQ(config.FindEnv("AB"), "2");
  EXPECT_EQ(config.FindEnv("B"), std::nullopt);
}

TEST(ImageTime, TimesAreReadAndWritten) {
  const std::pair<int64_t, const char*> kTimes[] = {
      {0, "1970-01-01T00:00:00Z"},
      {1767323045, "2026-01-02T03:04:05Z"},
      {951782400, "2000-02-29T00:00:00Z"},
      {-1, "1969-12-31T23:59:59Z"},
      {253402300799, "9999-12-31T23:59:59Z"}};
  for (const auto& [seconds, text] : kTimes) {
    EXPECT_EQ(FormatTime(seconds), text);
    EXPECT_EQ(ParseTime(text), seconds);
  }
  EXPECT_EQ(ParseTime("2026-01-02T03:04:05.999999999Z"), 1767323045);
  EXPECT_EQ(ParseTime("2026-01-02T05:04:05.5+02:00"), 1767323045);
  EXPECT_EQ(ParseTime("2026-01-01T22:04:05-05:00"), 1767323045);
  for (const char* bad : {"", "2026-01-02", "2026-13-02T03:04:05Z",
                          "2026-02-30T03:04:05Z", "2026-01-02T24:04:05Z",
                          "2026-01-02T03:04:05", "2026-01-02T03:04:05Zx"}) {
    EXPECT_EQ(ParseTime(bad), 0) << bad;
  }
}

}  // namespace
}  // namespace lamina::ir
