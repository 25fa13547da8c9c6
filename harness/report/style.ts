/** The report's one style sheet; colours are variables, so that light and dark differ in nothing else. */
export const STYLE = `
:root { color-scheme: light dark; --bg: #fff; --card: #f6f7f9; --ink: #16181d; --soft: #5b6270; --line: #d9dde3;
  --good: #1a7f37; --bad: #c5221f; --warn: #9a6700; --a: #0b62d6; --b: #7b3fe4; --c: #0a7d6c; --d: #9a6700; --e: #b4237a; --f: #5d7a00; --limit: #8a919e; --shade: #9a670022; }
@media (prefers-color-scheme: dark) { :root { --bg: #14161a; --card: #1d2026; --ink: #e8eaee; --soft: #a0a7b4; --line: #343a44;
  --good: #4cc26a; --bad: #ff6b63; --warn: #e0b03c; --a: #6aa7ff; --b: #b794ff; --c: #4fd1bd; --d: #e0b03c; --e: #ff8fc7; --f: #b5d14f; --limit: #7d8594; --shade: #e0b03c2b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 24px 20px 60px; background: var(--bg); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 34px 0 10px; } h3 { font-size: 15px; margin: 0 0 6px; }
p { margin: 6px 0; } .soft { color: var(--soft); } code, pre, .mono { font: 12.5px/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; margin: 8px 0; padding: 12px; background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
.word { display: inline-block; padding: 1px 12px; border-radius: 5px; color: var(--bg); font-weight: 700; margin-right: 10px; }
.PASS { background: var(--good); } .FAIL { background: var(--bad); } .INVALID { background: var(--warn); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; margin: 10px 0; }
.card ul { margin: 6px 0; padding-left: 20px; } .src { color: var(--soft); font-size: 12px; border: 1px solid var(--line);
  border-radius: 4px; padding: 0 5px; margin-right: 6px; }
.cure { border-left: 3px solid var(--good); padding-left: 10px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 8px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; }
.tile b { display: block; font-size: 17px; font-weight: 600; } .tile span { color: var(--soft); font-size: 12.5px; }
.tile.bad b { color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(480px, 1fr)); gap: 14px; }
@media (max-width: 560px) { .plots { grid-template-columns: 1fr; } }
.plots, .multiples { margin: 0; } figure { margin: 0; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 10px; }
.multiples .u-legend { font-size: 11px; }
.window { position: absolute; top: 0; bottom: 0; background: var(--shade); border-left: 1px solid var(--warn); border-right: 1px solid var(--warn); }
.key { display: inline-block; width: 14px; height: 10px; margin-right: 5px; background: var(--shade); border: 1px solid var(--warn); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.matrix td { text-align: right; } .matrix .hit { font-weight: 700; }
.plot { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px; overflow: hidden; min-width: 0; }
.plot figcaption { font-weight: 600; font-size: 13.5px; margin: 0 0 6px; } .uplot, .uplot * { color: var(--ink); }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; } th { text-align: left; font-weight: 600; color: var(--soft); }
td, th { padding: 5px 8px; border-bottom: 1px solid var(--line); vertical-align: top; } .no { color: var(--bad); } .ok { color: var(--good); }
.scroll { overflow-x: auto; } summary { cursor: pointer; }
@media print { :root { color-scheme: light; --bg: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --good: #1a7f37; --bad: #c5221f;
  --warn: #9a6700; --a: #0b62d6; --b: #7b3fe4; --c: #0a7d6c; --limit: #8a919e; --shade: #9a670022; }
  body { max-width: none; padding: 0; } .card, .plot, tr { break-inside: avoid; } pre { white-space: pre-wrap; } }
`;
