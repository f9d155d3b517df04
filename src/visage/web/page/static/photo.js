// A photo and who is in it: boxes and names on the picture, and a list beside it.

import { el } from "./visage.js";
import { correctors, placeOf } from "./corrections.js";
import { AS_ENROLLED, blank, cropOf, sureness, why } from "./faces.js";

// Pixels of the longer side of a picture that the service makes.
const LARGE = 1600;

/** The picture alone, while it is being looked at: {figure, image, shown}. shown: a promise of whether it can be. */
export function preview(file, url) {
  const image = el("img", { src: url, alt: `The photo ${file.name}` });
  const figure = el("figure", { class: "picture" }, image);
  const shown = image.decode().then(() => true, () => false);
  shown.then((can) => can || unshown(figure, "This browser cannot show the picture; who is in it can be seen all the same."));
  return { figure, image, shown };
}

export function unshown(figure, text) {
  figure.classList.add("unshown");
  figure.replaceChildren(el("p", { class: "muted" }, text));
}

/** Puts boxes on the figure, in place of those of before; what stands beside it. context: of `correctors`. */
export async function photoAnswer(view, context) {
  const can = (await view.shown) || (await shownByService(view, context.job));
  const { figure, image } = view;
  const { answer } = context;
  for (const box of figure.querySelectorAll(".box")) box.remove();
  const faces = [...answer.faces].sort((one, other) => one.box[0] - other.box[0]);
  const size = { width: image.naturalWidth, height: image.naturalHeight };
  const items = faces.map((face) => {
    const box = can ? boxOf(face) : null;
    if (box) figure.append(box);
    const crop = (around) => (can ? cropOf(image, size, face.box_ratio, around) : blank());
    return itemOf(face, context, box, crop);
  });
  return el("ul", { class: "faces" }, items);
}

/** A photo of a kind that the browser does not know, such as HEIC, as the service sees it; whether that was possible. */
async function shownByService(view, job) {
  const image = el("img", { src: `/v1/jobs/${job}/source/0?size=${LARGE}`, alt: view.image.alt });
  try {
    await image.decode();
  } catch {
    return false;
  }
  view.figure.classList.remove("unshown");
  view.figure.replaceChildren(image);
  Object.assign(view, { image, shown: Promise.resolve(true) });
  return true;
}

function boxOf(face) {
  const [x1, y1, x2, y2] = face.box_ratio.map((share) => Math.min(1, Math.max(0, share)) * 100);
  const tag = el("span", { class: "tag" }, face.match ? face.name : "?");
  const kind = ["box", face.match ? "" : "unknown", x1 > 60 ? "right" : "", y1 < 9 ? "below" : ""].join(" ");
  const style = { left: `${x1}%`, top: `${y1}%`, width: `${x2 - x1}%`, height: `${y2 - y1}%` };
  return el("div", { class: kind, style, "aria-hidden": "true" }, tag);
}

function itemOf(face, context, box, crop) {
  const { answer, collection } = context;
  const name = el("span", { class: "name" }, face.match ? face.name : "Unknown");
  const said = el("span", { class: "muted small" }, sureness(face));
  const pick = el("button", { type: "button", class: "pick" }, crop(), el("span", { class: "words" }, name, said));
  const more = el("div", { class: "row more" }, correctors(face, context), why(face, answer, () => crop(AS_ENROLLED), collection));
  const item = el("li", { class: face.match ? null : "stranger", dataset: { place: placeOf(face, answer) } }, pick, more);
  const lit = (on) => box?.classList.toggle("lit", on);
  for (const [event, on] of [["mouseenter", true], ["mouseleave", false], ["focusin", true], ["focusout", false]]) {
    item.addEventListener(event, () => lit(on));
  }
  pick.addEventListener("click", () => box?.scrollIntoView({ block: "nearest" }));
  box?.addEventListener("click", () => pick.focus());
  return item;
}
