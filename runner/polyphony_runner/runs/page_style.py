"""Style of the run report: the design tokens, light and dark, and what stands on them."""

STYLE = """
:root{--paper:#fbfaf7;--raised:#fff;--line:#dedad2;--ink:#1b1a22;--muted:#5d5a68;--accent:#5b3fd6;--operator:#0f6f66;
--core:#475063;--good:#1b7a3d;--warn:#8a5a00;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--paper:#14131a;--raised:#1d1b26;--line:#37343f;--ink:#eeebf6;--muted:#aba6b8;
--accent:#a999ff;--operator:#5fd0c3;--core:#a3adc2;--good:#6bd08f;--warn:#f0c265;--bad:#ff8f86}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1180px;margin:0 auto;padding:32px 20px}
h1{font:400 40px/1.2 Georgia,serif;margin:0 0 8px}h2{font:400 21px/1.3 Georgia,serif;margin:32px 0 8px}
.outcome{font-size:17px;margin:0}.succeeded{color:var(--good)}.failed{color:var(--bad)}
.cancelled,.halted{color:var(--warn)}.skipped,.dead,.waiting{color:var(--muted)}
h3{font:400 15px/1.5 system-ui,sans-serif;margin:16px 0 0}p{max-width:72ch}.muted{color:var(--muted)}
.timeline{width:100%;min-width:720px;height:auto;display:block}.staff{stroke:var(--line);stroke-width:1}
.tick{stroke:var(--line);stroke-width:1;stroke-dasharray:2 4}
.timeline text{font:13px system-ui,sans-serif;fill:var(--ink)}.timeline .label{fill:var(--muted)}
.timeline text.failed{fill:var(--bad)}.timeline text.cancelled{fill:var(--warn)}
.note{fill:var(--operator)}.note.core{fill:var(--core)}
.note.scope,.note.waiting{fill:var(--paper);stroke:var(--core);stroke-width:1}
.note.waiting{stroke-dasharray:3 3}.note.running,.note.cached{fill-opacity:.45}
.note.failed,.note.retrying{fill:var(--bad)}.note.cancelled{fill:var(--warn)}
details{margin:4px 0}summary{cursor:pointer}.bad{color:var(--bad)}.warn{color:var(--warn)}
.number{text-align:right}.status{white-space:nowrap}.sum td{border-top:1px solid var(--ink)}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--line);
vertical-align:top}th{color:var(--muted);font-weight:400}.wide{overflow-x:auto}.wide td:first-child,.wide code{white-space:nowrap}
dl{display:grid;grid-template-columns:minmax(120px,max-content) 1fr;gap:4px 20px;margin:0}dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}pre{margin:0;max-height:320px;overflow:auto;white-space:pre-wrap}
code,pre{font-family:ui-monospace,monospace;font-size:13px}
@media(max-width:760px){dl{grid-template-columns:1fr}}
"""
