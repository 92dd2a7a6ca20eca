/** What the viewer's page has beyond the style sheet that it shares with the bench's report. */
export const PAGE_STYLE = `
h4 { margin: 16px 0 4px; font-size: 13px; font-weight: 500; color: var(--dim); }
main > h2:first-of-type { margin-top: 20px; }
.scores { margin-top: 8px; }
.steps { max-height: 380px; overflow: auto; margin-top: 8px; }
.steps th { position: sticky; top: 0; background: var(--card); }
tr[data-file] { cursor: pointer; } tr[data-file]:hover td { background: var(--grid); }
.controls { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 0 0 12px; }
.controls select, .controls input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--edge);
  border-radius: 8px; padding: 5px 10px; }
.controls input { min-width: 220px; }
.rollouts { display: grid; grid-template-columns: minmax(220px, 300px) minmax(0, 1fr); gap: 12px; align-items: start; }
#list { max-height: 720px; overflow: auto; display: flex; flex-direction: column; gap: 6px; }
.item { font: inherit; color: inherit; text-align: left; background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
  padding: 8px 12px; cursor: pointer; display: flex; flex-direction: column; gap: 2px; }
.item .dim { font-size: 13px; } .item.chosen { border-color: var(--s0); box-shadow: inset 3px 0 var(--s0); }
.item-head, .call-head, .detail-head { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; overflow-wrap: anywhere; }
#detail { padding: 14px 18px; min-height: 200px; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.5 ui-monospace, monospace; }
pre.model { border-left: 3px solid var(--s0); padding-left: 12px; }
.call { border: 1px solid var(--edge); border-radius: 8px; padding: 8px 12px; margin: 8px 0 0 12px; }
.call.failed { border-color: var(--missed); }
.call .code { margin-top: 6px; } .call .response { margin-top: 6px; padding-top: 6px; border-top: 1px dashed var(--edge); color: var(--dim); }
.answer { margin: 16px 0 0; } code { font: 13px ui-monospace, monospace; background: var(--grid); border-radius: 4px; padding: 1px 5px; }
@media (max-width: 760px) { .rollouts { grid-template-columns: 1fr; } #list { max-height: 260px; } }
`;
