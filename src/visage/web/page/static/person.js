// A person: every face that is enrolled of them; renamed, corrected, added to, erased.

import { api, el, formatDate, Problem, session, toast, words } from "./visage.js";
import { address, counted, empty, named, personPath, portrait, Selection } from "./people-parts.js";
import { did, erase, eraseFaces, hide, moveFaces, renamed } from "./people-change.js";
import { Changes } from "./history.js";
import { addPhotos } from "./people-add.js";

const id = decodeURIComponent(location.pathname.split("/").pop());
const collection = new URLSearchParams(location.search).get("collection") ?? "";
const path = address(`/v1/people/${encodeURIComponent(id)}`, { collection });

const page = document.getElementById("person");
const trouble = document.getElementById("trouble");
const heading = document.getElementById("name");
const form = document.getElementById("rename-form");
const rename = document.getElementById("rename");
const selection = session().can("enroll") ? new Selection(document.getElementById("selection"), "face") : null;

// From this score on a face is good, or fair; see core/quality.py for how it is made.
const GOOD = 0.55;
const FAIR = 0.3;

// Letters of a name from which on it is set smaller.
const LONG = 40;

let person = null;
let version = null;
const past = new Changes(document.getElementById("history"), { collection, person: id, changed: load });

async function load() {
  try {
    [person, version] = await read();
    show();
  } catch (error) {
    page.hidden = true;
    trouble.replaceChildren(failed(error));
  }
  past.load();
}

/** The person as the service has them now, and the ETag that says which state that is. */
async function read() {
  const response = await fetch(path, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!response.ok) return [await api("GET", path), null]; // which says what is wrong
  return [await response.json(), response.headers.get("ETag")];
}

function show() {
  document.title = `${person.name} · Visage`;
  heading.replaceChildren(named(person.name));
  heading.classList.toggle("long", person.name.length > LONG);
  const seen = person.face_list.find((face) => face.id === person.cover) ?? person.face_list.find((face) => face.crop);
  document.getElementById("cover").replaceChildren(portrait(seen?.id, collection));
  const since = [counted(person.faces, "face"), ", here since ", formatDate(person.created)];
  document.getElementById("facts").replaceChildren(...since);
  document.getElementById("faces").replaceChildren(...person.face_list.map(face));
  const back = document.getElementById("back");
  back.href = address("/people", { collection });
  const others = document.getElementById("of");
  others.hidden = !collection;
  others.textContent = collection;
  document.getElementById("is-hidden").hidden = !person.hidden;
  if (selection) {
    document.getElementById("hide").hidden = person.hidden;
    document.getElementById("unhide").hidden = !person.hidden;
  }
  selection?.clear();
  trouble.replaceChildren();
  page.hidden = false;
}

function face(one, index) {
  const { kind, title, reasons } = judged(one.quality);
  const alt = `Face ${index + 1} of ${person.name}`;
  const picture = portrait(one.crop ? one.id : null, collection, alt);
  const pick = selection
    ? el("span", { class: "pick" }, selection.checkbox(one, `Select face ${index + 1}, from ${one.source}`))
    : null;
  return el(
    "li",
    { class: "face" },
    el(selection ? "label" : "div", { class: "frame" }, picture, pick),
    el("p", {}, el("span", { class: `badge ${kind}` }, title), el("span", { class: "muted small" }, ` ${reasons}`)),
    el("p", { class: "small source", title: one.source }, el("bdi", {}, one.source.split(/[/\\]/).pop())),
    el("p", { class: "muted small" }, formatDate(one.created)),
  );
}

/** How well a face will do, in words. */
function judged({ size, sharpness, yaw, pitch, score }) {
  const reasons = [`${Math.round(size)} pixels`];
  if (sharpness < 0.4) reasons.push("not sharp");
  if (Math.abs(yaw) > 25) reasons.push("turned aside");
  if (Math.abs(pitch) > 25) reasons.push(pitch > 0 ? "looks down" : "looks up");
  const [kind, title] = score >= GOOD ? ["good", "Good"] : score >= FAIR ? ["", "Fair"] : ["warn", "Poor"];
  return { kind, title, reasons: reasons.join(", ") };
}

function failed(error) {
  const gone = error instanceof Problem && error.status === 404;
  const title = gone ? "This person is not here any more" : "That did not work";
  const text = gone ? "They were deleted, or merged into somebody else. What can be undone of it is below." : words(error);
  const back = el("a", { class: "button primary", href: address("/people", { collection }) }, "To all people");
  return empty(gone ? "question" : "warning", el("h1", {}, title), el("p", { class: "lead" }, text), back);
}

function edit(editing) {
  form.hidden = !editing;
  document.getElementById("title").classList.toggle("unseen", editing); // a page keeps its heading
  rename.hidden = editing;
  document.getElementById("rename-said").textContent = "";
  if (editing) {
    form.elements.name.value = person.name;
    form.elements.name.select();
  } else {
    rename.focus();
  }
}

async function save() {
  const name = form.elements.name.value.trim();
  if (name === person.name) return edit(false);
  try {
    await renamed(person, name, collection, version);
    edit(false);
    await load();
    did("Renamed.", person, collection);
  } catch (error) {
    if (error.status !== 412) {
      document.getElementById("rename-said").textContent = words(error);
      return form.elements.name.focus();
    }
    edit(false);
    await load();
    toast("Somebody else changed this person meanwhile. This is how they are now; look, then change it again.", "bad");
  }
}

/** After faces left: they may have been the last. */
async function left(gone, owner = null) {
  if (!gone) return;
  if (gone < person.faces) return load();
  location.assign(owner ? personPath(owner, collection) : address("/people", { collection }));
}

async function move() {
  const faces = [...selection.values()];
  const owner = await moveFaces(person, faces, collection);
  if (owner) await left(faces.length, owner);
}

rename?.addEventListener("click", () => edit(true));
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
form?.addEventListener("keydown", (event) => event.key === "Escape" && edit(false));
document.getElementById("rename-cancel")?.addEventListener("click", () => edit(false));
document
  .getElementById("add")
  ?.addEventListener("click", async () => (await addPhotos({ collection, person })) && load());
document.addEventListener("undone", load);
const looks = document.getElementById("looks");
if (looks) looks.href = address("/system", { person: id });
for (const [button, hidden] of Object.entries({ hide: true, unhide: false })) {
  document.getElementById(button)?.addEventListener("click", async () => {
    if (!(await hide([person], collection, hidden))) return;
    await load();
    document.getElementById(hidden ? "unhide" : "hide").focus(); // in place of the one that is gone
  });
}
document.getElementById("move")?.addEventListener("click", move);
document
  .getElementById("erase-faces")
  ?.addEventListener("click", async () => left(await eraseFaces(person, [...selection.values()], collection)));
document
  .getElementById("erase")
  ?.addEventListener("click", async () => (await erase([person], collection)) && left(person.faces));

load();
