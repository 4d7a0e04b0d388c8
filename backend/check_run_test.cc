#include "backend/check_run.h"

#include <string>
#include <vector>

#include "base/files.h"
#include "gtest/gtest.h"

namespace lamina::backend {
namespace {

// A binfmt_misc as the kernel shows it.
class BinfmtFolder {
 public:
  BinfmtFolder() : folder_(*TempDir::Create("/tmp")) {}

  void Write(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(
        ReplaceFile(JoinPath(folder_.path(), name), text, 0644, false).ok());
  }
  std::string path() const { return folder_.path(); }

 private:
  TempDir folder_;
};

constexpr char kArm64[] =
    "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n"
    "magic 7f454c460201010000000000000000000200b700\n"
    "mask ffffffffffffff00fffffffffffffffffeffffff\n";
constexpr char kS390x[] =
    "disabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: F\noffset 0\n"
    "magic 7f454c4602020100000000000000000000020016\n"
    "mask ffffffffffffff00fffffffffffffffffffeffff\n";

TEST(Emulation, IsFoundByWhatTheHandlersTake) {
  BinfmtFolder folder;
  EXPECT_FALSE(FindEmulation("arm64", folder.path()).mounted);
  folder.Write("status", "enabled\n");
  folder.Write("register", "");
  folder.Write("qemu-aarch64", kArm64);
  folder.Write("qemu-s390x", kS390x);
  folder.Write("python",
               "enabled\ninterpreter /usr/bin/python\nflags:\n"
               "extension .pyc\n");
  folder.Write("jar",
               "enabled\ninterpreter /usr/bin/jexec\nflags:\n"
               "offset 0\nmagic 504b0304\n");
  Emulation arm64 = FindEmulation("arm64", folder.path());
  EXPECT_TRUE(arm64.mounted && arm64.enabled && arm64.ready);
  Emulation s390x = FindEmulation("s390x", folder.path());
  EXPECT_FALSE(s390x.ready);
  EXPECT_EQ(s390x.disabled, "qemu-s390x");
  for (const char* other : {"amd64", "386", "arm", "riscv64", "ppc64le",
                            "mips64le", "loong64", "nonsense", ""}) {
    EXPECT_FALSE(FindEmulation(other, folder.path()).ready) << other;
  }
  folder.Write("status", "disabled\n");
  EXPECT_FALSE(FindEmulation("arm64", folder.path()).ready);
  EXPECT_EQ(FindEmulation("arm64", folder.path()).disabled, "qemu-aarch64");
}

std::string Message(const BinfmtFolder& folder, const std::string& platform) {
  SourceFile source("Dockerfile", "FROM scratch\nRUN x\n");
  ir::Node node = {.op = ir::Run{.args = {"x"}, .platform = platform},
                   .source = {13, 18}};
  PlanOptions options;
  options.binfmt_folder = folder.path();
  Diagnostics diagnostics;
  CheckRunPlatform(std::get<ir::Run>(node.op), node, options, source,
                   diagnostics);
  if (diagnostics.all().empty()) {
    return "";
  }
  EXPECT_EQ(source.Slice(*diagnostics.all()[0].range), "RUN");
  std::string message = diagnostics.all()[0].message;
  size_t at = message.find(folder.path());
  return at == std::string::npos
             ? message
             : message.replace(at, folder.path().size(), "DIR");
}

TEST(Emulation, WhatIsMissingIsSaid) {
  BinfmtFolder folder;
  EXPECT_EQ(Message(folder, "linux/arm64"),
            "RUN for linux/arm64 cannot run on this machine; mount "
            "binfmt_misc on DIR and install qemu-user-static");
  folder.Write("status", "enabled\n");
  EXPECT_EQ(Message(folder, "linux/arm64"),
            "RUN for linux/arm64 cannot run on this machine; install "
            "qemu-user-static, or `docker run --privileged --rm "
            "tonistiigi/binfmt --install arm64`");
  folder.Write("qemu-aarch64", kArm64);
  EXPECT_EQ(Message(folder, "linux/arm64"), "");
  folder.Write("qemu-s390x", kS390x);
  EXPECT_EQ(Message(folder, "linux/s390x"),
            "RUN for linux/s390x cannot run on this machine; its handler is "
            "off: `echo 1 > DIR/qemu-s390x` as root turns it on");
  folder.Write("status", "disabled\n");
  EXPECT_EQ(Message(folder, "linux/arm64"),
            "RUN for linux/arm64 cannot run on this machine; its handler is "
            "off: `echo 1 > DIR/status` as root turns it on");
}

}  // namespace
}  // namespace lamina::backend
