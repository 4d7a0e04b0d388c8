#include "cli/plan_formats/html_parts.h"

namespace lamina::cli {

absl::string_view HtmlStyle() {
  return R"(*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 var(--sans);
-webkit-text-size-adjust:100%}
main{max-width:1360px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;line-height:1.25;margin:0;overflow-wrap:anywhere}
h1 small{font-weight:400;color:var(--soft);font-size:.75em}
h2{font-size:17px;margin:0 0 12px}
h3{font-size:13px;font-weight:600;margin:0 0 8px;color:var(--soft)}
p{margin:6px 0}
.soft{color:var(--soft)}
.warn{color:var(--dead)}
code{font:12.5px/1.5 var(--mono);overflow-wrap:anywhere}
section{background:var(--panel);border:1px solid var(--line);border-radius:12px;
padding:18px 20px;margin-top:18px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));
gap:12px;margin-top:20px}
.tile{background:var(--panel);border:1px solid var(--line);border-radius:12px;
padding:12px 16px}
.tile b{display:block;font-size:21px;font-weight:650;line-height:1.35}
.tile span{color:var(--soft);font-size:13px}
.mix{display:flex;height:6px;border-radius:3px;overflow:hidden;margin-top:8px;gap:2px}
.mix i{display:block;min-width:3px}
.fill-cached{background:var(--cached)}.fill-run{background:var(--run)}
.fill-skipped{background:var(--skipped)}.fill-dead{background:repeating-linear-gradient(
45deg,var(--dead) 0 3px,transparent 3px 6px)}
.fill-live{background:var(--cached)}
.ink-cached{color:var(--cached)}.ink-run{color:var(--run)}.ink-skipped{color:var(--skipped)}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
.scroll svg{display:block;max-width:100%;height:auto}
.tabs>input{position:absolute;opacity:0;pointer-events:none}
.tabs>label{display:inline-block;padding:4px 12px;margin:0 4px 14px 0;
border:1px solid var(--line);border-radius:99px;font-size:13px;color:var(--soft);cursor:pointer}
.tabs>input:checked+label{color:var(--ink);border-color:var(--ink)}
.tabs>input:focus-visible+label{outline:2px solid var(--cached);outline-offset:2px}
.tabs>.tab{display:none}
#tab1:checked~.tab1,#tab2:checked~.tab2,#tab3:checked~.tab3{display:block}
.legend{display:flex;flex-wrap:wrap;gap:6px 18px;font-size:12.5px;color:var(--soft);margin-top:12px}
.two{display:grid;grid-template-columns:minmax(0,3fr) minmax(280px,2fr);gap:28px}
.bars{display:grid;grid-template-columns:minmax(0,230px) minmax(60px,1fr) 130px;gap:6px 12px;
align-items:center;font-size:13px;margin-bottom:18px}
.bars .label{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bars .track{display:flex;height:16px;border-radius:4px;background:var(--column);overflow:hidden}
.bars .number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{font-weight:600;text-align:left;color:var(--soft);font-size:12.5px;padding:4px 14px 6px 0;
border-bottom:1px solid var(--line);white-space:nowrap}
td{padding:7px 14px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
td.num,th.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.nowrap{white-space:nowrap}
.chip{display:inline-block;border:1px solid var(--line);border-radius:99px;padding:0 9px;
font-size:12px;white-space:nowrap}
.chart text{font:11px var(--sans);fill:var(--soft)}
.chart .line{fill:none;stroke:var(--cached);stroke-width:2}
.chart .axis{stroke:var(--line)}
.chart .dot{fill:var(--panel);stroke:var(--cached);stroke-width:1.6}
.chart .best{fill:var(--run);stroke:var(--run)}
.chart .strong{fill:var(--ink);font-weight:650}
.lane{display:grid;grid-template-columns:110px minmax(0,1fr);gap:10px;align-items:start;
border-top:1px solid var(--line);padding:6px 0}
.lane .name{font-size:13px;overflow-wrap:anywhere}
.row{position:relative;height:24px;margin-bottom:2px}
.row .bar{position:absolute;top:0;height:22px;min-width:3px;border-radius:4px;font-size:11.5px;
line-height:22px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;padding:0 5px;color:var(--ink)}
.row .s-run{background:var(--run-bg);box-shadow:inset 0 0 0 1px var(--run)}
.row .s-cached{background:var(--cached-bg);box-shadow:inset 0 0 0 1px var(--cached)}
.row .s-failed{background:var(--panel);box-shadow:inset 0 0 0 2px var(--dead)}
.axis{position:relative;height:18px;font-size:11.5px;color:var(--soft);margin-left:120px}
.axis span{position:absolute;transform:translateX(-50%);white-space:nowrap}
footer{margin-top:22px;font-size:12.5px;color:var(--soft)}
@media (max-width:820px){main{padding:18px 12px 40px}.two{grid-template-columns:minmax(0,1fr)}
section{padding:14px}.bars{grid-template-columns:minmax(0,34vw) minmax(40px,1fr) auto}
.lane{grid-template-columns:minmax(0,1fr);gap:2px}.axis{margin-left:0}
table.cards thead{display:none}table.cards tr{display:block;border-bottom:1px solid var(--line);padding:8px 0}
table.cards td{display:block;border:0;padding:1px 0;text-align:left!important;white-space:normal!important}
table.cards td:empty{display:none}
table.cards td[data-is]::before{content:attr(data-is) " ";color:var(--soft)}}
@media print{.tabs>.tab{display:block}section{break-inside:avoid}}
)";
}

}  // namespace lamina::cli
