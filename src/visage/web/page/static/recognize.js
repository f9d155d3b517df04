// Recognize: files come in by dropping, pasting, choosing or the camera; a card for each says who is in it.

import { api, el, formatDuration, formatPercent, icon, session } from "./visage.js";
import { ask, explained, isVideo } from "./asking.js";
import { takePhoto } from "./camera.js";
import { filmAnswer, player } from "./film.js";
import { photoAnswer, preview } from "./photo.js";

const AT_ONCE = 2;
const MOST_CARDS = 60;

const byId = (id) => document.getElementById(id);
const results = byId("results");
const waiting = [];
let working = 0;

function take(files) {
  for (const file of files) {
    waiting.push(cardOf(file));
    if (results.childElementCount > MOST_CARDS) results.lastElementChild.dispatchEvent(new Event("drop-card"));
  }
  byId("drop").classList.toggle("slim", results.childElementCount > 0);
  next();
}

function next() {
  while (working < AT_ONCE && waiting.length) {
    working += 1;
    waiting.shift()().finally(() => {
      working -= 1;
      next();
    });
  }
}

/** Puts a card for the file on the page; what looks at the file. */
function cardOf(file) {
  const film = isVideo(file);
  const url = URL.createObjectURL(file);
  const ended = new AbortController();
  const gone = el("button", { type: "button", class: "quiet round", "aria-label": `Remove ${file.name}` }, icon("close"));
  const heading = el("h2", {}, file.name);
  const body = el("div", { class: "body" });
  const card = el("article", { class: `card result${film ? " of-film" : ""}` },
    el("header", {}, icon(film ? "video" : "picture"), heading, gone), body);
  const remove = () => {
    ended.abort(new DOMException("removed", "AbortError"));
    URL.revokeObjectURL(url);
    card.remove();
    byId("drop").classList.toggle("slim", results.childElementCount > 0);
  };
  gone.addEventListener("click", () => {
    remove();
    byId("choose").focus();
  });
  card.addEventListener("drop-card", remove);
  results.prepend(card);
  const { query, collection } = options();
  const view = film ? player(file, url) : preview(file, url);
  const status = statusOf(film);
  body.append(view.figure, status.box);

  let shown = status.box;
  /** place: of the face that was just put right, to be gone on with. */
  const show = async (answer, job, place = null) => {
    const context = { answer, job, collection, corrected: (now, at) => show(now, job, at) };
    const found = film ? await filmAnswer(view, url, context) : await photoAnswer(view, context);
    const text = summary(answer);
    const next = el("div", { class: "stack found" }, el("p", { class: "summary" }, text), hints(answer), found);
    shown.replaceWith(next);
    shown = next;
    byId("said").textContent = `${file.name}: ${text}`;
    if (place !== null) (next.querySelector(`[data-place="${place}"]`) ?? next).querySelector("button")?.focus();
  };

  const look = async () => {
    if (ended.signal.aborted) return;
    try {
      const { answer, job } = await ask(file, query, { sent: status.sent, state: status.state, signal: ended.signal });
      await show(answer, job);
    } catch (error) {
      if (error.name === "AbortError") return;
      const { box, retry } = failure(error, file);
      body.classList.add("failed");
      status.box.replaceWith(box);
      retry?.addEventListener("click", () => {
        remove();
        take([file]);
      });
    }
  };
  return look;
}

/** The bar and the words while there is no answer. */
function statusOf(film) {
  const bar = el("progress", { max: 1, "aria-label": "Progress" });
  const text = el("p", { class: "muted" }, "Waiting for its turn…");
  let first = null;
  const left = (share) => {
    const now = performance.now() / 1000;
    first ??= { now, share };
    const done = share - first.share;
    return done > 0.02 ? ` · ${formatDuration(((now - first.now) / done) * (1 - share))} left` : "";
  };
  const sent = (share) => {
    if (film && share < 1) bar.value = share;
    else bar.removeAttribute("value");
    text.textContent = share < 1 ? `Sending… ${formatPercent(share)}` : "Looking for faces…";
  };
  const state = ({ status, progress }) => {
    if (status === "queued") text.textContent = "Waiting for its turn…";
    if (status === "away") text.textContent = "The service does not answer. The file is there; asking again…";
    if (status !== "running" || !progress) return;
    bar.value = progress.progress;
    text.textContent = `Looking at the video… ${formatPercent(progress.progress)}${left(progress.progress)}`;
  };
  return { box: el("div", { class: "stack status" }, text, bar), sent, state };
}

function summary({ names, faces, people, media }) {
  const known = people.filter((person) => person.person_id !== null).map((person) => person.name);
  const strangers = faces.filter((face) => !face.match).length;
  if (!faces.length) return media[0].duration ? "No face was found in this video." : "No face was found in this photo.";
  const parts = [...known];
  if (strangers) parts.push(media[0].duration || !names ? "somebody unknown" : strangers === 1 ? "one unknown face" : `${strangers} unknown faces`);
  const text = new Intl.ListFormat("en").format(parts);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function hints({ rule, media, faces }) {
  const said = [];
  if (rule && !rule.enrolled && faces.length) {
    said.push(notice("info", "Nobody is known here yet", "Add the people it should know.", el("a", { href: "/people" }, "Go to People")));
  }
  if (media[0].problem) said.push(notice("warn", "The file is damaged", media[0].problem));
  return said;
}

function notice(kind, title, text, ...more) {
  const symbol = kind === "info" ? "info" : "warning";
  return el("div", { class: `notice ${kind}` }, icon(symbol), el("div", {}, el("strong", {}, title), el("p", {}, text), more));
}

function failure(error, file) {
  const { title, text, people, again } = explained(error, file);
  const retry = again && el("button", { type: "button", class: "small" }, icon("retry"), "Try again");
  const link = people && el("a", { href: "/people" }, "Go to People");
  const said = notice("bad", title, text, link, retry && el("div", {}, retry));
  said.setAttribute("role", "alert");
  return { box: said, retry };
}

function options() {
  const collection = byId("collection").value;
  const chosen = new URLSearchParams(byId("strictness").value);
  chosen.set("collection", collection);
  return { query: chosen.toString(), collection };
}

function showChosen() {
  const strictness = byId("strictness");
  const words = [];
  if (byId("collection").selectedIndex > 0) words.push(byId("collection").value);
  if (strictness.selectedIndex > 0) words.push(strictness.selectedOptions[0].textContent.split(":")[0]);
  byId("chosen").textContent = words.join(" · ");
}

/** The other collections, once somebody looks for them. */
async function fillCollections() {
  const select = byId("collection");
  const { collections } = await api("GET", "/v1/collections").catch(() => ({ collections: [] }));
  const others = collections.map(({ name }) => name).filter((name) => name !== session().collection);
  select.append(...others.map((name) => el("option", { value: name }, name)));
}

function acceptDrops() {
  const root = document.documentElement;
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const veil = (change) => {
    depth = Math.max(0, depth + change);
    root.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragenter", (event) => carries(event) && veil(1));
  document.addEventListener("dragleave", (event) => carries(event) && veil(-1));
  document.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil(-depth);
    take(event.dataTransfer.files);
  });
}

function begin() {
  if (!session().can("recognize")) {
    const text = "Your key may look, but not hand in pictures. Ask whoever runs this service for another one.";
    byId("drop").className = "refused";
    byId("drop").replaceChildren(notice("warn", "You may not do this", text));
    byId("options").hidden = true;
    return;
  }
  acceptDrops();
  byId("choose").addEventListener("click", () => byId("files").click());
  const files = byId("files");
  const chosen = () => {
    take(files.files);
    files.value = "";
  };
  files.addEventListener("change", chosen);
  if (files.files.length) chosen(); // before this script was there
  byId("camera").addEventListener("click", async () => {
    const photo = await takePhoto();
    if (photo) take([photo]);
  });
  document.addEventListener("paste", (event) => event.clipboardData.files.length && take(event.clipboardData.files));
  byId("options").addEventListener("toggle", fillCollections, { once: true });
  byId("options").addEventListener("change", showChosen);
}

begin();
