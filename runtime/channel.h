// The way from the sandbox back to the supervisor: a socket pair that carries
// whole records, closed by the command's exec.
//
// The child may only make system calls, so its failures end it on the spot:
// `Fail` sends the record and exits.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace lamina::runtime {

enum class ReportKind : uint32_t {
  kFailure,   // The sandbox could not be set up.
  kTerminal,  // Carries the master end of the command's terminal.
  kExited,    // The command ended; `wait_status` as of waitpid(2).
};

struct Report {
  ReportKind kind = ReportKind::kFailure;
  int error = 0;  // errno; 0 when `reason` tells it.
  int wait_status = 0;
  char doing[96] = {};     // "mount", "unable to find user"
  char subject[512] = {};  // "/proc", "nobody"
  char reason[96] = {};
};

// The child's end. Every member is safe between clone and exec.
class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}

  // For `cannot DOING SUBJECT: strerror(error)`.
  [[noreturn]] void Fail(int error, absl::string_view doing,
                         absl::string_view subject = "") const;
  // For `DOING SUBJECT: REASON`.
  [[noreturn]] void Refuse(absl::string_view doing, absl::string_view subject,
                           absl::string_view reason) const;
  void SendTerminal(int master) const;
  void SendExit(int wait_status) const;
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct ReceivedReport {
  Report report;
  UniqueFd terminal;
};

// The supervisor's end: the next record, or nothing when none is waiting.
std::optional<ReceivedReport> ReceiveReport(int fd);

// A kFailure as a status.
absl::Status ToStatus(const Report& failure);

}  // namespace lamina::runtime
