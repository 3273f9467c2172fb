// The style of the page: colours for light and dark, layout and print. Without it the page is still
// readable, because figures have their colours as attributes.
#pragma once

#include <string_view>

namespace pdl::report {

inline constexpr std::string_view kStyle = R"css(:root { color-scheme: light dark; }
body { margin: 0; color: #1b1b1b; background: #ffffff; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.75rem; border-bottom: 1px solid #b5b5b5; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.25rem; }
h4 { font-size: 0.9rem; margin: 0 0 0.25rem; overflow-wrap: anywhere; }
p, li, figcaption, summary { max-width: 46rem; overflow-wrap: anywhere; }
.verdict { font-size: 1.2rem; line-height: 1.4; border-left: 0.3rem solid #0b57a4; margin: 1rem 0; padding: 0.1rem 0 0.1rem 0.8rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin: 1rem 0; }
a { color: #0b57a4; }
figure { margin: 1.5rem 0; }
figcaption { margin-bottom: 0.5rem; }
svg { display: block; width: 100%; max-width: 44rem; height: auto; }
.box { overflow-x: auto; max-width: 100%; margin: 0.75rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.25rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.9rem 0.2rem 0; border-bottom: 1px solid #d9d9d9; }
th.n, td.n { text-align: right; white-space: nowrap; }
thead th.n { white-space: normal; }
td:last-child:not(.n) { min-width: 10rem; }
tbody th { font-weight: 400; min-width: 7rem; }
td { overflow-wrap: break-word; max-width: 40rem; }
code { overflow-wrap: anywhere; }
summary { cursor: pointer; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.25rem 0; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1rem; margin: 0.75rem 0; }
.columns > div { border: 1px solid #b5b5b5; border-radius: 0.3rem; padding: 0.6rem; min-width: 0; }
mark { background: #ffe58a; color: #1b1b1b; }
@media screen and (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #16181c; }
  a { color: #8abcff; }
  h2, .columns > div { border-color: #565b63; }
  th, td { border-color: #3a3e45; }
  .verdict { border-color: #8abcff; }
  .t { fill: #d6d6d6; }
  .b { fill: #16181c; }
  .s { fill: #2a2e35; }
  .g { stroke: #3a3e45; }
  .a { stroke: #9a9fa8; }
  .c0 { stroke: #8abcff; } .f0 { fill: #8abcff; }
  .c1 { stroke: #ffa869; } .f1 { fill: #ffa869; }
  .c2 { stroke: #82d18d; } .f2 { fill: #82d18d; }
  .c3 { stroke: #e59dea; } .f3 { fill: #e59dea; }
  .c4 { stroke: #e2c45e; } .f4 { fill: #e2c45e; }
  .c5 { stroke: #ff91a9; } .f5 { fill: #ff91a9; }
  .c6 { stroke: #6bd3df; } .f6 { fill: #6bd3df; }
  .cgrey { stroke: #c9c9c9; } .fgrey { fill: #c9c9c9; }
}
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  figure, .columns > div, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .box { overflow: visible; }
  svg { max-width: 14cm; }
}
)css";

}  // namespace pdl::report
