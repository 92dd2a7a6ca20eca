import { PLOT_STYLE } from "./line-plot.ts";

/** Colours by the reader's choice of light or dark. */
export const PALETTE = `
:root {
  color-scheme: light dark;
  --page: #fafaf8; --card: #ffffff; --text: #1c1d22; --dim: #6c6f7a; --edge: #e3e3de; --grid: #ecece8;
  --s0: #2f6fdb; --s1: #d9652b; --s2: #2b9a66; --s3: #9254c8;
  --met: #1f8a55; --missed: #c8372d; --open: #a97800;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14151a; --card: #1c1e25; --text: #e8e8ea; --dim: #9a9daa; --edge: #2d3039; --grid: #2a2c35;
    --s0: #6ea0ff; --s1: #ff9a5f; --s2: #58cf97; --s3: #c592f5;
    --met: #58cf97; --missed: #ff7a70; --open: #e3b341;
  }
}
`;

/** The style sheet of pages with plots and tables: no font and no image from elsewhere. */
export const STYLE = `${PALETTE}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 40px 0 10px; }
h2 small, h3 small { font-weight: 400; color: var(--dim); font-size: 14px; margin-left: 6px; }
h3 { font-size: 15px; margin: 0 0 8px; }
a { color: inherit; }
.dim { color: var(--dim); }
.facts { display: flex; flex-wrap: wrap; gap: 4px 22px; color: var(--dim); margin: 8px 0 0; padding: 0; list-style: none; }
.facts b { color: var(--text); font-weight: 500; }
.scores { display: flex; flex-wrap: wrap; gap: 12px; margin: 24px 0 0; }
.score { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 12px 18px; min-width: 116px; }
.score b { display: block; font-size: 26px; line-height: 1.15; font-variant-numeric: tabular-nums; }
.score.met b { color: var(--met); } .score.missed b { color: var(--missed); } .score.open b { color: var(--open); }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; overflow-x: auto; }
.warning { border-left: 3px solid var(--open); padding: 8px 14px; margin: 18px 0 0; background: var(--card); }
.failure { border-left-color: var(--missed); white-space: pre-wrap; font: 13px/1.45 ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--dim); font-size: 13px; }
th, td { padding: 7px 14px; border-bottom: 1px solid var(--edge); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr.told td { color: var(--dim); }
td.sub { padding-left: 32px; }
.note { display: block; font-size: 13px; color: var(--dim); }
.chip { border-radius: 99px; padding: 1px 9px; font-size: 13px; border: 1px solid currentColor; white-space: nowrap; }
.chip.met { color: var(--met); } .chip.missed { color: var(--missed); } .chip.open { color: var(--open); }
details { margin-top: 12px; background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 10px 14px; }
summary { cursor: pointer; }
summary .dim { margin-left: 8px; }
${PLOT_STYLE}.plot .whisker { stroke: var(--text); stroke-width: 1; }
`;
