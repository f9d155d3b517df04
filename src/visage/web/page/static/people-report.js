// What became of many photos: a table of them, of which those with one outcome can be shown alone.

import { el } from "./visage.js";
import { named } from "./people-parts.js";
import { told } from "./people-photos.js";

const BADGES = { good: "good", same: "", bad: "warn" };
const ALL = "";
const BAD = "bad";
// Rows that are in the page at a time; the others follow by a button.
const PAGE = 200;

/** rows: {source, name, outcome, detail, resembles}, as the service tells of photos. */
export class Report {
  constructor() {
    this.rows = [];
    this.shown = PAGE;
    this.body = el("tbody");
    const head = ["Photo", "Person", "Outcome"].map((text) => el("th", { scope: "col" }, text));
    const table = el("table", { class: "report" }, el("thead", {}, el("tr", {}, head)), this.body);
    this.choice = el("select", { "aria-label": "Show", onchange: () => this.draw() });
    this.more = el("button", { type: "button", class: "small", hidden: true, onclick: () => this.grow() }, "Show more");
    const box = { class: "scroll report-box", tabindex: 0, role: "region", "aria-label": "Report" };
    const label = el("label", { class: "choice small" }, "Show", this.choice);
    this.element = el("div", { class: "stack", hidden: true }, label, el("div", box, table), this.more);
  }

  /** Replace what is told. bads: show those that were not added first. */
  fill(rows, { bads = false } = {}) {
    this.rows = rows;
    this.element.hidden = !rows.length;
    const chosen = bads ? BAD : this.choice.value;
    this.choice.replaceChildren(...this.options());
    this.choice.value = [...this.choice.options].some((one) => one.value === chosen) ? chosen : ALL;
    this.draw();
  }

  options() {
    const counts = new Map();
    for (const { outcome } of this.rows) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    const bads = this.rows.filter((row) => told(row).kind === "bad").length;
    const option = (value, text, count) => el("option", { value }, `${text} (${count.toLocaleString()})`);
    const each = [...counts].map(([outcome, count]) => option(`is ${outcome}`, told({ outcome }).title, count));
    const both = [option(ALL, "All", this.rows.length), bads ? option(BAD, "Not added", bads) : null];
    return [...both, ...each].filter(Boolean);
  }

  draw() {
    this.shown = PAGE;
    this.list();
  }

  grow() {
    const before = this.body.rows.length;
    this.shown += PAGE;
    this.list();
    this.body.rows[before]?.scrollIntoView({ block: "nearest" });
  }

  list() {
    const { value } = this.choice;
    const wanted = this.rows.filter((row) =>
      value === ALL ? true : value === BAD ? told(row).kind === "bad" : value === `is ${row.outcome}`,
    );
    this.body.replaceChildren(...wanted.slice(0, this.shown).map(line));
    this.more.hidden = wanted.length <= this.shown;
  }
}

function line(row) {
  const { kind, title, advice } = told(row);
  const like = row.resembles
    ? el("p", {}, "Looks like ", named(row.resembles.name), ": the same person under two names?")
    : null;
  const cells = [
    el("bdi", {}, row.source),
    row.name ? named(row.name) : "—",
    [
      el("span", { class: `badge ${BADGES[kind]}` }, title),
      advice && kind === "bad" && el("p", { class: "muted small" }, advice),
      like,
    ],
  ];
  return el(
    "tr",
    {},
    cells.map((cell) => el("td", {}, cell)),
  );
}
