// System: health first, then what the service is made of and what it keeps.

import { showGauges } from "./gauges.js";
import { count, plural, sentence } from "./text.js";
import { api, el, formatBytes, formatDate, formatDuration, icon, session, words } from "./visage.js";

// Seconds between two looks.
const PAUSE = 5;

const ROLES = {
  read: "see answers of its own jobs, and the people",
  recognize: "also hand in photos and videos",
  enroll: "also add and change people",
  admin: "do everything, also erase people",
};
const LEVELS = {
  problem: ["bad", "warning", "Problem"],
  warning: ["warn", "warning", "Warning"],
  advice: ["", "info", "Advice"],
};

const place = (id) => document.getElementById(id);
let shown = {};
let timer = null;

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    show(await api("GET", "/v1/system"));
    place("trouble").hidden = true;
  } catch (error) {
    say(error);
  }
  timer = setTimeout(look, 1000 * PAUSE);
}

function say(error) {
  place("trouble").replaceChildren(icon("warning"), el("p", {}, words(error)));
  place("trouble").hidden = false;
}

function show(system) {
  showGauges(place("gauges"), system);
  part("findings", system.findings, findings);
  part("people", system.collections, people);
  part("storage", [system.storage, system.keep_days], ([storage, days]) => kept(storage, days));
  part("limits", system.limits, limits);
  part("keys", system.keys, keys);
  place("version").textContent = `Visage ${system.version}`;
}

/** Fill a part of the page, if what it shows has changed. */
function part(id, data, make) {
  const text = JSON.stringify(data);
  if (shown[id] === text) return;
  shown[id] = text;
  place(id).replaceChildren(...[make(data)].flat());
  place(id).removeAttribute("aria-busy");
}

function findings(found) {
  const order = ["problem", "warning", "advice"];
  const sorted = [...found].sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  const well = found.some((one) => one.level !== "advice")
    ? []
    : [el("li", { class: "notice good" }, icon("check"), el("div", {}, el("p", {}, el("strong", {}, "All is well."))))];
  return [...well, ...sorted.map(finding)];
}

function finding({ level, what, remedy }) {
  const [kind, symbol, title] = LEVELS[level];
  const text = el("p", {}, el("span", { class: "unseen" }, `${title}: `), sentence(what));
  return el(
    "li",
    { class: `notice ${kind}` },
    icon(symbol),
    el("div", {}, text, remedy && el("p", { class: "muted" }, commands(remedy))),
  );
}

/** A text with what is to be typed in it (visage …, VISAGE_…) set apart. */
function commands(text) {
  const typed = /\b(visage(?: [a-z]+(?:-[a-z0-9]+)*){1,3}(?: [a-z]+-[0-9]+| NAME)?|VISAGE_[A-Z_]+)/g;
  return /^visage /.test(text) ? ["To mend it: ", el("code", {}, text)] : split(text, typed);
}

function split(text, pattern) {
  return text.split(pattern).map((piece, at) => (at % 2 ? el("code", {}, piece) : piece));
}

function people(collections) {
  if (collections === null) return el("p", { class: "muted" }, "The gallery does not answer.");
  if (!collections.length) {
    return [
      el("p", { class: "muted" }, "Nobody is enrolled yet, so nobody can be recognized."),
      session().can("enroll") ? el("a", { class: "button", href: "/people" }, icon("person-add"), "Add people") : [],
    ].flat();
  }
  const rows = collections.map(({ name, people, faces, model }) => [
    name,
    count(people),
    count(faces),
    model ?? "none",
  ]);
  return table(["Collection", "People", "Faces", "Measured by"], rows, [1, 2]);
}

function kept({ inputs, outputs }, days) {
  const size = (store) => (store ? `${formatBytes(store.bytes)} in ${plural(store.objects, "file")}` : "not known yet");
  return [
    facts([
      ["Photos and videos", size(inputs)],
      ["Answers", size(outputs)],
    ]),
    el("p", { class: "muted" }, `Both are deleted after ${plural(days, "day")}; people stay until they are erased.`),
  ];
}

function limits(known) {
  return facts([
    ["Upload", `${formatBytes(known.max_upload)} at most`],
    ["File", `${formatBytes(known.max_bytes)} at most`],
    ["Photo", `${count(Math.round(known.max_pixels / 1e6))} megapixels at most`],
    ["Video", `${length(known.max_seconds)} at most`],
    ["Waiting jobs", `${count(known.max_backlog)}, then new ones are refused`],
    ["An answer", `is waited for ${formatDuration(known.request_seconds)}, then shows up under Jobs`],
  ]);
}

function keys(known) {
  if (known === null) return el("p", { class: "muted" }, "Only keys with the role admin are shown this.");
  if (!known.length) {
    return el(
      "p",
      { class: "muted" },
      split(
        "Programs on this machine, without a key. To let others in, make keys: `visage keys create NAME`",
        /`([^`]+)`/,
      ),
    );
  }
  const rows = known.map(({ name, role, created, revoked }) => [
    name,
    [
      el("span", { class: revoked === null ? "badge accent" : "badge" }, revoked === null ? role : "revoked"),
      el("span", { class: "muted small role" }, revoked === null ? `May ${ROLES[role]}.` : formatDate(revoked)),
    ],
    formatDate(created),
  ]);
  return table(["Name", "Role", "Made"], rows);
}

function model({ title, name, kind, license, source, notes, accuracy, installed, in_use: inUse }) {
  const here = installed ? ["", "installed"] : [inUse ? "bad" : "", "not installed"];
  const state = inUse && installed ? ["good", "in use"] : here;
  const measured = Object.entries(accuracy);
  return el(
    "li",
    { class: "card stack model" },
    el("div", { class: "row apart" }, el("h3", {}, title), el("span", { class: `badge ${state[0]}` }, state[1])),
    facts([
      ["Name", el("code", {}, name)],
      ["Kind", kind],
      ["License", license],
      ["Source", source],
    ]),
    notes && el("p", { class: "muted small" }, notes),
    measured.length > 0 && el("details", {}, el("summary", {}, "How good it is"), facts(measured)),
    !installed && el("p", { class: "muted small" }, "To install it: ", el("code", {}, `visage models fetch ${name}`)),
  );
}

function facts(pairs) {
  return el(
    "dl",
    { class: "facts" },
    pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );
}

function table(titles, rows, numbers = []) {
  const cell = (tag, content, at) =>
    el(tag, { class: numbers.includes(at) && "number right", scope: tag === "th" && "col" }, content);
  const head = el(
    "thead",
    {},
    el(
      "tr",
      {},
      titles.map((title, at) => cell("th", title, at)),
    ),
  );
  const body = el(
    "tbody",
    {},
    rows.map((row) =>
      el(
        "tr",
        {},
        row.map((content, at) => cell("td", content, at)),
      ),
    ),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": titles[0] },
    el("table", {}, head, body),
  );
}

const length = (seconds) => (seconds % 3600 ? formatDuration(seconds) : plural(seconds / 3600, "hour"));

async function begin() {
  document.addEventListener("visibilitychange", look);
  look();
  try {
    const { models } = await api("GET", "/v1/models");
    part(
      "models",
      models.sort((a, b) => b.in_use - a.in_use || b.installed - a.installed),
      (all) => all.map(model),
    );
  } catch (error) {
    say(error);
  }
}

begin();
