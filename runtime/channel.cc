#include "runtime/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina::runtime {
namespace {

template <size_t kSize>
void CopyText(char (&to)[kSize], absl::string_view from) {
  size_t length = std::min(from.size(), kSize - 1);
  memcpy(to, from.data(), length);
  to[length] = '\0';
}

// Room for the header of a message that carries one descriptor.
struct alignas(cmsghdr) DescriptorSpace {
  char bytes[CMSG_SPACE(sizeof(int))] = {};
};

void Send(int fd, const Report& report, int descriptor) {
  iovec part = {const_cast<Report*>(&report), sizeof report};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  DescriptorSpace space;
  if (descriptor >= 0) {
    message.msg_control = space.bytes;
    message.msg_controllen = sizeof space.bytes;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  // Nobody is left to be told when this fails.
  [[maybe_unused]] ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace

void Channel::Fail(int error, absl::string_view doing,
                   absl::string_view subject) const {
  Report report;
  report.error = error;
  CopyText(report.doing, doing);
  CopyText(report.subject, subject);
  Send(fd_, report, -1);
  _exit(125);
}

void Channel::Refuse(absl::string_view doing, absl::string_view subject,
                     absl::string_view reason) const {
  Report report;
  CopyText(report.doing, doing);
  CopyText(report.subject, subject);
  CopyText(report.reason, reason);
  Send(fd_, report, -1);
  _exit(125);
}

void Channel::SendTerminal(int master) const {
  Report report;
  report.kind = ReportKind::kTerminal;
  Send(fd_, report, master);
}

void Channel::SendExit(int wait_status) const {
  Report report;
  report.kind = ReportKind::kExited;
  report.wait_status = wait_status;
  Send(fd_, report, -1);
}

std::optional<ReceivedReport> ReceiveReport(int fd) {
  ReceivedReport received;
  iovec part = {&received.report, sizeof received.report};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  DescriptorSpace space;
  message.msg_control = space.bytes;
  message.msg_controllen = sizeof space.bytes;
  ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size != static_cast<ssize_t>(sizeof received.report)) {
    return std::nullopt;
  }
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int descriptor = -1;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    received.terminal = UniqueFd(descriptor);
  }
  return received;
}

absl::Status ToStatus(const Report& failure) {
  std::string doing = failure.doing;
  if (failure.subject[0] != '\0') {
    absl::StrAppend(&doing, " ", failure.subject);
  }
  if (failure.error != 0) {
    return ErrnoError(failure.error, doing);
  }
  return absl::FailedPreconditionError(
      absl::StrCat(doing, ": ", failure.reason));
}

}  // namespace lamina::runtime
