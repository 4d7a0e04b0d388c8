#include "grammar/test_fingerprint.h"

#include "absl/strings/str_cat.h"

namespace lamina::grammar {

std::string Fingerprint(const Statement& s) {
  std::string out = absl::StrCat(s.keyword, "|", s.keyword_word.text, "|",
                                 static_cast<int>(s.shape), "|", s.json,
                                 s.legacy_pair, "|", s.text.text, "|", s.type);
  for (const Flag& flag : s.flags) {
    absl::StrAppend(&out, "|F", flag.name, "=", flag.value.value_or("-none-"));
  }
  for (const Word& word : s.words) {
    absl::StrAppend(&out, "|W", word.text);
  }
  for (const KeyValue& pair : s.pairs) {
    absl::StrAppend(&out, "|P", pair.key.text, "=",
                    pair.value.has_value() ? pair.value->text : "-none-");
  }
  for (const Heredoc& h : s.heredocs) {
    absl::StrAppend(&out, "|H", h.name, h.expand, h.strip_tabs, h.body);
  }
  for (const Word& comment : s.comments) {
    absl::StrAppend(&out, "|C", comment.text);
  }
  for (const Statement& inner : s.inner) {
    absl::StrAppend(&out, "|I", Fingerprint(inner));
  }
  return out;
}

}  // namespace lamina::grammar
