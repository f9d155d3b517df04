// How busy queue and fleet are: figures that Jobs and System show.

import { count } from "./text.js";
import { el, formatDuration } from "./visage.js";

/** Show what /v1/system says in the element; the tiles stay the same elements, so that nothing flickers. */
export function showGauges(host, { queue, fleet }) {
  const workers = fleet?.workers ?? null;
  const tiles = [
    ["Waiting", queue ? count(queue.waiting) : "?", waited(queue)],
    ["In hand", queue ? count(queue.in_flight) : "?", "being worked at now"],
    [
      "Workers",
      workers === null ? "?" : count(workers),
      workersWords(fleet),
      workers === null ? null : [workers, fleet.max],
    ],
    ["Put aside", count(queue?.dead ?? 0), queue?.dead ? "could not be done" : "nothing went wrong"],
  ];
  if (host.children.length !== tiles.length) host.replaceChildren(...tiles.map(tile));
  tiles.forEach((one, at) => fill(host.children[at], ...one));
  host.hidden = false;
}

function tile() {
  return el(
    "div",
    { class: "gauge" },
    el("h2", {}),
    el("p", { class: "figure number" }),
    el("p", { class: "muted small" }),
  );
}

function fill(made, title, figure, words, share = null) {
  const [heading, value, note] = made.children;
  for (const [element, text] of [
    [heading, title],
    [value, figure],
    [note, words],
  ]) {
    if (element.textContent !== text) element.textContent = text;
  }
  const bar = made.querySelector("progress");
  if (share === null) bar?.remove();
  else if (bar) Object.assign(bar, { value: share[0], max: Math.max(1, share[1]) });
  else made.append(el("progress", { value: share[0], max: Math.max(1, share[1]), "aria-label": title }));
}

function waited(queue) {
  if (!queue) return "the queue does not answer";
  if (!queue.waiting) return "nothing waits";
  return queue.oldest === null ? "in the queue" : `the oldest for ${formatDuration(queue.oldest)}`;
}

function workersWords(fleet) {
  if (!fleet) return "the store does not answer";
  if (fleet.workers === null) return "no autoscaler is running";
  if (fleet.wanted > fleet.workers) return `${fleet.wanted} asked for, ${fleet.max} at most`;
  return fleet.workers ? `of ${fleet.max} at most` : "asleep until there is work";
}
