// The audit log: who did what, newest first; of one kind, about one person, or all of it as a file.

import { address, counted, named } from "./people-parts.js";
import { api, el, formatDate, icon, toast, words } from "./visage.js";

const PAGE = 25;
const MOST = 1000;
// Names that stand in a row; the others open below them.
const NAMES = 6;

const ACTIONS = {
  enroll: "Enrolled",
  bulk: "Enrolled many",
  search: "Searched",
  look: "Looked at",
  rename: "Renamed",
  merge: "Merged",
  move: "Moved faces",
  hide: "Hid",
  unhide: "Showed again",
  name: "Named somebody unknown",
  ignore: "Ignored somebody unknown",
  restore: "Brought somebody unknown back",
  "not-a-face": "Said it is no face",
  deny: "Said it is somebody else",
  correct: "Put an answer right",
  undo: "Undid a change",
  erase: "Erased",
};

const place = (id) => document.getElementById(id);
const action = place("audit-action");
const rows = place("audit-rows");
const more = place("audit-more");
const said = place("audit-said");
const here = new URLSearchParams(location.search);

let person = here.get("person") ?? "";
let next = null;
let asked = 0; // the newest question wins, whichever answer comes last

function query(limit, cursor) {
  return address("/v1/audit", { action: action.value, person, limit, cursor });
}

async function load(onward = false) {
  const mine = ++asked;
  const made = [];
  let cursor = onward ? next : "";
  try {
    do {
      const page = await api("GET", query(PAGE, cursor));
      made.push(...page.entries);
      cursor = page.next;
    } while (cursor && !made.length && mine === asked);
  } catch (error) {
    if (mine === asked) said.textContent = words(error);
    return;
  }
  if (mine !== asked) return;
  if (!onward) rows.replaceChildren();
  rows.append(...made.map(row));
  next = cursor;
  more.hidden = !next;
  said.textContent = rows.children.length ? "" : "Nothing of that kind is in the log.";
  place("audit-table").hidden = !rows.children.length;
}

function row(entry) {
  const who = entry.by ?? (entry.account || "Somebody on this machine");
  return el(
    "tr",
    {},
    el("td", { class: "muted small" }, formatDate(entry.at)),
    el("td", {}, who),
    el("td", {}, ACTIONS[entry.action] ?? entry.action),
    el("td", {}, whom(entry)),
  );
}

function whom({ people, faces, jobs, collection }) {
  const known = people.filter((one) => one.name !== null);
  const gone = people.length - known.length;
  const links = known.map((one) => el("a", { href: address(`/people/${encodeURIComponent(one.id)}`, { collection }) }, named(one.name)));
  const rest = [
    gone && counted(gone, "person who is gone", "people who are gone"),
    faces && counted(faces, "face"),
    jobs.length && counted(jobs.length, "job"),
  ];
  const notes = rest.filter(Boolean).join(", ");
  const others = links.slice(NAMES);
  const more = others.length > 0 && el("details", {}, el("summary", { class: "muted small" }, `and ${counted(others.length, "other")}`), others);
  return el("div", { class: "names" }, links.slice(0, NAMES), notes && el("span", { class: "muted small" }, notes), more);
}

/** All of it that the filter lets through, as a file of JSON lines, with ids in place of names as it is stored. */
async function download(event) {
  const button = event.currentTarget;
  button.disabled = true;
  const lines = [];
  try {
    let cursor = "";
    do {
      const page = await api("GET", query(MOST, cursor));
      for (const { by: _by, people, ...entry } of page.entries) {
        lines.push(`${JSON.stringify({ ...entry, people: people.map((one) => one.id) })}\n`);
      }
      cursor = page.next;
      said.textContent = `${counted(lines.length, "entry", "entries")} read…`;
    } while (cursor);
    const url = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
    el("a", { href: url, download: "visage-audit.jsonl" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    said.textContent = `${counted(lines.length, "entry", "entries")} saved.`;
  } catch (error) {
    toast(words(error), "bad");
  } finally {
    button.disabled = false;
  }
}

/** Which person the log is about, if it is one, and a way to see everybody again. */
function about() {
  const chip = place("audit-person");
  chip.hidden = !person;
  const clear = el("button", { type: "button", class: "quiet small", onclick: everybody }, icon("close"), "Everybody");
  chip.replaceChildren(el("span", { class: "badge accent" }, "One person alone"), clear);
}

function everybody() {
  person = "";
  history.replaceState(null, "", "/system");
  about();
  load();
}

action.append(...Object.entries(ACTIONS).map(([value, title]) => el("option", { value }, title)));
action.addEventListener("change", () => load());
more.addEventListener("click", () => load(true));
place("audit-refresh").addEventListener("click", () => load());
place("audit-save").addEventListener("click", download);
about();
load();
if (person) place("audit").scrollIntoView();
