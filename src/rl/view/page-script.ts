/**
 * What the page does in the browser. Transcripts are hostile text: they come as JSON and go into the page as text
 * nodes only, never as markup. The page's policy allows this script, by its hash, and no other.
 */
export const PAGE_SCRIPT = `
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const make = (tag, kind, text) => {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  if (text !== undefined) node.textContent = String(text);
  return node;
};
const SHOWN_MAX = 500;
let rows = [];
let asked = 0;

const counted = (count, what) => count + " " + what + (count === 1 ? "" : "s");
const callsOf = (row) => row.turns.flatMap((turn) => turn.calls);
const errorsOf = (row) => callsOf(row).filter((call) => call.isError).length;
const FILTERS = {
  all: () => true,
  right: (row) => row.reward === 1,
  wrong: (row) => row.reward === 0,
  errors: (row) => errorsOf(row) > 0,
  "right-errors": (row) => row.reward === 1 && errorsOf(row) > 0,
  excluded: (row) => row.excluded !== null,
  cut: (row) => row.ending !== "finished",
  trained: (row) => row.advantage !== null && row.advantage !== undefined,
};
const ORDERS = {
  group: (left, right) => left.group - right.group || left.index - right.index,
  longest: (left, right) => right.tokens.response - left.tokens.response,
  errors: (left, right) => errorsOf(right) - errorsOf(left),
};

function verdictOf(row) {
  if (row.excluded !== null) return ["open", "excluded"];
  if (row.reward === null || row.reward === undefined) return ["open", "not scored"];
  return row.reward > 0 ? ["met", "right"] : ["missed", "wrong"];
}

function showCall(call) {
  const box = make("div", call.isError ? "call failed" : "call");
  const head = make("div", "call-head");
  head.append(make("span", "chip " + (call.isError ? "missed" : "met"), call.outcome));
  head.append(make("span", "dim", Math.round(call.latencyMs) + " ms, " + Math.round(call.queuedMs) + " ms of it queued"));
  box.append(head, make("pre", "code", call.code), make("pre", "response", call.response));
  return box;
}

function showRow(row) {
  const detail = byId("detail");
  const [kind, verdict] = verdictOf(row);
  const head = make("div", "detail-head");
  head.append(make("span", "chip " + kind, verdict));
  head.append(make("b", "", row.problem.id));
  const facts = [row.problem.family, row.ending, row.tokens.response + " tokens", counted(row.turns.length, "turn"),
    "weights " + [...new Set(row.weightsVersions)].join(" to ")];
  if (row.advantage !== null && row.advantage !== undefined) facts.push("advantage " + row.advantage.toFixed(2));
  head.append(make("span", "dim", facts.join(" \\u00b7 ")));
  detail.replaceChildren(head);
  if (row.excluded !== null) detail.append(make("p", "warning", "Excluded: " + row.excluded));
  detail.append(make("h4", "", "Problem"), make("pre", "", row.problem.prompt));
  row.turns.forEach((turn, at) => {
    detail.append(make("h4", "", "Turn " + (at + 1)), make("pre", "model", turn.text));
    turn.calls.forEach((call) => detail.append(showCall(call)));
  });
  const answer = make("p", "answer", "Answer ");
  answer.append(make("code", "", row.answer === null ? "none" : row.answer), " \\u2014 reference ", make("code", "", row.problem.answer));
  detail.append(answer);
  const whole = make("details");
  whole.append(make("summary", "", "All of it as one text"), make("pre", "", row.text));
  detail.append(whole);
}

function showList() {
  const words = byId("search").value.toLowerCase();
  const chosen = rows
    .filter(FILTERS[byId("filter").value])
    .filter((row) => words === "" || row.text.toLowerCase().includes(words) || row.problem.id.toLowerCase().includes(words))
    .sort(ORDERS[byId("order").value]);
  byId("count").textContent = chosen.length + " of " + rows.length + " rollouts" +
    (chosen.length > SHOWN_MAX ? ", the first " + SHOWN_MAX + " shown" : "");
  const items = chosen.slice(0, SHOWN_MAX).map((row) => {
    const [kind, verdict] = verdictOf(row);
    const item = make("button", "item");
    item.type = "button";
    const head = make("span", "item-head");
    head.append(make("span", "chip " + kind, verdict), make("span", "", row.problem.id));
    const errors = errorsOf(row);
    const calls = callsOf(row).length;
    item.append(head, make("span", "dim", row.tokens.response + " tokens \\u00b7 " + counted(calls, "call") +
      (errors > 0 ? " \\u00b7 " + counted(errors, "error") : "")));
    item.addEventListener("click", () => {
      document.querySelectorAll(".item.chosen").forEach((one) => one.classList.remove("chosen"));
      item.classList.add("chosen");
      showRow(row);
    });
    return item;
  });
  byId("list").replaceChildren(...items);
  if (items.length > 0) items[0].click();
  else byId("detail").replaceChildren(make("p", "dim", "No rollout is like that."));
}

async function load() {
  const run = Number(byId("run").value);
  const name = byId("file").value;
  const mine = ++asked;
  const held = data.runs[run].rows[name];
  const got = held || (name === "" ? [] : await (await fetch("transcripts?run=" + run + "&name=" + encodeURIComponent(name))).json());
  // An answer that comes after a later question is nobody's.
  if (mine !== asked) return;
  rows = got;
  showList();
}

function showFiles() {
  const { files } = data.runs[Number(byId("run").value)];
  byId("file").replaceChildren(...files.map((name) => {
    const option = make("option", "", name);
    option.value = name;
    return option;
  }));
  if (files.length > 0) byId("file").value = files[files.length - 1];
  return load();
}

data.runs.forEach((run, at) => {
  const option = make("option", "", run.name);
  option.value = String(at);
  byId("run").append(option);
});
byId("run").hidden = data.runs.length < 2;
byId("run").addEventListener("change", showFiles);
byId("file").addEventListener("change", load);
for (const id of ["filter", "order"]) byId(id).addEventListener("change", showList);
byId("search").addEventListener("input", showList);
document.querySelectorAll("tr[data-file]").forEach((line) => line.addEventListener("click", () => {
  byId("run").value = line.dataset.run;
  void showFiles().then(() => {
    if (!data.runs[Number(line.dataset.run)].files.includes(line.dataset.file)) return undefined;
    byId("file").value = line.dataset.file;
    return load();
  });
  byId("rollouts").scrollIntoView();
}));
void showFiles();
`;
