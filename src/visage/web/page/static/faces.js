// One face of an answer: its crop, its name and how sure that is, and why.

import { el, formatPercent, icon } from "./visage.js";

const CROP = 160;
const AROUND = 0.3;
export const AS_ENROLLED = 0.6; // how much the crops that are kept of enrolled faces have around them

/** How likely, in words: 0.97 -> "very likely". */
export function likely(probability) {
  const steps = [[0.99, "almost certain"], [0.9, "very likely"], [0.7, "likely"], [0.5, "perhaps"]];
  return steps.find(([least]) => probability >= least)?.[1] ?? "unlikely";
}

/**
 * The square around a face, within the picture, as a canvas. picture: an image or video, {width, height} its own. around: how much of the
 * face's size to add on every side.
 */
export function cropOf(picture, { width, height }, [x1, y1, x2, y2], around = AROUND, size = CROP) {
  const side = Math.min(width, height, Math.max((x2 - x1) * width, (y2 - y1) * height) * (1 + 2 * around));
  const inside = (middle, length) => Math.min(length - side, Math.max(0, middle * length - side / 2));
  const [left, top] = [inside((x1 + x2) / 2, width), inside((y1 + y2) / 2, height)];
  const canvas = el("canvas", { class: "thumb", width: size, height: size, "aria-hidden": "true" });
  canvas.getContext("2d").drawImage(picture, left, top, side, side, 0, 0, size, size);
  return canvas;
}

export function blank(name = "person") {
  return el("span", { class: "thumb blank", "aria-hidden": "true" }, icon(name));
}

function chance(probability) {
  return probability > 0.999 ? "over 99.9 %" : formatPercent(probability);
}

/** What is said under a name. */
export function sureness(face) {
  const { match, nearest } = face;
  if (match) return `${likely(match.probability)} (${chance(match.probability)}), similarity ${match.similarity.toFixed(2)}`;
  return nearest ? `most like ${nearest.name} (${nearest.similarity.toFixed(2)})` : "nobody is known yet";
}

/** The disclosure that says why. crop: a function that makes the face's crop. */
export function why(face, answer, crop, collection) {
  const details = el("details", { class: "why" }, el("summary", {}, "Why?"));
  details.addEventListener("toggle", () => details.childElementCount === 1 && details.append(reasons(face, answer, crop, collection)), { once: true });
  return details;
}

function reasons(face, { rule, models }, crop, collection) {
  const { nearest, runner_up: second } = face;
  const facts = [];
  const fact = (name, text) => facts.push(el("dt", {}, name), el("dd", {}, text));
  if (nearest) fact("Similarity", `${nearest.similarity.toFixed(3)} to ${nearest.name}`);
  if (rule) fact("Needed", needed(rule));
  if (nearest) fact("Probability", `${chance(nearest.probability)} that it is ${nearest.name}`);
  fact("Next best", second ? `${second.name}, similarity ${second.similarity.toFixed(3)}` : "nobody else is known");
  fact("This picture", quality(face.quality));
  fact("Models", [models.detector, models.embedder].filter(Boolean).join(" and "));
  if (rule?.gallery) fact("Gallery", `${rule.enrolled.toLocaleString()} face${rule.enrolled === 1 ? "" : "s"}, version ${rule.gallery}`);
  return el("div", { class: "stack reasons" }, nearest && pair(face, nearest, crop, collection),
    nearest && rule && scale(nearest.similarity, rule.threshold), el("dl", { class: "facts small" }, facts));
}

function pair(face, nearest, crop, collection) {
  const enrolled = el("img", { class: "thumb", alt: "", src: `/v1/faces/${nearest.face_id}/crop?collection=${encodeURIComponent(collection)}` });
  enrolled.addEventListener("error", () => enrolled.replaceWith(blank()));
  const shown = (picture, text) => el("figure", {}, picture, el("figcaption", { class: "muted small" }, text));
  return el("div", { class: "pair" }, shown(crop(), "in this picture"), shown(enrolled, `${nearest.name}, as enrolled`));
}

function scale(similarity, threshold) {
  const at = (value) => `${Math.min(100, Math.max(0, value * 100))}%`;
  return el("div", { class: "scale", "aria-hidden": "true" },
    el("span", { class: similarity >= threshold ? "reach good" : "reach", style: { width: at(similarity) } }),
    threshold >= 0 && el("span", { class: "mark", style: { left: at(threshold) } }));
}

function needed(rule) {
  const least = rule.threshold.toFixed(3);
  if (rule.basis === "nearest") return "nothing: the most similar person is named in any case";
  if (rule.basis === "given") return `${least}, as it was asked for`;
  if (rule.basis === "card") return `${least}, the model's own`;
  const share = rule.stranger_rate ? Math.round(1 / rule.stranger_rate).toLocaleString() : "?";
  return `${least}, so that 1 stranger in ${share} gets a name${rule.limited ? " (more than that: the model was not measured so far)" : ""}`;
}

function quality({ size, sharpness, yaw, pitch }) {
  const faults = [];
  if (size < 60) faults.push(`the face is small (${Math.round(size)} pixels)`);
  if (sharpness < 0.4) faults.push("it is blurred");
  if (Math.abs(yaw) > 30) faults.push("it is turned to the side");
  if (Math.abs(pitch) > 30) faults.push("it looks up or down");
  return faults.length ? `${faults.join(", ")}: that makes it harder` : "good: large, sharp and from the front";
}
