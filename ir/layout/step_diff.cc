// The order and the text form of step diffs. The text is read back on every
// cached step, so both directions are written by hand and touch each byte once.
#include "ir/layout/step_diff.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

constexpr absl::string_view kTypes = "fdlhcbpwo";
constexpr absl::string_view kHex = "0123456789abcdef";

// True if the component of `entry` that begins at `begin` is its last one and
// the entry is a whiteout: those stand first in their folder.
bool WhiteoutAt(const Entry& entry, size_t begin) {
  return entry.type == EntryType::kWhiteout &&
         entry.path.find('/', begin) == std::string::npos;
}

// Entries of one path: the whiteout, the entry itself, the opaque marker,
// which is really the first child.
int Rank(EntryType type) {
  return type == EntryType::kWhiteout ? 0 : type == EntryType::kOpaque ? 2 : 1;
}

void AppendEscaped(std::string& out, absl::string_view text) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && c != '\\' && c != '=' && byte != 0x7F) {
      out.push_back(c);
      continue;
    }
    out += {'\\', kHex[byte >> 4], kHex[byte & 15]};
  }
}

int HexValue(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

void AppendOctal(std::string& out, uint32_t value) {
  char digits[12];
  char* begin = std::end(digits);
  do {
    *--begin = static_cast<char>('0' + (value & 7));
    value >>= 3;
  } while (value != 0);
  out.append(begin, std::end(digits) - begin);
}

void AppendEntry(std::string& out, const Entry& entry) {
  out += {static_cast<char>(entry.type), '\t'};
  AppendEscaped(out, entry.path);
  out.push_back('\t');
  AppendOctal(out, entry.mode);
  absl::StrAppend(&out, "\t", entry.uid, "\t", entry.gid, "\t", entry.mtime,
                  "\t", entry.size);
  out.push_back('\t');
  AppendEscaped(out, entry.link);
  absl::StrAppend(&out, "\t", entry.major, "\t", entry.minor, "\t",
                  entry.digest.empty() ? "-" : entry.digest.hex());
  for (const auto& [name, value] : entry.xattrs) {
    out.push_back('\t');
    AppendEscaped(out, name);
    out.push_back('=');
    AppendEscaped(out, value);
  }
  out.push_back('\n');
}

// The fields of one line, from left to right. The first mistake sticks.
class LineReader {
 public:
  explicit LineReader(absl::string_view line) : rest_(line) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_end_; }

  std::string Text() { return Unescape(Field()); }

  template <typename T>
  T Number(unsigned base) {
    absl::string_view field = Field();
    bool negative = !field.empty() && field.front() == '-';
    field.remove_prefix(negative ? 1 : 0);
    uint64_t value = 0;
    ok_ = ok_ && !field.empty() && field.size() <= 20;
    for (char c : field) {
      uint64_t digit = static_cast<unsigned char>(c - '0');
      ok_ = ok_ && digit < base &&
            !__builtin_mul_overflow(value, uint64_t{base}, &value) &&
            !__builtin_add_overflow(value, digit, &value);
    }
    // The limit is one larger below zero.
    uint64_t limit = std::numeric_limits<T>::max();
    limit += negative ? 1 : 0;
    ok_ = ok_ && value <= limit &&
          (!negative || std::numeric_limits<T>::is_signed);
    return static_cast<T>(negative ? 0 - value : value);
  }

  EntryType Type() {
    absl::string_view field = Field();
    ok_ = ok_ && field.size() == 1 &&
          kTypes.find(field[0]) != absl::string_view::npos;
    return ok_ ? static_cast<EntryType>(field[0]) : EntryType::kFile;
  }

  Digest Hash() {
    absl::string_view field = Field();
    if (field == "-") {
      return {};
    }
    absl::StatusOr<Digest> digest = Digest::FromHex(field);
    ok_ = ok_ && digest.ok();
    return ok_ ? *digest : Digest();
  }

  void Xattr(std::map<std::string, std::string>& xattrs) {
    absl::string_view field = Field();
    size_t equals = field.find('=');
    ok_ = ok_ && equals != absl::string_view::npos;
    if (ok_) {
      std::string name = Unescape(field.substr(0, equals));
      xattrs.insert_or_assign(std::move(name),
                              Unescape(field.substr(equals + 1)));
    }
  }

 private:
  absl::string_view Field() {
    ok_ = ok_ && !at_end_;
    size_t tab = rest_.find('\t');
    at_end_ = tab == absl::string_view::npos;
    absl::string_view field = rest_.substr(0, tab);
    rest_.remove_prefix(at_end_ ? rest_.size() : tab + 1);
    return field;
  }

  std::string Unescape(absl::string_view text) {
    size_t escape = text.find('\\');
    std::string out(text.substr(0, escape));
    while (escape != absl::string_view::npos) {
      text.remove_prefix(escape);
      int high = text.size() < 3 ? -1 : HexValue(text[1]);
      int low = text.size() < 3 ? -1 : HexValue(text[2]);
      if (high < 0 || low < 0) {
        ok_ = false;
        return out;
      }
      out.push_back(static_cast<char>(high * 16 + low));
      text.remove_prefix(3);
      escape = text.find('\\');
      absl::StrAppend(&out, text.substr(0, escape));
    }
    return out;
  }

  absl::string_view rest_;
  bool ok_ = true;
  bool at_end_ = false;
};

Entry ReadEntry(LineReader& line) {
  Entry entry;
  entry.type = line.Type();
  entry.path = line.Text();
  entry.mode = line.Number<uint32_t>(8);
  entry.uid = line.Number<uint32_t>(10);
  entry.gid = line.Number<uint32_t>(10);
  entry.mtime = line.Number<int64_t>(10);
  entry.size = line.Number<uint64_t>(10);
  entry.link = line.Text();
  entry.major = line.Number<uint32_t>(10);
  entry.minor = line.Number<uint32_t>(10);
  entry.digest = line.Hash();
  while (line.ok() && !line.at_end()) {
    line.Xattr(entry.xattrs);
  }
  return entry;
}

}  // namespace

bool PathLess::operator()(absl::string_view a, absl::string_view b) const {
  size_t common = std::min(a.size(), b.size());
  auto [at, other] = std::mismatch(a.begin(), a.begin() + common, b.begin());
  if (at == a.begin() + common) {
    return a.size() < b.size();
  }
  if (*at == '/' || *other == '/') {
    return *at == '/';
  }
  return static_cast<unsigned char>(*at) < static_cast<unsigned char>(*other);
}

bool EntryBefore(const Entry& a, const Entry& b) {
  if (a.path == b.path) {
    return Rank(a.type) < Rank(b.type);
  }
  if (a.path.empty() || b.path.empty()) {
    return a.path.empty();
  }
  size_t common = std::min(a.path.size(), b.path.size());
  auto at =
      std::mismatch(a.path.begin(), a.path.begin() + common, b.path.begin());
  size_t differs = at.first - a.path.begin();
  size_t slash =
      differs == 0 ? std::string::npos : a.path.rfind('/', differs - 1);
  size_t component = slash == std::string::npos ? 0 : slash + 1;
  bool whiteout = WhiteoutAt(a, component);
  if (whiteout != WhiteoutAt(b, component)) {
    return whiteout;
  }
  return PathLess()(a.path, b.path);
}

void SortEntries(StepDiff& diff) {
  std::sort(diff.entries.begin(), diff.entries.end(), EntryBefore);
}

void LimitTimes(StepDiff& diff, int64_t newest) {
  for (Entry& entry : diff.entries) {
    entry.mtime = std::min(entry.mtime, newest);
  }
}

std::string PrintStepDiff(const StepDiff& diff) {
  std::string out;
  out.reserve(diff.entries.size() * 128);
  for (const Entry& entry : diff.entries) {
    AppendEntry(out, entry);
  }
  return out;
}

absl::StatusOr<StepDiff> ParseStepDiff(absl::string_view text) {
  StepDiff diff;
  diff.entries.reserve(std::count(text.begin(), text.end(), '\n'));
  while (!text.empty()) {
    size_t end = text.find('\n');
    LineReader line(text.substr(0, end));
    diff.entries.push_back(ReadEntry(line));
    // A line without its end was cut off while it was written.
    if (!line.ok() || end == absl::string_view::npos) {
      return absl::DataLossError(
          absl::StrCat("step diff: line ", diff.entries.size(), " is damaged"));
    }
    text.remove_prefix(end + 1);
  }
  return diff;
}

}  // namespace lamina::ir
