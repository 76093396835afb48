"""The page's style sheet: light and dark by the reader's setting, one column on a phone, no outside files."""

CSS = """
:root { color-scheme: light dark;
  --paper: #f6f6f4; --card: #ffffff; --ink: #1b1f24; --muted: #5c6670; --rule: #dfe2e6;
  --blue: #0072b2; --orange: #c45a00; --green: #007a59; --bad: #b3261e; --warn: #fff3d6; --warn-ink: #6b4700;
  --blue-rgb: 0 114 178; --orange-rgb: 213 94 0; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171a; --card: #1d2125; --ink: #e8eaed; --muted: #9aa4ae; --rule: #343a41;
  --blue: #62b6ea; --orange: #f2a65a; --green: #4cc9a0; --bad: #ff8a80; --warn: #3a2f12; --warn-ink: #ffdf9b;
  --blue-rgb: 44 122 178; --orange-rgb: 235 120 40; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei",
    sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.6rem; line-height: 1.3; margin: 4px 0 12px; text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 0 0 12px; }
h3 { font-size: .95rem; margin: 0 0 6px; }
p { margin: 0 0 12px; }
.eyebrow, .note, small { color: var(--muted); font-size: .85rem; }
.eyebrow { margin: 0; }
.note { margin: 10px 0 0; max-width: 75ch; }
.lead { font-size: 1.05rem; max-width: 75ch; margin-bottom: 20px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 20px;
  margin-top: 20px; }
.banner { background: var(--warn); color: var(--warn-ink); border-radius: 10px; padding: 12px 16px;
  margin: 12px 0 20px;
  overflow-wrap: anywhere; }
.tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px; }
.tile b { display: block; font-size: 1.75rem; line-height: 1.25; font-weight: 650; white-space: nowrap; }
.tile span { display: block; text-wrap: balance; color: var(--muted); font-size: .85rem; }
.tile span.name { color: var(--ink); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
table.models th { color: var(--muted); font-weight: 500; font-size: .85rem; vertical-align: bottom; }
table.models th, table.models td { text-align: right; padding: 8px 0 8px 16px;
  border-bottom: 1px solid var(--rule); vertical-align: top; }
table.models th:first-child, table.models td:first-child { text-align: left; padding-left: 0; }
table.models tr.file td:first-child { font-weight: 600; }
table.models tr.main { background: rgb(var(--blue-rgb) / .09); }
table.models tr.main td:first-child { box-shadow: inset 3px 0 var(--blue); padding-left: 10px; }
table.models tr > :last-child { padding-right: 10px; }
table.models tbody tr:last-child td { border-bottom: 0; }
td small { display: block; font-weight: 400; line-height: 1.35; }
table.models td + td small { white-space: nowrap; }
.figures { display: grid; gap: 24px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 310px), 1fr)); }
figure { margin: 0; min-width: 0; }
svg.plot { width: 100%; max-width: 460px; height: auto; display: block; overflow: visible; }
svg.plot text { font-family: inherit !important; }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch; }
table.confusion { width: auto; border-collapse: separate; border-spacing: 2px; font-size: 12px; }
table.confusion th { font-weight: 400; color: var(--ink); white-space: nowrap; }
table.confusion tbody th { text-align: right; padding-right: 8px; position: sticky; left: 0;
  background: var(--card); max-width: 14em;
  overflow: hidden; text-overflow: ellipsis; }
table.confusion thead th { vertical-align: bottom; padding: 0; }
table.confusion thead th span { display: block; writing-mode: vertical-rl; text-orientation: sideways;
  transform: rotate(180deg); max-height: 11em; margin: 4px auto 0;
  overflow: hidden; text-overflow: ellipsis; }
table.confusion td { min-width: 30px; height: 26px; padding: 0 3px; text-align: center; border-radius: 3px; }
table.confusion td.zero { background: rgb(128 128 128 / .07); }
table.confusion td.strong { color: #fff; }
.bars { display: grid; gap: 8px 40px; font-size: .9rem; max-width: 760px; }
.bars.two { display: block; columns: 380px 2; column-gap: 48px; max-width: none; }
.bars.two .bar { break-inside: avoid; padding-bottom: 8px; }
.bar { display: grid; grid-template-columns: 9.5em minmax(60px, 1fr) max-content; gap: 0 12px; align-items: center; }
.bars .name { overflow-wrap: anywhere; line-height: 1.2; }
.bars .value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; min-width: 5em; }
.bars.two .value { min-width: 9.5em; }
.bars .wide { grid-column: 2 / -1; color: var(--muted); font-size: .85rem; overflow-wrap: anywhere; }
.beside { display: flex; flex-wrap: wrap; gap: 20px 40px; }
.beside .scroll { max-width: 100%; }
.beside .pairs { flex: 1 1 240px; }
.track { position: relative; height: 14px; background: rgb(128 128 128 / .13); border-radius: 3px; }
.track i { position: absolute; inset: 0 auto 0 0; background: rgb(var(--blue-rgb)); border-radius: 3px; }
.track i.reused { background: repeating-linear-gradient(45deg, var(--muted) 0 3px, transparent 3px 6px); }
.track u { position: absolute; top: 6px; height: 2px; background: var(--ink); opacity: .75; }
.mistakes { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); }
.mistakes img, .mistakes .none { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 6px;
  background: rgb(128 128 128 / .13); display: block; }
.mistakes .none { display: grid; place-items: center; color: var(--muted); font-size: .8rem; }
.mistakes figcaption { font-size: .85rem; line-height: 1.35; margin-top: 6px; overflow-wrap: anywhere; }
.mistakes figcaption b { font-weight: 600; }
img.sheet { width: 100%; height: auto; border-radius: 6px; display: block; }
pre { margin: 0 0 12px; padding: 12px 14px; background: rgb(128 128 128 / .1); border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere;
  font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 20px; margin: 0; font-size: .9rem; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.columns { display: grid; gap: 24px 40px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
ul { margin: 0; padding-left: 1.2em; font-size: .9rem; overflow-wrap: anywhere; }
details summary { cursor: pointer; color: var(--muted); font-size: .9rem; margin-top: 12px; }
@media (max-width: 640px) {
  main { padding: 16px 12px 40px; }
  section { padding: 16px 14px; }
  h1 { font-size: 1.3rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tile:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .tile { padding: 12px; }
  .tile b { font-size: 1.35rem; }
  table.models thead { display: none; }
  table.models, table.models tbody { display: block; }
  table.models tr { display: grid; grid-template-columns: 1fr 1fr; gap: 6px 16px; padding: 12px 0;
    border-bottom: 1px solid var(--rule); }
  table.models tr.main { padding: 12px 10px; border-radius: 6px; box-shadow: inset 3px 0 var(--blue); }
  table.models tbody tr:last-child { border-bottom: 0; }
  table.models td, table.models td:first-child { display: block; text-align: left; border: 0; padding: 0; }
  table.models tr.main td:first-child { box-shadow: none; padding: 0; }
  table.models td:first-child { grid-column: 1 / -1; font-weight: 600; }
  table.models td[data-label]::before { content: attr(data-label); display: block; color: var(--muted);
    font-size: .78rem; }
  table.models td.empty { display: none; }
  .mistakes { grid-template-columns: repeat(auto-fill, minmax(100px, 1fr)); gap: 10px; }
  .bar { grid-template-columns: 7em minmax(50px, 1fr) max-content; gap: 0 8px; }
  .bars.two .value { min-width: 7.5em; }
  img.sheet { width: auto; min-width: 720px; }
  .beside .pairs { order: -1; }
  table.confusion td { min-width: 24px; height: 24px; font-size: 11px; }
  table.confusion tbody th { max-width: 8.5em; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 8px; }
}
@media print { body { background: #fff; } section, .tile { break-inside: avoid; } }
"""
