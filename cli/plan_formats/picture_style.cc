#include "cli/plan_formats/picture_style.h"

namespace lamina::cli {

absl::string_view PaletteStyle() {
  return R"(:root{color-scheme:light dark;
--page:#fafaf8;--panel:#fff;--column:#f3f4f5;--ink:#1d2530;--soft:#596371;
--line:#dcdfe4;--edge:#8a94a1;--cached:#0067a3;--cached-bg:#e9f2f9;
--run:#ad5700;--run-bg:#fdf2e2;--skipped:#6f7884;--skipped-bg:#f7f7f8;
--dead:#a03060;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{
--page:#14171b;--panel:#1c2026;--column:#191d22;--ink:#e5e9ee;--soft:#9ba5b1;
--line:#323942;--edge:#75808d;--cached:#6fb8e9;--cached-bg:#172a3a;
--run:#f2a552;--run-bg:#35281a;--skipped:#8d97a3;--skipped-bg:#1b1f24;
--dead:#e27ba4}}
)";
}

absl::string_view GraphStyle() {
  return R"(.graph text{font:12px var(--sans);fill:var(--ink)}
.graph .mono{font:11px var(--mono)}
.graph .small{font-size:11px;fill:var(--soft)}
.graph .num{fill:var(--soft);font-weight:400}
.graph .bold{font-weight:650}
.graph .col{fill:var(--column)}
.graph .box{fill:var(--panel);stroke:var(--line)}
.graph .n:hover .box{stroke-width:2}
.graph .cached .box{fill:var(--cached-bg);stroke:var(--cached)}
.graph .cached .state{fill:var(--cached)}
.graph .run .box{fill:var(--run-bg);stroke:var(--run)}
.graph .run .state{fill:var(--run)}
.graph .skipped .box{fill:var(--skipped-bg);stroke:var(--skipped);stroke-dasharray:4 3}
.graph .skipped text{fill:var(--skipped)}
.graph .gone .mono{text-decoration:line-through}
.graph .crit .box{stroke-width:2.5}
.graph .pill{fill:var(--panel);stroke:var(--soft);stroke-width:.8}
.graph text.tag{font-size:9.5px;fill:var(--soft)}
.graph .e path{fill:none;stroke:var(--edge);stroke-width:1.2}
.graph .e polygon{fill:var(--edge)}
.graph .e.read path{stroke-dasharray:5 3}
.graph .e.crit path{stroke:var(--ink);stroke-width:2.4}
.graph .e.crit polygon{fill:var(--ink)}
.graph .e.maybe path{stroke-dasharray:1 4}
.graph .layer path{fill:none;stroke:var(--ink);stroke-width:1.4}
.graph .dead{fill:var(--dead)}
)";
}

}  // namespace lamina::cli
