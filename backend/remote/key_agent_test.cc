#include "backend/remote/key_agent.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/match.h"
#include "backend/remote/child_process.h"

namespace lamina::backend {
namespace {

std::vector<std::string> Environment() {
  const char* path = getenv("PATH");
  return {std::string("PATH=") + (path != nullptr ? path : "")};
}

// False where there is no ssh-keygen.
bool MakeKey(const std::string& file, const std::string& passphrase) {
  return RunChild({.args = {"ssh-keygen", "-q", "-t", "ed25519", "-N",
                            passphrase, "-f", file},
                   .env = Environment()})
      .ok();
}

// How many keys the agent has; -1 where nobody answers.
int CountKeys(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
              sizeof address) != 0) {
    return -1;
  }
  // SSH_AGENTC_REQUEST_IDENTITIES, answered by 12 and a count.
  const char request[] = {0, 0, 0, 1, 11};
  unsigned char answer[4096];
  if (write(fd.get(), request, sizeof request) < 0 ||
      read(fd.get(), answer, sizeof answer) < 9 || answer[4] != 12) {
    return -1;
  }
  return answer[8];
}

TEST(KeyAgent, HoldsKeysFromFilesUntilItGoes) {
  absl::StatusOr<TempDir> folder = TempDir::Create();
  ASSERT_TRUE(folder.ok());
  std::string first = JoinPath(folder->path(), "one");
  std::string second = JoinPath(folder->path(), "two");
  if (!MakeKey(first, "") || !MakeKey(second, "")) {
    GTEST_SKIP() << "needs ssh-keygen";
  }
  std::string socket;
  {
    auto agent = KeyAgent::Start({first, second});
    ASSERT_TRUE(agent.ok()) << agent.status();
    socket = (*agent)->socket();
    EXPECT_EQ(CountKeys(socket), 2);
  }
  EXPECT_EQ(CountKeys(socket), -1);
}

TEST(KeyAgent, SaysWhatIsWrongWithAFile) {
  absl::StatusOr<TempDir> folder = TempDir::Create();
  ASSERT_TRUE(folder.ok());
  std::string locked = JoinPath(folder->path(), "locked");
  if (!MakeKey(locked, "passphrase")) {
    GTEST_SKIP() << "needs ssh-keygen";
  }
  EXPECT_FALSE(KeyAgent::Start({locked}).ok());
  std::string text = JoinPath(folder->path(), "text");
  ASSERT_TRUE(ReplaceFile(text, "no key", 0600, false).ok());
  absl::StatusOr<std::unique_ptr<KeyAgent>> none = KeyAgent::Start({text});
  EXPECT_TRUE(absl::IsInvalidArgument(none.status())) << none.status();
  EXPECT_TRUE(absl::StrContains(none.status().message(), "text"))
      << none.status();
}

}  // namespace
}  // namespace lamina::backend
