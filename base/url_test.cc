#include "base/url.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace lamina {
namespace {

std::string Normal(absl::string_view text) {
  absl::StatusOr<Url> url = Url::Parse(text);
  return url.ok() ? url->ToString()
                  : absl::StrCat("error: ", url.status().message());
}

TEST(Url, IsReadAndWrittenInOneForm) {
  const std::pair<const char*, const char*> kCases[] = {
      {"https://Example.ORG", "https://example.org/"},
      {"HTTP://h:8080/a?b=c#d", "http://h:8080/a?b=c"},
      {"https://u:p@h/", "https://u:p@h/"},
      {"http://[::1]:80/x", "http://[::1]:80/x"},
      {"http://[::1]", "http://[::1]/"},
      {"https://h/a b\xC3\xA4", "https://h/a%20b%C3%A4"},
      {"https://h?q", "https://h/?q"},
      {"git://h/x.git", "git://h/x.git"},
      {"h/x", "error: does not begin with a scheme such as https://"},
      {"https:///x", "error: has no host"},
      {"https://-oProxyCommand=x/",
       "error: has `-oProxyCommand=x` for a host name"},
      {"https://h h/", "error: has `h h` for a host name"},
      {"https://h:0/",
       "error: has the port `0`, which is no number from 1 to 65535"},
      {"https://h:+1/",
       "error: has the port `+1`, which is no number from 1 to 65535"},
      {"https://h/%zz", "error: has a `%` without two hex digits behind it"},
      {"https://h/a\r\nX: y", "error: has a control character"},
      {"https://h/?a\n", "error: has a control character"},
  };
  for (const auto& [text, normal] : kCases) {
    EXPECT_EQ(Normal(text), normal) << text;
  }
}

TEST(Url, ResolvesWhatRedirectsName) {
  Url base = *Url::Parse("https://u:p@h:8443/a/b/c?q#f");
  // RFC 3986, 5.4: the cases that redirects use.
  const std::pair<const char*, const char*> kCases[] = {
      {"g", "https://h:8443/a/b/g"},
      {"./g", "https://h:8443/a/b/g"},
      {"g/", "https://h:8443/a/b/g/"},
      {"/g", "https://h:8443/g"},
      {"//other/g", "https://other/g"},
      {"?y", "https://h:8443/a/b/c?y"},
      {"g?y#s", "https://h:8443/a/b/g?y"},
      {"", "https://h:8443/a/b/c?q"},
      {"..", "https://h:8443/a/"},
      {"../../../g", "https://h:8443/g"},
      {"http://x:1@other:81/z", "http://other:81/z"},
      {"file:///etc/passwd", "error"},
  };
  for (const auto& [reference, wanted] : kCases) {
    absl::StatusOr<Url> url = base.Resolve(reference);
    EXPECT_EQ(url.ok() ? url->ToString() : "error", wanted) << reference;
  }
}

TEST(Url, AnOriginIsSchemeHostAndPort) {
  auto same = [](const char* a, const char* b) {
    return Url::Parse(a)->SameOrigin(*Url::Parse(b));
  };
  EXPECT_TRUE(same("https://h/a", "https://H:443/b"));
  EXPECT_FALSE(same("https://h/", "http://h/"));
  EXPECT_FALSE(same("https://h/", "https://h:444/"));
  EXPECT_FALSE(same("https://h/", "https://h.h/"));
}

TEST(Url, HidesWhatMayBeSecret) {
  EXPECT_EQ(Url::Parse("https://u:p@h/a?token=1#x")->Shown(), "https://h/a");
  EXPECT_EQ(HidePassword("https://u:p@h/a@b"), "https://u:***@h/a@b");
  EXPECT_EQ(HidePassword("git@h:a/b"), "git@h:a/b");
  EXPECT_EQ(HidePassword("https://h:80/a@b"), "https://h:80/a@b");
}

}  // namespace
}  // namespace lamina
