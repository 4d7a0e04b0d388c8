#include <gtest/gtest.h>
#include <stdlib.h>

#include "absl/strings/match.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/config_change.h"
#include "cli/help.h"
#include "cli/list_format.h"
#include "cli/parse.h"
#include "cli/template.h"

namespace lamina::cli {
namespace {

using Words = std::vector<std::string>;

constexpr Flag kTestFlags[] = {
    {.name = "interactive", .short_name = 'i', .help = "keep stdin"},
    {.name = "tty", .short_name = 't', .help = "make a terminal"},
    {.name = "env",
     .short_name = 'e',
     .value = "NAME=VALUE",
     .help = "set a variable",
     .repeatable = true},
    {.name = "file",
     .short_name = 'f',
     .value = "FILE",
     .help = "read FILE",
     .default_value = "Dockerfile"},
    {.name = "pull", .value = "WHEN", .help = "pull", .bare_value = "always"},
    {.name = "memory", .value = "SIZE", .help = "limit"},
    {.name = "wait", .value = "TIME", .help = "wait"},
    {.name = "rm",
     .help = "remove",
     .status = FlagStatus::kAcceptedWithWarning,
     .reason = "no intermediate containers exist"},
    {.name = "detach",
     .short_name = 'd',
     .help = "go away",
     .status = FlagStatus::kRefused,
     .reason = "there is no daemon"},
};
constexpr Command kPlain = {.name = "test",
                            .usage = "[FLAGS] PATH...",
                            .flags = kTestFlags,
                            .max_words = -1};
constexpr Command kStops = {.name = "stop",
                            .usage = "[FLAGS] IMAGE [COMMAND...]",
                            .flags = kTestFlags,
                            .min_words = 1,
                            .max_words = -1,
                            .flags_end_at_first_word = true};

std::string Error(const Command& command, const Words& args) {
  absl::StatusOr<Invocation> invocation = ParseArguments(command, args);
  if (invocation.ok()) {
    return "no error";
  }
  EXPECT_EQ(ExitCodeOf(invocation.status()), 2);
  return std::string(invocation.status().message());
}

TEST(Parse, ValuesStandBehindABlankOrAnEqualsSign) {
  for (const Words& args : {Words{"--file", "a", "p"}, Words{"--file=a", "p"},
                            Words{"-f", "a", "p"}, Words{"-fa", "p"},
                            Words{"-f=a", "p"}, Words{"p", "-f", "a"}}) {
    absl::StatusOr<Invocation> invocation = ParseArguments(kPlain, args);
    ASSERT_TRUE(invocation.ok()) << invocation.status();
    EXPECT_EQ(invocation->Get("file"), "a") << args[0];
    EXPECT_EQ(invocation->words(), Words{"p"}) << args[0];
  }
}

TEST(Parse, ShortFlagsCombineAndListsRepeat) {
  absl::StatusOr<Invocation> invocation =
      ParseArguments(kPlain, {"-ite", "A=1", "-e", "B=[x,y]", "x", "[a,b]"});
  ASSERT_TRUE(invocation.ok()) << invocation.status();
  EXPECT_TRUE(invocation->GetBool("interactive"));
  EXPECT_TRUE(invocation->GetBool("tty"));
  EXPECT_EQ(invocation->GetAll("env"), (Words{"A=1", "B=[x,y]"}));
  EXPECT_EQ(invocation->words(), (Words{"x", "[a,b]"}));
}

TEST(Parse, ABoolFlagCanBeSwitchedOff) {
  absl::StatusOr<Invocation> invocation =
      ParseArguments(kPlain, {"--tty=false", "--detach=false", "-i=true"});
  ASSERT_TRUE(invocation.ok()) << invocation.status();
  EXPECT_FALSE(invocation->GetBool("tty"));
  EXPECT_TRUE(invocation->Has("tty"));
  EXPECT_TRUE(invocation->GetBool("interactive"));
  EXPECT_FALSE(invocation->Has("file"));
  EXPECT_EQ(invocation->Get("file"), "Dockerfile");
  EXPECT_EQ(Error(kPlain, {"--tty=maybe"}),
            "`--tty` takes `true` or `false`, not `maybe`");
}

TEST(Parse, AFlagWithABareValueTakesNoWord) {
  absl::StatusOr<Invocation> bare = ParseArguments(kPlain, {"--pull", "x"});
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_EQ(bare->Get("pull"), "always");
  EXPECT_EQ(bare->words(), Words{"x"});
  absl::StatusOr<Invocation> given = ParseArguments(kPlain, {"--pull=never"});
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(given->Get("pull"), "never");
}

TEST(Parse, TwoDashesEndTheFlags) {
  absl::StatusOr<Invocation> invocation =
      ParseArguments(kPlain, {"-t", "--", "-i", "--", "--x"});
  ASSERT_TRUE(invocation.ok()) << invocation.status();
  EXPECT_FALSE(invocation->GetBool("interactive"));
  EXPECT_EQ(invocation->words(), (Words{"-i", "--", "--x"}));
}

TEST(Parse, TheFirstWordEndsTheFlagsOfACommandThatRunsOne) {
  absl::StatusOr<Invocation> invocation = ParseArguments(
      kStops, {"-e", "A=1", "image", "ls", "-t", "--", "--help"});
  ASSERT_TRUE(invocation.ok()) << invocation.status();
  EXPECT_FALSE(invocation->GetBool("tty"));
  EXPECT_EQ(invocation->words(), (Words{"image", "ls", "-t", "--", "--help"}));
  EXPECT_FALSE(AsksForHelp(kStops, {"image", "--help"}));
  EXPECT_FALSE(AsksForHelp(kStops, {"-e", "--help", "image"}));
  EXPECT_TRUE(AsksForHelp(kStops, {"-e", "x", "--help"}));
}

TEST(Parse, MistakesAreNamed) {
  EXPECT_EQ(Error(kPlain, {"--flie=x"}),
            "`test` has no flag `--flie`; did you mean `--file`?");
  EXPECT_EQ(Error(kPlain, {"-z"}),
            "`test` has no flag `-z`; see `lamina test --help`");
  EXPECT_EQ(Error(kPlain, {"a", "--file"}), "`--file` has no value");
  EXPECT_EQ(Error(kPlain, {"-d"}),
            "`--detach` is not supported: there is no daemon");
  EXPECT_EQ(Error(kStops, {"-t"}),
            "`stop` has too few arguments; usage: lamina stop [FLAGS] IMAGE "
            "[COMMAND...]");
}

TEST(Parse, AFlagWithoutEffectWarns) {
  testing::internal::CaptureStderr();
  EXPECT_TRUE(ParseArguments(kPlain, {"--rm"}).ok());
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "warning: `--rm` has no effect: no intermediate containers "
            "exist\n");
}

TEST(Parse, TheEnvironmentGivesDefaults) {
  setenv("LAMINA_FILE", "from-env", 1);
  setenv("LAMINA_TTY", "1", 1);
  absl::StatusOr<Invocation> invocation = ParseArguments(kPlain, {});
  absl::StatusOr<Invocation> given = ParseArguments(kPlain, {"-f", "x"});
  unsetenv("LAMINA_FILE");
  unsetenv("LAMINA_TTY");
  ASSERT_TRUE(invocation.ok() && given.ok());
  EXPECT_EQ(invocation->Get("file"), "from-env");
  EXPECT_TRUE(invocation->GetBool("tty"));
  EXPECT_EQ(given->Get("file"), "x");
}

TEST(Parse, SizesAndDurationsHaveUnits) {
  absl::StatusOr<Invocation> invocation =
      ParseArguments(kPlain, {"--memory=64m", "--wait=1m30s"});
  ASSERT_TRUE(invocation.ok());
  EXPECT_EQ(*invocation->GetSize("memory"), 64 << 20);
  EXPECT_EQ(*invocation->GetDuration("wait"), 90);
  absl::StatusOr<Invocation> wrong =
      ParseArguments(kPlain, {"--memory=64q", "--wait=soon"});
  ASSERT_TRUE(wrong.ok());
  EXPECT_EQ(wrong->GetSize("memory").status().message(),
            "`--memory` takes a size such as `64m`, not `64q`");
  EXPECT_FALSE(wrong->GetDuration("wait").ok());
}

TEST(Table, EveryCommandIsWhole) {
  for (const Command* command : AllCommands()) {
    EXPECT_NE(command->run, nullptr) << command->name;
    EXPECT_FALSE(command->summary.empty()) << command->name;
    bool hidden = command->group.empty();
    EXPECT_TRUE(hidden ||
                absl::StrContains(OverviewHelp(), command->name));
    std::string shorts;
    for (const Flag& flag : command->flags) {
      EXPECT_FALSE(flag.help.empty()) << command->name << " " << flag.name;
      EXPECT_EQ(flag.status == FlagStatus::kAccepted, flag.reason.empty());
      if (flag.short_name != 0) {
        EXPECT_FALSE(absl::StrContains(shorts, flag.short_name))
            << command->name << " -" << flag.short_name;
        shorts += flag.short_name;
      }
    }
  }
}

TEST(Help, AnUnknownCommandHasAHint) {
  EXPECT_EQ(UnknownCommand("imagse"),
            "no command named `imagse`; did you mean `images`?");
  EXPECT_EQ(UnknownCommand("frobnicate"),
            "no command named `frobnicate`; `lamina` lists them");
}

TEST(Completion, CandidatesComeFromTheTable) {
  EXPECT_EQ(CompletionCandidates({"imag"}), "images\tlist images\n");
  EXPECT_TRUE(absl::StrContains(CompletionCandidates({"images", "--no"}),
                                "--no-trunc\t"));
  EXPECT_EQ(CompletionCandidates({"nothing", "here", "-"}), "");
}

List SmallList() {
  return {.name = "things",
          .columns = {{"Name", "NAME"}, {"Hidden", ""}, {"Size", "SIZE"}},
          .rows = {{"long name", "x", "1kB"}, {"b\x1b[2J", "y", "12kB"}}};
}

TEST(ListFormat, TablesAlignAndEscape) {
  EXPECT_EQ(*FormatList(SmallList(), ""),
            "NAME        SIZE\n"
            "long name   1kB\n"
            "b\\x1b[2J    12kB\n");
  EXPECT_EQ(*FormatList(SmallList(), "table {{.Size}}\\t{{.Hidden}}"),
            "SIZE   Hidden\n1kB    x\n12kB   y\n");
}

TEST(ListFormat, TemplatesAndJsonShowEveryColumn) {
  EXPECT_EQ(*FormatList(SmallList(), "{{.Hidden}}:{{.Size}}"),
            "x:1kB\ny:12kB\n");
  EXPECT_TRUE(absl::StartsWith(*FormatList(SmallList(), "jsonl"),
                               "{\"Hidden\":\"x\",\"Name\":\"long name\","
                               "\"Size\":\"1kB\"}\n"));
  EXPECT_TRUE(absl::StartsWith(*FormatList(SmallList(), "json"),
                               "{\"things\":[{\"Hidden\":\"x\""));
  EXPECT_EQ(FormatList(SmallList(), "{{.Nme}}").status().message(),
            "there is no field `Nme`; did you mean `Name`?");
  EXPECT_EQ(ExitCodeOf(FormatList(SmallList(), "yes").status()), 2);
}

TEST(ListFormat, AgesHaveDockersWords) {
  EXPECT_EQ(HumanAge(0), "Less than a second ago");
  EXPECT_EQ(HumanAge(59), "59 seconds ago");
  EXPECT_EQ(HumanAge(100), "About a minute ago");
  EXPECT_EQ(HumanAge(3600), "About an hour ago");
  EXPECT_EQ(HumanAge(3 * 86400), "3 days ago");
  EXPECT_EQ(HumanAge(20 * 86400), "2 weeks ago");
  EXPECT_EQ(HumanAge(800LL * 86400), "2 years ago");
}

ir::ImageConfig Changed(const Words& instructions) {
  ir::ImageConfig config;
  const absl::Status status = ApplyChanges(instructions, config);
  EXPECT_TRUE(status.ok()) << status;
  return config;
}

TEST(Change, InstructionsSetTheConfiguration) {
  const ir::ImageConfig config = Changed(
      {"CMD [\"a\", \"b c\"]", "entrypoint run me", "WORKDIR /x/", "WORKDIR y",
       "ENV A=1 B=\"x y\"", "ENV C one two", "LABEL k=v", "EXPOSE 80 53/udp",
       "VOLUME [\"/data\"]", "USER app:app", "STOPSIGNAL SIGINT"});
  EXPECT_EQ(config.cmd, (Words{"a", "b c"}));
  EXPECT_EQ(config.entrypoint, (Words{"/bin/sh", "-c", "run me"}));
  EXPECT_EQ(config.working_dir, "/x/y");
  EXPECT_EQ(config.env, (Words{"A=1", "B=x y", "C=one two"}));
  EXPECT_EQ(config.labels.at("k"), "v");
  EXPECT_EQ(config.exposed_ports, (std::set<std::string>{"53/udp", "80/tcp"}));
  EXPECT_EQ(config.volumes, std::set<std::string>{"/data"});
  EXPECT_EQ(config.user, "app:app");
  EXPECT_EQ(config.stop_signal, "SIGINT");
}

TEST(Change, MistakesAreUsageErrors) {
  for (const char* text :
       {"RUN x", "CMD", "ENV A", "LABEL =x", "ENV A=\"x", "CMD [1]",
        "VOLUME [\"a\", {}]"}) {
    ir::ImageConfig config;
    EXPECT_EQ(ExitCodeOf(ApplyChange(text, config)), 2) << text;
    EXPECT_EQ(config, ir::ImageConfig()) << text;
  }
}

TEST(Template, FunctionsAndBlocksWork) {
  const Json data =
      *ParseJson(R"({"A":{"B":[1,"x"]},"L":["p","q"],"E":[],"M":{"k.l":"v"}})");
  const std::pair<const char*, const char*> cases[] = {
      {"{{.A.B}}", "[1 x]"},
      {"{{json .A}}", R"({"B":[1,"x"]})"},
      {"{{len .L}}", "2"},
      {"{{index .L 1}}", "q"},
      {"{{index .M \"k.l\"}}", "v"},
      {"{{join .L \", \"}}", "p, q"},
      {"{{range .L}}<{{.}}>{{end}}", "<p><q>"},
      {"{{range .L}}{{println .}}{{end}}", "p\nq\n"},
      {"{{if .E}}yes{{else}}no{{end}}", "no"},
      {"{{if .L}}yes{{else}}no{{end}}", "yes"},
      {"{{range .E}}{{.Missing}}{{end}}.", "."},
      {"{{.M}}", "map[k.l:v]"},
  };
  for (const auto& [text, expected] : cases) {
    absl::StatusOr<std::string> result = ExpandTemplate(text, data);
    ASSERT_TRUE(result.ok()) << text << ": " << result.status();
    EXPECT_EQ(*result, expected) << text;
  }
  for (const char* text : {"{{.A", "{{end}}", "{{range .L}}", "{{}}",
                           "{{nope .L}}", "{{index .L 2}}", "{{.X}}"}) {
    EXPECT_EQ(ExitCodeOf(ExpandTemplate(text, data).status()), 2) << text;
  }
}

TEST(Template, PrettyJsonIndentsByFour) {
  EXPECT_EQ(PrettyJson(*ParseJson(R"([{"a":[],"b":{"c":1}}])")),
            "[\n    {\n        \"a\": [],\n        \"b\": {\n            "
            "\"c\": 1\n        }\n    }\n]\n");
}

}  // namespace
}  // namespace lamina::cli
