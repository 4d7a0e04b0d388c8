#include "backend/file_mode.h"

#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// One clause of a symbolic mode, `who` and then any number of operations.
class SymbolicMode {
 public:
  SymbolicMode(absl::string_view text, uint32_t mode, bool is_folder)
      : text_(text), mode_(mode), is_folder_(is_folder) {}

  absl::StatusOr<uint32_t> Apply() {
    do {
      uint32_t who = ReadWho();
      if (!AtOperator()) {
        return absl::InvalidArgumentError("invalid syntax");
      }
      while (AtOperator()) {
        char op = text_[at_++];
        Change(op, who, ReadPermissions(who));
      }
    } while (Take(','));
    if (at_ != text_.size()) {
      return absl::InvalidArgumentError("invalid syntax");
    }
    return mode_;
  }

 private:
  bool AtOperator() const {
    return at_ < text_.size() &&
           absl::string_view("+-=").find(text_[at_]) != absl::string_view::npos;
  }
  bool Take(char c) {
    if (at_ < text_.size() && text_[at_] == c) {
      ++at_;
      return true;
    }
    return false;
  }

  // The permission bits that the classes cover; no class means all.
  uint32_t ReadWho() {
    uint32_t who = 0;
    while (true) {
      if (Take('u')) {
        who |= 04700;
      } else if (Take('g')) {
        who |= 02070;
      } else if (Take('o')) {
        who |= 01007;
      } else if (Take('a')) {
        who |= 07777;
      } else {
        return who == 0 ? 07777 : who;
      }
    }
  }

  uint32_t ReadPermissions(uint32_t who) {
    uint32_t bits = 0;
    uint32_t before = mode_;
    for (; at_ < text_.size(); ++at_) {
      switch (text_[at_]) {
        case 'r':
          bits |= 0444;
          break;
        case 'w':
          bits |= 0222;
          break;
        case 'x':
          bits |= 0111;
          break;
        case 'X':
          bits |= is_folder_ || (before & 0111) != 0 ? 0111 : 0;
          break;
        case 's':
          bits |= 06000;
          break;
        case 't':
          bits |= 01000;
          break;
        case 'u':
          bits |= ((before >> 6) & 7) * 0111;
          break;
        case 'g':
          bits |= ((before >> 3) & 7) * 0111;
          break;
        case 'o':
          bits |= (before & 7) * 0111;
          break;
        default:
          return Limit(bits, who);
      }
    }
    return Limit(bits, who);
  }

  // setuid belongs to the user's class, setgid to the group's; the sticky bit
  // to nobody's: `+t` and `u+t` both set it.
  static uint32_t Limit(uint32_t bits, uint32_t who) {
    return (bits & who & 06777) | (bits & 01000);
  }

  void Change(char op, uint32_t who, uint32_t bits) {
    if (op == '+') {
      mode_ |= bits;
    } else if (op == '-') {
      mode_ &= ~bits;
    } else {
      uint32_t cleared = who == 07777 ? 07777 : who & 06777;
      mode_ = (mode_ & ~cleared) | bits;
    }
  }

  absl::string_view text_;
  size_t at_ = 0;
  uint32_t mode_;
  bool is_folder_;
};

// The fields of the line of passwd or group whose field 0 is `name`.
std::optional<std::vector<std::string>> FindLine(absl::string_view text,
                                                 absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::vector<std::string> fields = absl::StrSplit(line, ':');
    if (fields.size() >= 3 && fields[0] == name) {
      return fields;
    }
  }
  return std::nullopt;
}

uint32_t FieldNumber(const std::optional<std::vector<std::string>>& fields,
                     size_t index) {
  uint32_t value = 0;
  if (fields.has_value() && fields->size() > index &&
      absl::SimpleAtoi((*fields)[index], &value)) {
    return value;
  }
  return 0;
}

}  // namespace

bool IsOctalMode(absl::string_view mode) {
  return !mode.empty() && mode[0] >= '0' && mode[0] <= '9';
}

absl::StatusOr<uint32_t> ChangeMode(absl::string_view mode, uint32_t current,
                                    bool is_folder) {
  if (!IsOctalMode(mode)) {
    return SymbolicMode(mode, current, is_folder).Apply();
  }
  uint32_t value = 0;
  for (char c : mode) {
    if (c < '0' || c > '7' || value > 07777) {
      value = 010000;
      break;
    }
    value = value * 8 + static_cast<uint32_t>(c - '0');
  }
  if (value > 07777) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid chmod parameter: '", mode,
                     "'. it should be octal string and between 0 and 07777"));
  }
  return value;
}

absl::StatusOr<Owner> ResolveOwner(const ir::Ownership& ownership,
                                   const ReadText& read_text) {
  Owner owner;
  bool user_is_number = absl::SimpleAtoi(ownership.user, &owner.uid);
  if (user_is_number) {
    owner.gid = owner.uid;
  } else if (!ownership.user.empty() && ownership.user != "root") {
    ASSIGN_OR_RETURN(std::string passwd, read_text("etc/passwd"));
    auto fields = FindLine(passwd, ownership.user);
    owner.uid = FieldNumber(fields, 2);
    owner.gid = FieldNumber(fields, 3);
  }
  if (!ownership.group.empty()) {
    owner.gid = 0;
    if (!absl::SimpleAtoi(ownership.group, &owner.gid) &&
        ownership.group != "root") {
      ASSIGN_OR_RETURN(std::string group, read_text("etc/group"));
      owner.gid = FieldNumber(FindLine(group, ownership.group), 2);
    }
  }
  return owner;
}

}  // namespace lamina::backend
