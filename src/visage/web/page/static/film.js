// A video and who is in it: a line of time for each person, on which a click seeks.

import { el, formatDuration, formatTime } from "./visage.js";
import { correctors, placeOf } from "./corrections.js";
import { AS_ENROLLED, blank, cropOf, sureness, why } from "./faces.js";
import { unshown } from "./photo.js";

// So many times somebody is seen, and more, are drawn as thin as they are: made wide enough to be hit they would seem to
// fill the whole film.
const CROWDED = 30;

/** The player, while the video is being looked at: {figure, video, shown}. */
export function player(file, url) {
  const video = el("video", { src: url, controls: true, playsinline: true, preload: "auto", "aria-label": `The video ${file.name}` });
  video.muted = true;
  const figure = el("figure", { class: "picture" }, video);
  const shown = new Promise((resolve) => {
    video.addEventListener("loadeddata", () => resolve(true), { once: true });
    video.addEventListener("error", () => resolve(false), { once: true });
  });
  shown.then((can) => {
    if (!can) unshown(figure, "This browser cannot play the video; who is in it can be seen all the same.");
  });
  return { figure, video, shown };
}

/** What stands under the player. context: of `correctors`. */
export async function filmAnswer({ figure, video, shown }, url, context) {
  const can = await shown;
  const { answer } = context;
  const length = answer.media[0].duration || (can && video.duration) || 1;
  const seek = (time) => {
    if (!can) return;
    video.currentTime = time;
    figure.scrollIntoView({ block: "nearest" });
  };
  const rows = answer.people.map((person) => rowOf(person, { length, seek, context }));
  const list = el("ul", { class: "lines" }, rows.map(({ row }) => row));
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => el("span", {}, formatTime(Math.round(share * length))));
  const ends = el("div", { class: "ends muted small number", "aria-hidden": "true" }, length < 8 ? [marks[0], marks[4]] : marks);
  if (can) {
    const move = () => list.style.setProperty("--at", String(Math.min(1, video.currentTime / length)));
    video.ontimeupdate = video.onseeking = move; // in place of those of an answer before it was put right
    stills(url, rows);
  }
  return el("div", { class: "stack film" }, list, rows.length > 0 && ends);
}

function rowOf(person, { length, seek, context }) {
  const { answer, collection } = context;
  const known = person.person_id !== null;
  const seen = person.intervals.reduce((sum, [start, end]) => sum + Math.max(end - start, 0.1), 0);
  const name = el("span", { class: "name" }, known ? person.name : "Unknown");
  const said = el("span", { class: "muted small" }, known ? `${formatDuration(seen)} · ${sureness(person.best)}` : `${formatDuration(seen)} · everybody who is not known`);
  const spot = blank();
  const called = known ? person.name : "Unknown";
  const parts = person.intervals.map((interval) => partOf(interval, called, length, seek));
  const dense = parts.length > CROWDED ? "dense" : "";
  const track = el("div", { class: `track ${dense}`, role: "group", "aria-label": `When ${called} is seen` }, parts);
  roam(track, parts);
  track.addEventListener("click", (event) => {
    if (event.target === track) seek(((event.clientX - track.getBoundingClientRect().left) / track.clientWidth) * length);
  });
  const made = { person, spot, still: null };
  const more = el("div", { class: "row more" }, correctors(person.best, context), why(person.best, answer, () => (made.still ? copyOf(made.still) : blank()), collection));
  made.row = el("li", { class: known ? "" : "unknown", dataset: { place: placeOf(person.best, answer) } }, spot, el("div", { class: "words" }, name, said), track, more);
  return made;
}

function partOf([start, end], name, length, seek) {
  const style = { left: `${(start / length) * 100}%`, width: `${(Math.max(end - start, 0) / length) * 100}%` };
  const text = `${name}, from ${formatTime(start)} to ${formatTime(end)}`;
  const part = el("button", { type: "button", class: "part", style, "aria-label": text, title: text });
  part.addEventListener("click", () => seek(start));
  return part;
}

/** One of them is on the way of Tab, and the arrow keys go on to the others: a long video has hundreds. */
function roam(track, parts) {
  parts.forEach((part, at) => (part.tabIndex = at ? -1 : 0));
  track.addEventListener("keydown", (event) => {
    const at = parts.indexOf(event.target);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: parts.length - 1 }[event.key];
    if (at < 0 || !parts[next]) return;
    event.preventDefault();
    parts[at].tabIndex = -1;
    parts[next].tabIndex = 0;
    parts[next].focus();
  });
}

/** Each person's best face, out of the local file: one after the other, on a player that nobody sees. */
async function stills(url, rows) {
  const video = el("video", { preload: "auto" });
  video.muted = true;
  video.src = url;
  await new Promise((resolve) => video.addEventListener("loadeddata", resolve, { once: true }));
  for (const row of rows) {
    const { best } = row.person;
    const moved = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
    video.currentTime = best.time + 0.001;
    await moved;
    const size = { width: video.videoWidth, height: video.videoHeight };
    row.still = cropOf(video, size, best.box_ratio, AS_ENROLLED, 512);
    row.spot.replaceWith(cropOf(video, size, best.box_ratio));
  }
  video.removeAttribute("src");
}

function copyOf(canvas) {
  const copy = canvas.cloneNode();
  copy.getContext("2d").drawImage(canvas, 0, 0);
  return copy;
}
