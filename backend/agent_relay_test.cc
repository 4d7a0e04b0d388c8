#include "backend/agent_relay.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace lamina::backend {
namespace {

sockaddr_un Address(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

UniqueFd Connect(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address = Address(path);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
              sizeof(address)) != 0) {
    fd.Close();
  }
  return fd;
}

std::string Ask(int connection, const std::string& text) {
  char answer[64];
  if (send(connection, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
    return "";
  }
  ssize_t size = recv(connection, answer, sizeof(answer), 0);
  return size > 0 ? std::string(answer, size) : "";
}

// Answers each message with itself in brackets.
class Agent {
 public:
  Agent() : folder_(*TempDir::Create("/tmp")) {
    listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address = Address(path());
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof(address)),
              0);
    EXPECT_EQ(listen(listener_.get(), 4), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Agent() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& one : talks_) {
      one.join();
    }
  }
  std::string path() const { return folder_.path() + "/socket"; }

 private:
  void Serve() {
    for (int fd; (fd = accept(listener_.get(), nullptr, nullptr)) >= 0;) {
      talks_.emplace_back([fd] {
        UniqueFd connection(fd);
        char text[64];
        for (ssize_t size; (size = recv(fd, text, sizeof(text), 0)) > 0;) {
          std::string answer = "[" + std::string(text, size) + "]";
          send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        }
      });
    }
  }

  TempDir folder_;
  UniqueFd listener_;
  std::vector<std::thread> talks_;
  std::thread thread_;
};

TEST(AgentRelay, PassesEveryConnectionOn) {
  Agent agent;
  absl::StatusOr<std::unique_ptr<AgentRelay>> relay =
      AgentRelay::Start({.agent = agent.path(), .mode = 0666});
  ASSERT_TRUE(relay.ok()) << relay.status();
  struct stat info = {};
  ASSERT_EQ(stat((*relay)->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0666u);
  UniqueFd one = Connect((*relay)->path());
  UniqueFd two = Connect((*relay)->path());
  EXPECT_EQ(Ask(one.get(), "a"), "[a]");
  EXPECT_EQ(Ask(two.get(), "b"), "[b]");
  EXPECT_EQ(Ask(one.get(), "c"), "[c]");
  one.Close();
  EXPECT_EQ(Ask(two.get(), "d"), "[d]");
}

TEST(AgentRelay, AnAgentThatIsGoneHangsUp) {
  absl::StatusOr<std::unique_ptr<AgentRelay>> relay =
      AgentRelay::Start({.agent = "/tmp/no-agent/socket"});
  ASSERT_TRUE(relay.ok()) << relay.status();
  UniqueFd one = Connect((*relay)->path());
  EXPECT_EQ(Ask(one.get(), "a"), "");
}

}  // namespace
}  // namespace lamina::backend
