// Unknown: who was seen and matched nobody, a card for each; named, put aside, or told apart.

import { api, el, icon, session, words } from "./visage.js";
import { address, counted, empty } from "./people-parts.js";
import { Paging } from "./paging.js";
import { Stranger } from "./unknown-card.js";

const PAGE = 24;
const AGAIN = 3000; // ms, after which who is shown nobody yet, while faces are put together, is shown who there is

const byId = (id) => document.getElementById(id);
const [list, more, state, found, filter, chooser] = ["strangers", "more", "state", "found", "filter", "collection"].map(byId);
const here = new URLSearchParams(location.search);

let collection = here.get("collection") ?? "";
let total = 0;
let again = 0; // the timer until it is asked anew

const chosen = () => filter.querySelector(":checked").value;

const pages = new Paging({ list, more, read, failed: (error) => state.replaceChildren(failed(error)) });
const load = () => pages.load();

/** A page of those who are chosen. */
async function read(cursor, signal) {
  const path = address("/v1/unknown", { state: chosen(), collection, limit: PAGE, cursor });
  const page = await api("GET", path, { signal });
  if (!cursor) list.replaceChildren();
  list.append(...page.clusters.map((one) => new Stranger(one, { collection, gone, anew }).element));
  total = page.total;
  tell(page);
  return page.next;
}

function tell({ enabled, days, grouping }) {
  byId("tools").hidden = !enabled;
  state.replaceChildren(...(!enabled ? [off()] : grouping ? [underWay()] : total ? [] : [nobody(days)]));
  said();
  clearTimeout(again);
  if (grouping && !list.children.length) again = setTimeout(load, AGAIN);
}

function underWay() {
  return el("p", { class: "muted" }, "Faces are still being put together; there will be more in a while.");
}

function said() {
  const shown = list.children.length;
  const rest = shown < total ? `; ${shown.toLocaleString()} shown` : "";
  found.textContent = total ? `${counted(total, "person", "people")}${rest}` : "";
  found.hidden = !total;
}

function off() {
  const text = "Visage can keep the faces that match nobody for some days, put together by who they are, to be named here.";
  const how = el("p", { class: "muted" }, "Whoever runs it switches that on with a number of days, as in ", el("code", {}, "VISAGE_UNKNOWN_DAYS=30"), ".");
  return empty("unknown", el("h2", {}, "Unknown faces are not kept"), el("p", { class: "lead" }, text), how);
}

function nobody(days) {
  const kept = counted(days, "day");
  const [title, text] = {
    new: ["Nobody is unknown", `Whoever matches nobody in a photo or video waits here for ${kept} to be named.`],
    ignored: ["Nobody is ignored", "Whom you ignore is kept here, and does not come back among the new ones."],
    "not-a-face": ["Nothing is here", "What was taken for a face and is none is kept here, so that it does not come back."],
  }[chosen()];
  const go = chosen() === "new" && session().can("recognize") && el("a", { class: "button primary", href: "/" }, icon("face"), "Recognize photos");
  return empty("unknown", el("h2", {}, title), el("p", { class: "lead" }, text), go);
}

function failed(error) {
  const button = el("button", { type: "button", onclick: load }, icon("retry"), "Try again");
  return el("div", { class: "notice bad", role: "alert" }, icon("warning"), el("div", {}, el("p", {}, words(error)), el("p", {}, button)));
}

/** A card has done its service; the next one is gone on with. */
function gone(element) {
  const after = element.nextElementSibling ?? element.previousElementSibling;
  element.remove();
  total -= 1;
  if (!list.children.length) return anew();
  said();
  (after?.querySelector("input") ?? after?.querySelector("button") ?? byId("title")).focus();
}

/** Everything from the start: what changed one card may have changed others. */
async function anew() {
  history.replaceState(null, "", address("/unknown", { state: chosen() === "new" ? "" : chosen(), collection }));
  await load();
  byId("title").focus({ preventScroll: true });
}

async function collections() {
  const own = session().collection;
  const { collections: known } = await api("GET", "/v1/collections").catch(() => ({ collections: [] }));
  const names = [...new Set([own, collection || own, ...known.map((one) => one.name)])];
  if (names.length < 2) return;
  chooser.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
  chooser.value = collection || own;
  chooser.parentElement.hidden = false;
}

function begin() {
  const asked = [...filter.querySelectorAll("input")].find((one) => one.value === here.get("state"));
  if (asked) asked.checked = true;
  filter.addEventListener("change", anew);
  chooser.addEventListener("change", () => {
    collection = chooser.value === session().collection ? "" : chooser.value;
    anew();
  });
  collections();
  load();
}

begin();
