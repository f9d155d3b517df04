// People: everybody who is enrolled, found as one types, added, merged, renamed, erased.

import { api, el, icon, session, words } from "./visage.js";
import { address, counted, empty, named, personPath, portrait, Selection } from "./people-parts.js";
import { erase, hide, merge, rename } from "./people-change.js";
import { Changes } from "./history.js";
import { addPhotos } from "./people-add.js";
import { addMany } from "./people-many.js";
import { Paging } from "./paging.js";

const PAUSE = 150;
const PAGE = 48;

const found = document.getElementById("found");
const grid = document.getElementById("grid");
const search = document.getElementById("search");
const chooser = document.getElementById("collection");
const state = document.getElementById("state");
const here = new URLSearchParams(location.search);

const mayEnroll = session().can("enroll");
const bar = document.getElementById("selection");
const selection = mayEnroll ? new Selection(bar, "person", "people", hiding) : null;
const past = document.getElementById("history");
const opener = document.getElementById("history-open");
const everybody = document.getElementById("show-hidden");

let collection = here.get("collection") ?? "";
const pages = new Paging({
  list: grid,
  more: document.getElementById("more"),
  read,
  failed: (error) => state.replaceChildren(failed(error)),
});
const load = () => pages.load();

/** A page of those who match. */
async function read(cursor, signal) {
  const q = search.value.trim();
  const hidden = everybody.checked ? "include" : "";
  const path = address("/v1/people", { q, collection, hidden, limit: PAGE, cursor });
  const answer = await api("GET", path, { signal });
  if (!cursor) grid.replaceChildren();
  grid.append(...answer.people.map(card));
  state.replaceChildren();
  tell(answer.total, q);
  if (!answer.total && !q && !everybody.checked) await tellHidden(signal);
  return answer.next;
}

function tell(total, q) {
  const shown = grid.children.length;
  document.getElementById("tools").hidden = !total && !q && chooser.parentElement.hidden;
  if (!total) state.replaceChildren(q ? nobody(q) : first());
  const rest = shown < total ? `; ${shown.toLocaleString()} shown` : "";
  found.textContent = total ? `${counted(total, "person", "people")}${q ? " found" : ""}${rest}` : "";
}

/** Nobody is shown: perhaps everybody is hidden. */
async function tellHidden(signal) {
  const path = address("/v1/people", { collection, hidden: "only", limit: 1 });
  const { total } = await api("GET", path, { signal });
  if (!total) return;
  document.getElementById("tools").hidden = false;
  const show = () => everybody.click();
  const title = el("h2", {}, "Everybody here is hidden");
  const text = `${counted(total, "person", "people")} whom no answer names.`;
  const button = el("button", { type: "button", onclick: show }, "Show them");
  state.replaceChildren(empty("hide", title, el("p", { class: "muted" }, text), button));
}

function card(person) {
  const link = el(
    "a",
    { href: personPath(person, collection) },
    portrait(person.cover, collection),
    el(
      "span",
      { class: "text" },
      named(person.name),
      el("span", { class: "muted small" }, counted(person.faces, "face"), person.hidden && ", hidden"),
    ),
  );
  const pick = selection ? el("label", { class: "pick" }, selection.checkbox(person, `Select ${person.name}`)) : null;
  return el("li", { class: person.hidden ? "person hidden" : "person", dataset: { id: person.id } }, link, pick);
}

function first() {
  const title = el("h2", {}, "Nobody is here yet");
  if (!mayEnroll) {
    const text =
      "Whoever has a key with the role enroll can add people. After that they are found in photos and videos.";
    return empty("people", title, el("p", { class: "lead" }, text));
  }
  const text = "Give a name, and two or three photos of them. After that they are found in other photos and videos.";
  const button = el(
    "button",
    { class: "primary", type: "button", onclick: add },
    icon("person-add"),
    "Add the first person",
  );
  const hint = el("p", { class: "muted" }, "Photos of many people, in a folder each? Add many takes them all at once.");
  return empty("people", title, el("p", { class: "lead" }, text), button, hint);
}

function nobody(q) {
  const clear = () => {
    search.value = "";
    search.focus();
    again();
  };
  const title = el("h2", {}, "Nobody is called “", el("bdi", {}, q), "”");
  const button = el("button", { type: "button", onclick: clear }, "Show everybody");
  return empty("search", title, el("p", { class: "muted" }, "Any part of a name will do."), button);
}

function failed(error) {
  const button = el("button", { type: "button", onclick: load }, icon("retry"), "Try again");
  return el(
    "div",
    { class: "notice bad", role: "alert" },
    icon("warning"),
    el("div", {}, el("p", {}, words(error)), el("p", {}, button)),
  );
}

/** From the start, with an address that shows the same when it is loaded anew. */
function again() {
  const q = search.value.trim();
  history.replaceState(null, "", address("/people", { q, collection }));
  return load();
}

async function collections() {
  const own = session().collection;
  const choices = [];
  try {
    choices.push(...(await api("GET", "/v1/collections")).collections);
  } catch {
    return; // the list of people says what is wrong
  }
  const chosen = collection || own;
  const names = [...new Set([own, chosen, ...choices.map((one) => one.name)])];
  if (names.length < 2) return;
  const sizes = new Map(choices.map((one) => [one.name, one.people]));
  const option = (name) => el("option", { value: name }, `${name} (${(sizes.get(name) ?? 0).toLocaleString()})`);
  chooser.replaceChildren(...names.map(option));
  chooser.value = chosen;
  chooser.parentElement.hidden = false;
  document.getElementById("tools").hidden = false;
}

async function add() {
  if (await addPhotos({ collection })) await changed();
}

async function many() {
  if (await addMany({ collection })) await changed();
}

function changed() {
  selection?.clear();
  collections();
  if (!past.hidden) log.load();
  return again();
}

/** Of those who are selected: the buttons that would change something. */
function hiding(people) {
  const hidden = [...people.values()].map((person) => person.hidden);
  document.getElementById("hide").hidden = hidden.every(Boolean);
  document.getElementById("unhide").hidden = !hidden.some(Boolean);
}

let log = null;

/** Open or close the panel of what was changed. */
function showPast() {
  const open = opener.getAttribute("aria-expanded") !== "true";
  opener.setAttribute("aria-expanded", String(open));
  past.hidden = !open;
  if (open && !log) log = new Changes(past, { collection, changed });
  if (open) log.load();
}

/** Do it to those who are selected, and show what came of it. */
async function act(what) {
  if (!(await what([...selection.values()]))) return;
  await changed();
  // The button that was pressed is gone with the selection.
  if (document.activeElement === document.body) document.getElementById("title").focus({ preventScroll: true });
}

let timer = 0;
search.value = here.get("q") ?? "";
search.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(again, PAUSE);
});
chooser.addEventListener("change", () => {
  selection?.clear();
  collection = chooser.value === session().collection ? "" : chooser.value;
  if (log) Object.assign(log, { collection });
  if (!past.hidden) log.load();
  again();
});
everybody.addEventListener("change", () => {
  selection?.clear();
  load();
});
opener.addEventListener("click", showPast);
document.addEventListener("undone", changed);
document.getElementById("add")?.addEventListener("click", add);
document.getElementById("many")?.addEventListener("click", many);
document.getElementById("rename")?.addEventListener("click", () => act(([person]) => rename(person, collection)));
document.getElementById("merge")?.addEventListener("click", () => act((people) => merge(people, collection)));
document.getElementById("hide")?.addEventListener("click", () => act((people) => hide(people, collection, true)));
document.getElementById("unhide")?.addEventListener("click", () => act((people) => hide(people, collection, false)));
document.getElementById("erase")?.addEventListener("click", () => act((people) => erase(people, collection)));

collections();
load();
