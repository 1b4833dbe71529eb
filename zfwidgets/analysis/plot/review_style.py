"""The looks of a report: light, dark and printed, from a telephone to a slide."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #59636e; --ground: #fff;
  --card: #f5f7f9; --line: #d5dbe1; --blue: #0072b2; --missed: #b3261e; --look: #8a5a00;
  --good: #1a7340; --fact: #59636e; --s0: #0072b2; --s1: #d55e00; --s2: #e69f00;
  --s3: #cc79a7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --quiet: #a3acb6; --ground: #131519;
  --card: #1d2126; --line: #363c44; --blue: #56b4e9; --missed: #ff8a80; --look: #f2bd55;
  --good: #6fd08c; --fact: #a3acb6; --s0: #56b4e9; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 1120px; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--ground); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 2rem; line-height: 1.15; margin: 0 0 .5rem; letter-spacing: -.015em; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 3.25rem 0 .75rem; padding-top: 1rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 2.25rem 0 0; }
h4 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { max-width: 74ch; margin: .6rem 0; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: .2em; }
a:hover { text-decoration-color: currentColor; }
.lead { font-size: 1.15rem; max-width: 60ch; margin: 0; padding-left: .9rem;
  border-left: 4px solid var(--good); }
.missed .lead { border-color: var(--missed); }
.facts, .quiet, .test, .key, figcaption span { color: var(--quiet); }
.facts { font-size: .85rem; max-width: none; overflow-wrap: anywhere; }
.quiet { font-size: .9rem; }
.test { font-size: .85rem; }
.summary { list-style: none; margin: 1.5rem 0; padding: 0; border: 1px solid var(--line);
  border-radius: 10px; overflow: hidden; }
.summary li { display: grid; grid-template-columns: 4.6rem 1fr; gap: .9rem; padding: .7rem 1rem;
  align-items: start; }
.summary li + li { border-top: 1px solid var(--line); }
.summary li.missed, .summary li.look { background: var(--card); }
.summary strong { display: block; font-weight: 600; }
.chip { display: inline-block; font-size: .75rem; font-weight: 600; line-height: 1.5;
  text-align: center; padding: .05rem .5rem; border: 1px solid currentColor; border-radius: 99px;
  margin-top: .15rem; }
.missed > .chip { color: var(--missed); } .look > .chip { color: var(--look); }
.good > .chip { color: var(--good); } .fact > .chip, .open > .chip { color: var(--fact); }
.missed > .chip { background: var(--missed); color: var(--ground); border-color: var(--missed); }
.line { display: grid; grid-template-columns: 4.6rem 1fr; gap: .9rem; max-width: 84ch; }
.line > .chip { align-self: start; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0;
  font-size: .9rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 500; vertical-align: bottom; }
th:first-child { text-align: left; padding-left: 0; font-weight: 500; }
.tiles { display: grid; gap: 1.25rem 1rem; margin: .75rem 0 1.25rem;
  grid-template-columns:
    repeat(auto-fill, minmax(min(100%, max(var(--wide), var(--least))), 1fr)); }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; max-width: calc(var(--wide) * 1.5); height: auto;
  border-radius: 4px; }
.sharp { image-rendering: pixelated; }
figcaption { font-size: .85rem; line-height: 1.35; margin-top: .4rem; overflow-wrap: anywhere; }
figcaption b { font-weight: 600; display: block; }
figcaption span { display: block; }
.key { font-size: .85rem; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
.key i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }
.bars { width: 100%; max-width: 780px; }
.bars td { text-align: left; } .bars td:last-child { color: var(--quiet); }
.bars .bar { width: 45%; min-width: 90px; padding: .3rem 0; }
.bars .bar i { display: block; height: 6px; border-radius: 0 3px 3px 0;
  margin: 1px 0; }
.s0 { background: var(--s0); } .s1 { background: var(--s1); } .s2 { background: var(--s2); }
.s3 { background: var(--s3); }
.curves { display: grid; gap: 1rem 1.5rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 190px), 1fr)); }
svg { width: 100%; display: block; }
svg text { font: 9px system-ui, sans-serif; fill: var(--quiet); }
polyline { fill: none; stroke: var(--blue); stroke-width: 2; stroke-linejoin: round; }
circle { fill: var(--blue); } .grid { stroke: var(--line); stroke-width: .8; }
.limit { stroke: var(--s1); stroke-width: 1; stroke-dasharray: 4 3; }
.credits ul { font-size: .75rem; color: var(--quiet); columns: 2 340px; padding-left: 1rem;
  overflow-wrap: anywhere; }
@media (max-width: 560px) { body { padding: 1.25rem 1rem 3rem; font-size: 15px; }
  h1 { font-size: 1.5rem; }
  .summary li, .line { grid-template-columns: 1fr; gap: .2rem; } .chip { justify-self: start; }
  .bars td:last-child { white-space: normal; } }
@media print { :root { --ink: #000; --quiet: #444; --ground: #fff; --card: #f3f3f3; --line: #bbb;
  --blue: #0072b2; --missed: #b3261e; --look: #8a5a00; --good: #1a7340; --fact: #444;
  --s0: #0072b2; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } nav { display: none; }
  h2 { break-after: avoid; margin-top: 1.5rem; } .summary li, tr { break-inside: avoid; }
  .scroll { overflow: visible; } * { print-color-adjust: exact; } }
"""
"""One style sheet; colours are Okabe & Ito's (2008), told apart by colour-blind people."""
