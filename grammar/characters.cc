#include "grammar/characters.h"

#include <algorithm>

namespace lamina::grammar {
namespace {

uint32_t Simplify(uint32_t code_point) {
  if (code_point < 0x80) {
    return code_point;
  }
  return IsForeignLetter(code_point)  ? 'a'
         : IsForeignDigit(code_point) ? '0'
                                      : code_point;
}

}  // namespace

Characters::Characters(absl::string_view text, Disguise disguise)
    : text_(text), disguise_(disguise), size_(text.size()) {
  bool ascii = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
  if (ascii) {
    return;
  }
  for (size_t offset = 0; offset < text.size();) {
    Character character = DecodeUtf8(text.substr(offset));
    code_points_.push_back(Simplify(character.code_point));
    offsets_.push_back(offset);
    offset += character.bytes;
  }
  offsets_.push_back(text.size());
  size_ = code_points_.size();
}

absl::string_view Characters::Bytes(const antlr4::Token& token) const {
  size_t begin = ByteOffset(token.getStartIndex());
  return text_.substr(begin, ByteOffset(token.getStopIndex() + 1) - begin);
}

size_t Characters::See(size_t index) const {
  uint32_t c = code_points_.empty() ? static_cast<unsigned char>(text_[index])
                                    : code_points_[index];
  if (c == '\\' || c == '`') {
    bool is_escape = c == static_cast<unsigned char>(disguise_.escape);
    return is_escape ? '\\' : '`';
  }
  if (!disguise_.quotes && (c == '\'' || c == '"')) {
    return ',';
  }
  return c;
}

size_t Characters::LA(ssize_t i) {
  if (i == 0) {
    return 0;
  }
  ssize_t at = static_cast<ssize_t>(index_) + (i > 0 ? i - 1 : i);
  if (at < 0 || static_cast<size_t>(at) >= size_) {
    return antlr4::IntStream::EOF;
  }
  return See(static_cast<size_t>(at));
}

std::string Characters::getText(const antlr4::misc::Interval& interval) {
  size_t begin = std::min<size_t>(interval.a, size_);
  size_t end = std::clamp<size_t>(interval.b + 1, begin, size_);
  size_t first = ByteOffset(begin);
  return std::string(text_.substr(first, ByteOffset(end) - first));
}

Character DecodeUtf8(absl::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  uint32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1};
  }
  uint32_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead > 0xF4 || text.size() < length) {
    return {};
  }
  uint32_t value = lead & (0xFFu >> (length + 1));
  for (uint32_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return {};
    }
    value = (value << 6) | (byte(i) & 0x3F);
  }
  bool overlong = (length == 3 && value < 0x800) ||
                  (length == 4 && (value < 0x10000 || value > 0x10FFFF));
  bool surrogate = value >= 0xD800 && value < 0xE000;
  return overlong || surrogate ? Character{} : Character{value, length};
}

void AppendUtf8(uint32_t c, std::string& out) {
  auto tail = [&](int shift) {
    out.push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F)));
  };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    tail(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

bool IsSpace(uint32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

absl::string_view TrimLeft(absl::string_view text) {
  while (!text.empty()) {
    Character character = DecodeUtf8(text);
    if (!IsSpace(character.code_point)) {
      break;
    }
    text.remove_prefix(character.bytes);
  }
  return text;
}

absl::string_view TrimRight(absl::string_view text) {
  while (!text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 &&
           (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) {
      --start;
    }
    Character last = DecodeUtf8(text.substr(start));
    if (last.bytes != text.size() - start || !IsSpace(last.code_point)) {
      break;
    }
    text.remove_suffix(last.bytes);
  }
  return text;
}

}  // namespace lamina::grammar
