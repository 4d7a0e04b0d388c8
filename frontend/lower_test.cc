#include "frontend/lower.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/dockerfile/evaluation.h"
#include "gtest/gtest.h"
#include "ir/verify.h"

namespace lamina::frontend {
namespace {

using Texts = std::vector<std::string>;

struct Lowered {
  ir::BuildGraph graph;
  Evaluation evaluation;
  Texts messages;  // "line:column: message" of errors and warnings.

  const ir::Target& target() const { return graph.targets.at(0); }
  const ir::ImageConfig& config() const { return target().config; }
  // created_by of each entry; those without a layer in brackets.
  Texts history() const {
    Texts texts;
    for (const ir::HistoryStep& step : target().history) {
      const std::string& text = step.entry.created_by;
      bool of_base = step.entry.comment.empty();
      EXPECT_EQ(step.node.has_value(), !of_base && !step.entry.empty_layer);
      texts.push_back(step.node ? text : absl::StrCat("[", text, "]"));
    }
    return texts;
  }
  // The last op of a kind.
  template <typename T>
  T last() const {
    T found;
    for (const ir::Node& node : graph.nodes) {
      if (const T* op = std::get_if<T>(&node.op)) {
        found = *op;
      }
    }
    return found;
  }
};

Lowered Lower(const std::string& text, const BuildOptions& options = {},
              const BaseImages& bases = {}) {
  SourceFile source("Dockerfile", text);
  Diagnostics diagnostics;
  grammar::DockerfileSyntax syntax =
      grammar::ParseDockerfile(source, DockerfileKeywords(), diagnostics);
  Lowered result;
  result.graph = LowerDockerfile(syntax, source, options, bases, diagnostics,
                                 &result.evaluation);
  diagnostics.Sort();
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    std::string place;
    if (diagnostic.range.has_value()) {
      SourcePosition position = source.Position(diagnostic.range->begin);
      place = absl::StrCat(position.line, ":", position.column, ": ");
    }
    result.messages.push_back(absl::StrCat(place, diagnostic.message));
  }
  if (!diagnostics.has_errors()) {
    EXPECT_TRUE(ir::VerifyGraph(result.graph).ok())
        << ir::VerifyGraph(result.graph) << ir::PrintGraph(result.graph);
  }
  return result;
}

// The messages of a file whose first line is FROM scratch.
Texts Messages(const std::string& body, const BuildOptions& options = {}) {
  return Lower("FROM scratch\n" + body, options).messages;
}

Lowered LowerBody(const std::string& body, const BuildOptions& options = {}) {
  Lowered result = Lower("FROM scratch\n" + body, options);
  EXPECT_EQ(result.messages, Texts{});
  return result;
}

std::string LastHistory(const std::string& body,
                        const BuildOptions& options = {}) {
  return LowerBody(body, options).history().back();
}

BaseImages OneBase(ir::ImageConfig config) {
  BaseInfo base;
  base.document.config = std::move(config);
  base.document.history = {{.created_by = "base"}};
  base.document.diff_ids.resize(1);
  return {{"docker.io/library/base:latest", std::move(base)}};
}

TEST(LowerTest, TheWorkedExampleHasTheHistoryAndConfigurationOfTheReference) {
  Lowered result = LowerBody(
      "ARG V=1\nENV A=x\nWORKDIR /app\nCOPY --chown=1:2 a b ./\n"
      "RUN [\"/bin/true\"]\nEXPOSE 80 443/udp\nCMD echo hi\n");
  EXPECT_EQ(
      result.history(),
      (Texts{"[ARG V=1]", "[ENV A=x]", "WORKDIR /app",
             "COPY --chown=1:2 a b ./ # buildkit",
             "RUN |1 V=1 /bin/true # buildkit", "[EXPOSE [443/udp 80/tcp]]",
             "[CMD [\"/bin/sh\" \"-c\" \"echo hi\"]]"}));
  const ir::ImageConfig& config = result.config();
  EXPECT_EQ(config.env,
            (Texts{absl::StrCat("PATH=", ir::kDefaultPath), "A=x"}));
  EXPECT_EQ(config.cmd, (Texts{"/bin/sh", "-c", "echo hi"}));
  EXPECT_EQ(config.working_dir, "/app");
  EXPECT_EQ(config.exposed_ports, (std::set<std::string>{"443/udp", "80/tcp"}));
  EXPECT_TRUE(config.args_escaped);
  auto copy = result.last<ir::Copy>();
  EXPECT_EQ(copy.destination, "/app/");
  EXPECT_EQ(copy.owner.user, "1");
  EXPECT_EQ(copy.owner.group, "2");
  auto run = result.last<ir::Run>();
  EXPECT_EQ(run.args, Texts{"/bin/true"});
  EXPECT_EQ(run.env,
            (Texts{absl::StrCat("PATH=", ir::kDefaultPath), "V=1", "A=x"}));
  for (const ir::HistoryStep& step : result.target().history) {
    EXPECT_EQ(step.entry.comment, "buildkit.dockerfile.v0");
  }
}

TEST(LowerTest, HistoryTextsAreThoseOfTheReference) {
  struct Row {
    const char* body;
    const char* history;
  };
  for (const Row& row : std::vector<Row>{
           {"RUN echo a && ls", "RUN /bin/sh -c echo a && ls # buildkit"},
           {"ARG A=1\nARG B\nRUN ls", "RUN |2 A=1 B= /bin/sh -c ls # buildkit"},
           {"ARG A=1\nENV A=2\nARG B=3\nRUN ls",
            "RUN |2 A=2 B=3 /bin/sh -c ls # buildkit"},
           {"RUN [\"prog\", \"a b\"]", "RUN prog a b # buildkit"},
           {"RUN <<EOF\nls\nEOF", "RUN /bin/sh -c ls\n # buildkit"},
           {"RUN <<-EOF\n\tls\nEOF", "RUN /bin/sh -c ls\n # buildkit"},
           {"RUN <<EOF\n#!/bin/x\nEOF",
            "RUN /bin/sh -c /dev/pipes/EOF # buildkit"},
           {"RUN cat <<E >f\nx\nE",
            "RUN /bin/sh -c cat <<E >f\nx\nE # buildkit"},
           {"ENV D=src\nCOPY --chown=1:2 --link --exclude=x a $D ./",
            "COPY --chown=1:2 a src ./ # buildkit"},
           {"COPY --from=b --parents --chmod=755 a /x",
            "COPY --parents --chmod=755 a /x # buildkit"},
           {"COPY <<one f /d/\nx\none", "COPY f <<one /d/ # buildkit"},
           {"ADD a b /x", "ADD a b /x # buildkit"},
           {"WORKDIR /srv\nWORKDIR app", "WORKDIR /srv/app"},
           {"WORKDIR /", "[WORKDIR /]"},
           {"ENV a=1 b=\"x y\"", "[ENV a=1 b=x y]"},
           {"ENV a 1", "[ENV a=1]"},
           {"ENV a b  c", "[ENV a=b  c]"},
           {"LABEL \"k\"=\"v\"", "[LABEL k=v]"},
           {"ARG a b=2", "[ARG a b=2]"},
           {"CMD []", "[CMD []]"},
           {"CMD echo \"a\"\t\x01",
            "[CMD [\"/bin/sh\" \"-c\" "
            "\"echo \\\"a\\\"\\t\\x01\"]]"},
           {"ENTRYPOINT [\"e\",\"x\"]", "[ENTRYPOINT [\"e\" \"x\"]]"},
           {"EXPOSE 2375 5000 1234/udp",
            "[EXPOSE [1234/udp 2375/tcp 5000/tcp]]"},
           {"EXPOSE 8000-8002/TCP", "[EXPOSE [8000/tcp 8001/tcp 8002/tcp]]"},
           {"EXPOSE 127.0.0.1:80:8080", "[EXPOSE [8080/tcp]]"},
           {"VOLUME /a /b", "[VOLUME [/a /b]]"},
           {"USER app:app", "[USER app:app]"},
           {"STOPSIGNAL SIGINT", "[STOPSIGNAL SIGINT]"},
           {"SHELL [\"/bin/bash\",\"-c\"]", "[SHELL [/bin/bash -c]]"},
           {"HEALTHCHECK --interval=1s --retries=3 CMD x",
            "[HEALTHCHECK {Test:[CMD-SHELL x] Interval:1s Timeout:0s "
            "StartPeriod:0s StartInterval:0s Retries:3}]"},
           {"HEALTHCHECK --timeout=90s --start-period=100ms CMD [\"x\"]",
            "[HEALTHCHECK {Test:[CMD x] Interval:0s Timeout:1m30s "
            "StartPeriod:100ms StartInterval:0s Retries:0}]"},
           {"MAINTAINER me", "[MAINTAINER me]"},
       }) {
    EXPECT_EQ(LastHistory(row.body), row.history) << row.body;
  }
  EXPECT_EQ(LastHistory("ARG a b=2", {.build_args = {{"a", "9"}}}),
            "[ARG a=9 b=2]");
}

TEST(LowerTest, AnEntrypointDropsAnInheritedCommandOnly) {
  BaseImages bases = OneBase({.cmd = {"x"}});
  auto config = [&](const std::string& body) {
    return Lower("FROM base\n" + body, {}, bases).config();
  };
  EXPECT_EQ(config("ENTRYPOINT [\"e\"]").cmd, Texts{});
  EXPECT_EQ(config("CMD [\"y\"]\nENTRYPOINT [\"e\"]").cmd, Texts{"y"});
  EXPECT_EQ(config("ENTRYPOINT [\"e\"]\nCMD [\"y\"]").cmd, Texts{"y"});
  EXPECT_EQ(config("USER u").cmd, Texts{"x"});
  EXPECT_EQ(config("CMD [\"y\"]\nFROM 0\n").cmd, Texts{});
  EXPECT_EQ(Lower("FROM scratch AS a\nCMD [\"y\"]\nFROM a\n"
                  "ENTRYPOINT [\"e\"]\n")
                .config()
                .cmd,
            Texts{});
  EXPECT_EQ(config("SHELL [\"ls\"]\nENTRYPOINT my entry").entrypoint,
            (Texts{"ls", "my entry"}));
  EXPECT_EQ(config("ENTRYPOINT []random").entrypoint,
            (Texts{"/bin/sh", "-c", "[]random"}));
}

TEST(LowerTest, EveryConfigurationFieldIsSet) {
  ir::ImageConfig config =
      LowerBody(
          "MAINTAINER me <a@b>\nUSER u:g\nVOLUME [\"/a\"]\n"
          "STOPSIGNAL rtmin+3\nHEALTHCHECK NONE\nLABEL a=1 a=2\n"
          "ONBUILD RUN ls\nSHELL [\"/bin/x\"]\nENV PATH=/p\n",
          {.labels = {{"b", "3"}}})
          .config();
  EXPECT_EQ(config.author, "me <a@b>");
  EXPECT_EQ(config.user, "u:g");
  EXPECT_EQ(config.volumes, std::set<std::string>{"/a"});
  EXPECT_EQ(config.stop_signal, "rtmin+3");
  EXPECT_EQ(config.healthcheck->test, Texts{"NONE"});
  EXPECT_EQ(config.labels,
            (std::map<std::string, std::string>{{"a", "2"}, {"b", "3"}}));
  EXPECT_EQ(config.on_build, Texts{"RUN ls"});
  EXPECT_EQ(config.shell, Texts{"/bin/x"});
  EXPECT_EQ(config.env, Texts{"PATH=/p"});
}

TEST(LowerTest, ArgAndEnvShareOneEnvironmentAndTheLaterWins) {
  auto env = [](const std::string& body, const BuildOptions& options = {}) {
    Texts all = LowerBody(body + "\nRUN ls", options).last<ir::Run>().env;
    all.erase(all.begin());  // PATH
    return absl::StrJoin(all, " ");
  };
  EXPECT_EQ(env("ARG X=a\nENV X=b"), "X=b");
  EXPECT_EQ(env("ENV X=b\nARG X=a"), "X=a");
  EXPECT_EQ(env("ENV X=b\nARG X"), "X=b");
  EXPECT_EQ(env("ARG X"), "");
  EXPECT_EQ(env("ARG X="), "X=");
  EXPECT_EQ(env("ARG X=d", {.build_args = {{"X", ""}}}), "X=");
  EXPECT_EQ(env("ARG a=1 b=$a"), "a=1 b=1");
  EXPECT_EQ(env("ENV a=1\nENV a=2 b=$a"), "a=2 b=1");
  EXPECT_EQ(env("ARG TARGETARCH\nARG TARGETVARIANT"),
            "TARGETARCH=amd64 TARGETVARIANT=");
  EXPECT_EQ(env("ARG X=${X:?no}", {.build_args = {{"X", "1"}}}), "X=1");
  EXPECT_EQ(LowerBody("ENV X=b\nARG X=a\nRUN ls").config().env[1], "X=b");
}

TEST(LowerTest, GlobalArgumentsNeedADeclarationInTheStage) {
  Lowered result = Lower(
      "ARG V=1\nARG W=$V.2\nFROM scratch AS a\nRUN ls\nFROM a\nARG W\nRUN ls");
  EXPECT_EQ(result.history(),
            (Texts{"RUN /bin/sh -c ls # buildkit", "[ARG W=1.2]",
                   "RUN |1 W=1.2 /bin/sh -c ls # buildkit"}));
}

TEST(LowerTest, ProxiesReachTheProcessAndNothingElse) {
  Lowered result = LowerBody("RUN ls", {.build_args = {{"http_proxy", "p"}}});
  EXPECT_EQ(result.last<ir::Run>().hidden_env,
            (Texts{"HTTP_PROXY=p", "http_proxy=p"}));
  EXPECT_EQ(result.last<ir::Run>().env.size(), 1u);
  EXPECT_EQ(result.history(), Texts{"RUN /bin/sh -c ls # buildkit"});
}

TEST(LowerTest, CopiesShareOneContextAndKnowTheirSources) {
  Lowered result = Lower(
      "FROM base AS b\nFROM scratch\nCOPY a /a\nCOPY --from=0 /x y/\n"
      "COPY --from=B . .\nADD --unpack=false t /t\nCOPY --from=img i /\n");
  EXPECT_EQ(result.messages, Texts{});
  EXPECT_EQ(ir::PrintGraph(result.graph),
            ir::PrintGraph(*ir::ParseGraph(ir::PrintGraph(result.graph))));
  std::vector<ir::Copy> copies;
  std::vector<std::vector<ir::NodeId>> inputs;
  int contexts = 0;
  for (const ir::Node& node : result.graph.nodes) {
    contexts += std::holds_alternative<ir::LocalFiles>(node.op) ? 1 : 0;
    if (const auto* copy = std::get_if<ir::Copy>(&node.op)) {
      copies.push_back(*copy);
      inputs.push_back(node.inputs);
    }
  }
  ASSERT_EQ(copies.size(), 5u);
  EXPECT_EQ(contexts, 1);
  EXPECT_EQ(inputs[0][1], inputs[3][1]);
  EXPECT_EQ(inputs[1][1], inputs[2][1]);
  EXPECT_FALSE(copies[0].preserve_owner);
  EXPECT_TRUE(copies[1].preserve_owner);
  EXPECT_EQ(copies[1].destination, "/y/");
  EXPECT_EQ(copies[2].destination, "/");
  EXPECT_FALSE(copies[3].unpack);
}

TEST(LowerTest, RemoteSourcesAreInputsOfTheirCopy) {
  std::string sum = "sha256:" + std::string(64, 'a');
  Lowered result = LowerBody(
      "ARG v=1\nADD https://h/a*$v.tgz?x x git@h:p/q.git#main:sub /d/\n"
      "ADD --checksum=" + sum + " --unpack --chmod=644 https://h/y /y\n"
      "ADD --keep-git-dir --checksum=c0ffee1 git@h:p/q.git#main:sub /g\n"
      "ADD https://h/a*1.tgz?x /again\n");
  std::vector<std::string> lines;
  for (const ir::Node& node : result.graph.nodes) {
    std::string inputs = absl::StrJoin(
        node.inputs, "", [](std::string* out, ir::NodeId id) {
          absl::StrAppend(out, " n", id.index);
        });
    lines.push_back(absl::StrCat(ir::PrintOp(node.op), inputs));
  }
  EXPECT_EQ(
      lines,
      (Texts{"scratch",
             "remote \"https://h/a*1.tgz?x\" name(\"a*1.tgz\")",
             "local \"\"",
             "git \"git@h:p/q.git\" ref(\"main\") subdir(\"sub\")",
             "copy [\"a\\\\*1.tgz\", \"x\", \"/\"] \"/d/\" from(1, 2, 3) "
             "unpack n0 n1 n2 n3",
             "remote \"https://h/y\" name(\"y\") checksum(\"" + sum + "\")",
             "copy [\"y\"] \"/y\" from(1) chmod(\"644\") unpack unpack-remote "
             "n4 n5",
             "git \"git@h:p/q.git\" ref(\"main\") subdir(\"sub\") "
             "checksum(\"c0ffee1\") keep-git",
             "copy [\"/\"] \"/g\" from(1) unpack n6 n7",
             "copy [\"a\\\\*1.tgz\"] \"/again\" from(1) unpack n8 n1"}));
  EXPECT_EQ(result.history(),
            (Texts{"[ARG v=1]",
                   "ADD https://h/a*1.tgz?x x git@h:p/q.git#main:sub /d/ # "
                   "buildkit",
                   "ADD --chmod=644 https://h/y /y # buildkit",
                   "ADD git@h:p/q.git#main:sub /g # buildkit",
                   "ADD https://h/a*1.tgz?x /again # buildkit"}));
}

TEST(LowerTest, InlineFilesAreExpandedUnlessQuoted) {
  Lowered result = LowerBody(
      "ENV v=1\nCOPY <<a <<'b' <<-c /d/\n$v\\n\na\n$v\nb\n\t$v\n\tc\n");
  auto copy = result.last<ir::Copy>();
  EXPECT_EQ(copy.files, (std::vector<ir::InlineFile>{
                            {"a", "1n\n"}, {"b", "$v\n"}, {"c", "1\n"}}));
  EXPECT_EQ(copy.destination, "/d/");
  for (const ir::Node& node : result.graph.nodes) {
    EXPECT_FALSE(std::holds_alternative<ir::LocalFiles>(node.op));
  }
}

TEST(LowerTest, AScriptWithAShebangBecomesAFile) {
  auto run = LowerBody("RUN <<-E\n\t#!/bin/x\n\techo $v\nE").last<ir::Run>();
  EXPECT_EQ(run.args, (Texts{"/bin/sh", "-c", "/dev/pipes/E"}));
  EXPECT_EQ(run.scripts,
            (std::vector<ir::ScriptFile>{{"E", "#!/bin/x\necho $v\n"}}));
}

TEST(LowerTest, MountsHaveTheirDefaults) {
  auto run = LowerBody(
                 "WORKDIR /w\nENV d=/cache\n"
                 "RUN --mount=target=src --mount=type=cache,dst=$d/x,uid=5 "
                 "--mount=type=tmpfs,target=/t,size=1k "
                 "--mount=type=secret,id=a/key "
                 "--mount=type=secret,id=e,env=E "
                 "--mount=type=ssh ls\n")
                 .last<ir::Run>();
  Texts seen;
  for (const ir::Mount& mount : run.mounts) {
    seen.push_back(absl::StrCat(
        static_cast<int>(mount.type), " ", mount.target, " ", mount.source, " ",
        mount.id, " ", mount.read_only ? "ro" : "rw", " ",
        absl::Dec(mount.mode), " ", mount.uid, " ", mount.size, " ", mount.env,
        mount.input ? absl::StrCat("in", *mount.input) : ""));
  }
  EXPECT_EQ(seen,
            (Texts{"3   e ro 256 0 0 E", "1 /cache/x  /cache/x rw 493 5 0 ",
                   "4 /run/buildkit/ssh_agent.0  default ro 384 0 0 ",
                   "3 /run/secrets/key  a/key ro 256 0 0 ",
                   "2 /t   rw 0 0 1024 ", "0 /w/src /  ro 0 0 0 in1"}));
  EXPECT_EQ(run.env.back(), "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0");
}

// Whether the message is `wanted`, with or without a hint; the hints stand in
// the golden cases.
bool Says(const std::string& message, const std::string& wanted) {
  return message == wanted ||
         message.substr(0, wanted.size() + 2) == wanted + "; ";
}

TEST(LowerTest, MountMistakesAreReportedAtTheValue) {
  auto message = [](const std::string& mount) {
    Texts all = Messages("RUN --mount=" + mount + " ls\n");
    return all.size() == 1 ? all[0] : absl::StrJoin(all, "|");
  };
  EXPECT_PRED2(Says, message("type=x,target=/t"),
               "2:18: unsupported mount type \"x\"");
  EXPECT_PRED2(Says, message("type=cach,target=/t"),
               "2:18: unsupported mount type \"cach\"; did you mean `cache`?");
  EXPECT_PRED2(Says, message("type=cache"), "2:13: target required");
  EXPECT_PRED2(Says, message("target=/"), "2:13: invalid mount target \"/\"");
  EXPECT_PRED2(Says, message("required,type=secret"),
               "2:13: unexpected key 'required' for mount type 'bind'");
  EXPECT_PRED2(Says, message("from=$x,target=/t"),
               "2:18: 'from' doesn't support variable expansion, define alias "
               "stage instead");
  EXPECT_PRED2(Says, message("target=/t,mode=0"),
               "2:23: mode not allowed for \"bind\" type mounts");
  EXPECT_PRED2(Says, message("type=cache,target=/t,sharing=x"),
               "2:42: unsupported sharing value \"x\"");
  EXPECT_PRED2(Says, message("type=secret"),
               "2:13: invalid secret mount. one of source, target required");
  EXPECT_PRED2(Says, message("type=ssh,source=x"),
               "2:22: ssh does not support source");
  EXPECT_PRED2(Says, message("target=/t,bare"),
               "2:23: invalid field 'bare' must be a key=value pair");
  EXPECT_PRED2(Says, message("target=/t,taget=1"),
               "2:23: unexpected key 'taget' in 'taget=1'; did you mean "
               "`target`?");
}

TEST(LowerTest, TriggersOfImagesAndStagesRunInTheChildOnly) {
  BaseImages bases = OneBase({.on_build = {"ENV a=1", "RUN <<E\nls\nE"}});
  Lowered image = Lower("FROM base AS x\nFROM x\n", {}, bases);
  EXPECT_EQ(image.history(),
            (Texts{"[base]", "[ENV a=1]", "RUN /bin/sh -c ls\n # buildkit"}));
  EXPECT_EQ(image.config().on_build, Texts{});
  Lowered stage = Lower(
      "FROM scratch AS x\nONBUILD COPY --from=y a /\nFROM scratch AS y\n"
      "FROM x AS z\nFROM z\n");
  EXPECT_EQ(stage.messages, Texts{});
  EXPECT_EQ(stage.history(), Texts{"COPY a / # buildkit"});
  Lowered wrong = Lower("FROM scratch AS x\nONBUILD RUNN ls\nFROM x\n");
  ASSERT_EQ(wrong.messages.size(), 1u);
  EXPECT_EQ(wrong.messages[0].substr(0, 24), "3:6: unknown instruction");
}

TEST(LowerTest, OnlyReachedStagesLeaveNodes) {
  Lowered result = Lower(
      "FROM scratch AS a\nRUN a\nFROM scratch AS b\nRUN b\n"
      "FROM scratch AS c\nRUN c\nCOPY --from=a . .\n",
      {.target = "A"});
  EXPECT_EQ(result.history(), Texts{"RUN /bin/sh -c a # buildkit"});
  EXPECT_EQ(result.graph.nodes.size(), 2u);
  EXPECT_EQ(result.target().name, "a");
}

TEST(LowerTest, BasesAreFoundInTheOrderOfTheirUse) {
  SourceFile source("Dockerfile",
                    "ARG V=1\nFROM unused\nFROM img:$V AS a\n"
                    "RUN --mount=from=tools,target=/t ls\nFROM a\n"
                    "COPY --from=other:2 x /\nCOPY --from=img:1 x /\n"
                    "COPY --from=ctx x /\n");
  Diagnostics diagnostics;
  grammar::DockerfileSyntax syntax =
      grammar::ParseDockerfile(source, DockerfileKeywords(), diagnostics);
  Texts names;
  for (const BaseUse& use : FindBases(
           syntax, source, {.named_contexts = {{"ctx", {}}}}, {}, diagnostics)) {
    names.push_back(absl::StrCat(use.reference.Familiar(), "@",
                                 source.Position(use.range.begin).line));
  }
  EXPECT_EQ(names, (Texts{"img:1@3", "tools:latest@4", "other:2@6"}));
  EXPECT_FALSE(diagnostics.has_errors());
}

TEST(LowerTest, NamedContextsReplaceStagesAndImages) {
  Lowered result = Lower(
      "FROM scratch AS deps\nRUN x\nFROM base\n"
      "COPY --from=deps a /\n",
      {.named_contexts = {{"deps", {}}, {"base", {}}}});
  EXPECT_EQ(result.messages, Texts{});
  Texts contexts;
  for (const ir::Node& node : result.graph.nodes) {
    EXPECT_FALSE(std::holds_alternative<ir::Run>(node.op));
    if (const auto* local = std::get_if<ir::LocalFiles>(&node.op)) {
      contexts.push_back(local->name);
    }
  }
  EXPECT_EQ(contexts, (Texts{"deps", "base"}));
  EXPECT_FALSE(result.last<ir::Copy>().preserve_owner);
}

TEST(LowerTest, PlatformsAreNormalised) {
  BuildOptions options = {.platform = "aarch64/v8"};
  EXPECT_NE(Messages("", options), Texts{});
  options.platform = "linux/aarch64/v8";
  ir::ImageConfig config = LowerBody("", options).config();
  EXPECT_EQ(config.architecture, "arm64");
  EXPECT_EQ(config.variant, "");
  options.platform = "arm";
  EXPECT_EQ(LowerBody("", options).config().variant, "v7");
  EXPECT_EQ(Lower("FROM --platform=$BUILDPLATFORM x\n").messages, Texts{});
  EXPECT_EQ(
      Lower("FROM --platform=$NO x\n").messages,
      Texts{"1:17: empty platform value from expression $NO; write one such as "
            "linux/amd64"});
  EXPECT_EQ(Lower("FROM --platform=linux/s390x x\n").messages, Texts{});
  EXPECT_EQ(Lower("FROM --platform=linux/s390x scratch\n").messages, Texts{});
}

TEST(LowerTest, ABaseOfAnotherPlatformIsTakenAndNoted) {
  BaseImages bases = OneBase({.architecture = "arm64", .variant = "v8"});
  auto lower = [&](const std::string& from, const std::string& platform) {
    return Lower(absl::StrCat("FROM ", from, "\nRUN x\n"),
                 {.platform = platform}, bases);
  };
  // "found for wanted" of the only stage.
  auto other = [&](const std::string& from, const std::string& platform) {
    std::optional<OtherPlatform> other =
        lower(from, platform).evaluation.stages.at(0).other_platform;
    return other.has_value() ? absl::StrCat(other->image, " ",
                                            other->found.Text(), " for ",
                                            other->wanted.Text())
                             : "";
  };
  EXPECT_EQ(other("base", ""), "base:latest linux/arm64/v8 for linux/amd64");
  EXPECT_EQ(lower("base", "").config().architecture, "arm64");
  EXPECT_EQ(other("base", "linux/s390x"),
            "base:latest linux/arm64/v8 for linux/s390x");
  EXPECT_EQ(lower("base", "linux/s390x").config().architecture, "s390x");
  EXPECT_EQ(lower("base", "linux/s390x").config().variant, "");
  EXPECT_EQ(other("base", "linux/arm64"), "");
  EXPECT_EQ(lower("base", "linux/arm64").config().variant, "");
  EXPECT_EQ(other("--platform=linux/arm64 base", ""), "");
  EXPECT_EQ(other("--platform=$BUILDPLATFORM base", "linux/arm64"),
            "base:latest linux/arm64/v8 for linux/amd64");
  EXPECT_EQ(lower("--platform=linux/amd46 base", "").messages[0],
            "1:23: nobody has images for platform linux/amd46; did you mean "
            "`amd64`?");
}

TEST(LowerTest, ARunKnowsThePlatformOfItsProgramsWhenItIsForeign) {
  auto platform = [](const std::string& target, const std::string& base,
                     const std::string& host) {
    BaseImages bases = OneBase({.architecture = base});
    return Lower(base.empty() ? "FROM scratch\nRUN x" : "FROM base\nRUN x",
                 {.platform = target, .host_platform = host}, bases)
        .last<ir::Run>()
        .platform;
  };
  EXPECT_EQ(platform("", "", "linux/amd64"), "");
  EXPECT_EQ(platform("linux/arm64", "", "linux/amd64"), "linux/arm64");
  EXPECT_EQ(platform("linux/arm64", "", "linux/aarch64"), "");
  EXPECT_EQ(platform("linux/arm", "", "linux/amd64"), "linux/arm/v7");
  EXPECT_EQ(platform("linux/arm", "", "linux/arm64"), "");
  EXPECT_EQ(platform("linux/386", "", "linux/x86_64"), "");
  // The programs are those of the base, whatever the target.
  EXPECT_EQ(platform("linux/arm64", "amd64", "linux/amd64"), "");
  EXPECT_EQ(platform("", "arm64", "linux/amd64"), "linux/arm64");
}

TEST(LowerTest, RightsMustBeGiven) {
  EXPECT_EQ(Messages("RUN --security=insecure x\nRUN --network=host x"),
            (Texts{"2:16: security.insecure is not allowed; if this build file "
                   "may have it, build with --allow security.insecure",
                   "3:15: network.host is not allowed; if this build file may "
                   "have it, build with --allow network.host"}));
  EXPECT_EQ(Messages("RUN --security=insecure x\nRUN --network=host x",
                     {.allowed = {"security.insecure", "network.host"}}),
            Texts{});
  EXPECT_EQ(
      Messages("RUN --network=host x", {.network = ir::NetworkMode::kHost}),
      Texts{});
}

TEST(LowerTest, TheEscapeDecidesWhatACopyFromExpands) {
  auto messages = [](const std::string& text) { return Lower(text).messages; };
  EXPECT_EQ(messages("FROM scratch AS a\nFROM scratch\nCOPY --from='a' x /\n"),
            Texts{});
  for (const char* from : {"$x", "a${x}", "\\'a\\'", "a\\\\b"}) {
    Texts found =
        messages(absl::StrCat("FROM scratch\nCOPY --from=", from, " x /\n"));
    ASSERT_EQ(found.size(), 1u) << from;
    EXPECT_NE(found[0].find("variable expansion is not supported for --from"),
              std::string::npos)
        << from;
  }
}

TEST(LowerTest, MistakesAreReportedWithTheirPlace) {
  struct Row {
    const char* body;
    const char* message;
  };
  for (const Row& row : std::vector<Row>{
           {"CMD --x y", "2:5: unknown flag: --x"},
           {"COPY --form=a b /",
            "2:6: unknown flag: --form; did you mean `--from`?"},
           {"COPY --link=x b /",
            "2:13: expecting boolean value for flag --link, not: x"},
           {"COPY --link= b /", "2:6: missing a value on flag: --link"},
           {"COPY --chown b /", "2:6: missing a value on flag: --chown"},
           {"COPY --from=a --from=b c /",
            "2:15: duplicate flag specified: --from"},
           {"COPY a",
            "2:6: COPY requires at least two arguments, but only one was "
            "provided. Destination could not be determined"},
           {"COPY a <<E\nE",
            "2:8: COPY cannot accept a heredoc as a destination"},
           {"COPY --chmod=9 a /",
            "2:14: invalid chmod parameter: '9'. it should be octal string "
            "and between 0 and 07777"},
           {"COPY --chmod=u~x a /",
            "2:14: invalid chmod parameter: 'u~x'. invalid syntax"},
           {"COPY --from=7 a /", "2:13: invalid stage index 7"},
           {"COPY --from=$x a /",
            "2:13: variable expansion is not supported for --from, define a "
            "new stage with FROM using ARG from global scope as a "
            "workaround"},
           {"COPY https://x/y /", "2:6: source can't be a URL for COPY"},
           {"COPY https://x/y.git /",
            "2:6: source can't be a git ref for COPY"},
           {"ADD --checksum=sha256:0 a /",
            "2:5: checksum requires HTTP(S) or Git sources"},
           {"ADD --checksum=sha256:0 https://x/y z /",
            "2:5: checksum can't be specified for multiple sources"},
           {"ADD --checksum=sha256:0 https://x/y /",
            "2:16: `sha256:0` is no checksum; that of a URL is `sha256:` and "
            "64 hex digits, see sha256sum(1)"},
           {"ADD --checksum=main https://x/y.git /",
            "2:16: `--checksum` has the commit `main`; write at least 7 of "
            "its lower-case hex digits"},
           {"ADD --checksum=c0ffee1 git@x:y?commit=c0ffee2 /",
            "2:16: checksum mismatch \"c0ffee2\" != \"c0ffee1\""},
           {"ADD --keep-git-dir=false git@x:y?keep-git-dir /",
            "2:5: inconsistent keep-git-dir configuration"},
           {"ADD git@x:y?fetch-by-commit /",
            "2:5: `fetch-by-commit` needs all digits of a commit"},
           {"ADD git@x:y?brnch=z /",
            "2:13: `git@x:y?brnch=z` has an unexpected query \"brnch\"; did "
            "you mean `branch`?"},
           {"ADD https://u:pw@/y /",
            "2:5: `https://u:***@/y` has no host"},
           {"ADD htps://x/y /",
            "2:5: `htps://` is not fetched; did you mean `https://`?"},
           {"ADD file:///y /",
            "2:5: `file://` is not fetched, only http, https, git and ssh"},
           {"ADD --keep-git-dir a /",
            "2:5: `--keep-git-dir` has no effect: no source is a git "
            "repository"},
           {"RUN --network=x ls", "2:15: invalid network mode \"x\""},
           {"RUN --security=x ls", "2:16: security \"x\" is not valid"},
           {"RUN --device=x ls",
            "2:5: `--device` is not supported: device feature is only "
            "supported in Dockerfile frontend 1.14.0-labs or later"},
           {"RUN []", "2:5: arguments are required"},
           {"USER", "2:1: USER requires exactly one argument"},
           {"USER ${x:?why}", "2:6: failed to process \"${x:?why}\": x: why"},
           {"VOLUME [\"\"]",
            "2:9: VOLUME specified can not be an empty "
            "string"},
           {"VOLUME", "2:1: VOLUME requires at least one argument"},
           {"EXPOSE", "2:1: EXPOSE requires at least one argument"},
           {"EXPOSE 80/x", "2:8: invalid port: \"80/x\": invalid proto: x"},
           {"EXPOSE /tcp", "2:8: invalid port: \"/tcp\": no port specified"},
           {"EXPOSE 1 70000", "2:10: invalid containerPort: 70000"},
           {"EXPOSE a:80", "2:8: invalid hostPort: a"},
           {"EXPOSE a:1:80", "2:8: invalid IP address: a"},
           {"EXPOSE 1-2:3-5",
            "2:8: invalid ranges specified for container and host Ports: 3-5 "
            "and 1-2"},
           {"STOPSIGNAL SIGX", "2:12: invalid signal: SIGX"},
           {"SHELL bash",
            "2:7: SHELL requires the arguments to be in JSON form"},
           {"HEALTHCHECK", "2:1: HEALTHCHECK requires at least one argument"},
           {"HEALTHCHECK NONE x", "2:18: HEALTHCHECK NONE takes no arguments"},
           {"HEALTHCHECK CMD", "2:13: Missing command after HEALTHCHECK CMD"},
           {"HEALTHCHECK X y",
            "2:13: Unknown type \"X\" in HEALTHCHECK (try CMD)"},
           {"HEALTHCHECK --interval=1us CMD x",
            "2:24: Interval \"interval\" cannot be less than 1ms"},
           {"HEALTHCHECK --retries=-1 CMD x",
            "2:23: --retries cannot be negative (-1)"},
           {"ONBUILD", "2:1: ONBUILD requires at least one argument"},
           {"ONBUILD FROM x", "2:9: FROM isn't allowed as an ONBUILD trigger"},
           {"ONBUILD ONBUILD RUN x",
            "2:9: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
           {"FROM", "2:1: FROM requires either one or three arguments"},
           {"FROM a b", "2:8: FROM requires either one or three arguments"},
           {"FROM a AS 1",
            "2:11: invalid name for build stage: \"1\", name can't start "
            "with a number or contain symbols"},
           {"FROM $x", "2:6: base name ($x) should not be blank"},
       }) {
    Texts messages = Messages(row.body);
    ASSERT_EQ(messages.size(), 1u) << row.body << "\n"
                                   << absl::StrJoin(messages, "\n");
    EXPECT_TRUE(Says(messages[0], row.message)) << messages[0];
  }
}

TEST(LowerTest, StagesMayNotReferForwardOrInCircles) {
  EXPECT_EQ(Lower("FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\n"
                  "COPY --from=a x /\n")
                .messages,
            Texts{"1:17: circular dependency detected on stage: a; it needs "
                  "itself by FROM, COPY --from or a mount"});
  EXPECT_EQ(Lower("FROM scratch AS a\nCOPY --from=a x /\n").messages,
            Texts{"1:17: circular dependency detected on stage: a; it needs "
                  "itself by FROM, COPY --from or a mount"});
  EXPECT_EQ(Lower("FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\n",
                  {.target = "a"})
                .messages,
            Texts{"2:13: cannot copy from stage \"b\", it needs to be defined "
                  "before current stage \"a\"; move its FROM up"});
  EXPECT_EQ(Lower("FROM scratch AS a\nRUN --mount=from=b,target=/t x\n"
                  "FROM scratch AS b\n",
                  {.target = "a"})
                .messages,
            Texts{"2:18: cannot mount from stage \"b\" to \"/t\", stage needs "
                  "to be defined before current command; move its FROM up"});
}

TEST(LowerTest, FilesWithoutAnAnswerSayWhy) {
  EXPECT_EQ(Lower("ARG x\n").messages,
            Texts{"dockerfile contains no stages to build; add a FROM"});
  EXPECT_EQ(
      Lower("RUN x\n").messages,
      Texts{"1:1: no build stage in current context; write a FROM before it"});
  EXPECT_EQ(Lower("FROM scratch AS build\n", {.target = "biuld"}).messages,
            Texts{"target stage \"biuld\" could not be found; did you mean "
                  "`build`?"});
  EXPECT_EQ(Lower("FROM x AS Base\nFROM Base\n").messages.size(), 1u);
}

TEST(LowerTest, UnusedBuildArgumentsAreNoticed) {
  EXPECT_EQ(Messages("ARG VERSION", {.build_args = {{"VERSON", "1"}}}),
            Texts{"build argument `VERSON` is declared by no ARG of this file; "
                  "did you mean `VERSION`?"});
  EXPECT_EQ(Messages("ARG VERSION", {.build_args = {{"VERSION", "1"},
                                                    {"HTTPS_PROXY", "p"},
                                                    {"SOURCE_DATE_EPOCH", "0"},
                                                    {"TARGETARCH", "arm64"}}}),
            Texts{});
}

TEST(LowerTest, RunFlagsReachTheStep) {
  auto run = LowerBody("USER u\nRUN --network=none --security=insecure ls",
                       {.network = ir::NetworkMode::kHost,
                        .allowed = {"security.insecure"}})
                 .last<ir::Run>();
  EXPECT_EQ(run.network, ir::NetworkMode::kNone);
  EXPECT_TRUE(run.insecure);
  EXPECT_EQ(run.user, "u");
  EXPECT_EQ(
      LowerBody("RUN --network=default ls", {.network = ir::NetworkMode::kHost})
          .last<ir::Run>()
          .network,
      ir::NetworkMode::kHost);
}

}  // namespace
}  // namespace lamina::frontend
