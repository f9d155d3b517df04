// A photo and who is in it: boxes and names on the picture, and a list beside it.

import { el, toast } from "./visage.js";
import { AS_ENROLLED, adder, blank, cropOf, sureness, why } from "./faces.js";

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

/** Puts boxes on the figure; what stands beside it. */
export async function photoAnswer({ figure, image, shown }, file, answer, collection) {
  const can = await shown;
  const faces = [...answer.faces].sort((one, other) => one.box[0] - other.box[0]);
  const size = { width: image.naturalWidth, height: image.naturalHeight };
  const items = faces.map((face) => {
    const box = can ? boxOf(face) : null;
    if (box) figure.append(box);
    const crop = (around) => (can ? cropOf(image, size, face.box_ratio, around) : blank());
    return itemOf(face, { answer, box, crop, collection, photo: () => photoOf(face, faces, can ? image : null, size, file) });
  });
  return el("ul", { class: "faces" }, items);
}

function boxOf(face) {
  const [x1, y1, x2, y2] = face.box_ratio.map((share) => Math.min(1, Math.max(0, share)) * 100);
  const tag = el("span", { class: "tag" }, face.match ? face.name : "?");
  const kind = ["box", face.match ? "" : "unknown", x1 > 60 ? "right" : "", y1 < 9 ? "below" : ""].join(" ");
  const style = { left: `${x1}%`, top: `${y1}%`, width: `${x2 - x1}%`, height: `${y2 - y1}%` };
  return el("div", { class: kind, style, "aria-hidden": "true" }, tag);
}

function itemOf(face, { answer, box, crop, collection, photo }) {
  const name = el("span", { class: "name" }, face.match ? face.name : "Unknown");
  const said = el("span", { class: "muted small" }, sureness(face));
  const pick = el("button", { type: "button", class: "pick" }, crop(), el("span", { class: "words" }, name, said));
  const item = el("li", {}, pick, el("div", { class: "row more" }, why(face, answer, () => crop(AS_ENROLLED), collection)));
  const lit = (on) => box?.classList.toggle("lit", on);
  for (const [event, on] of [["mouseenter", true], ["mouseleave", false], ["focusin", true], ["focusout", false]]) {
    item.addEventListener(event, () => lit(on));
  }
  pick.addEventListener("click", () => box?.scrollIntoView({ block: "nearest" }));
  box?.addEventListener("click", () => pick.focus());
  if (!face.match) {
    const button = adder(photo, collection, (person) => {
      name.textContent = person.name;
      said.textContent = "added just now; known from the next picture on";
      if (box) box.querySelector(".tag").textContent = person.name;
      box?.classList.remove("unknown");
      button.remove();
      toast(`${person.name} is known from now on.`, "good");
      pick.focus();
    });
    if (button) item.querySelector(".more").prepend(button);
  }
  return item;
}

/** The photo to enroll: the file itself where nobody else is in it, else the part around this face. */
async function photoOf(face, faces, image, size, file) {
  if (faces.length === 1 || !image) return file;
  const [x1, y1, x2, y2] = face.box;
  const side = Math.round(Math.min(1024, Math.max(x2 - x1, y2 - y1) * 2.4));
  return fileOf(cropOf(image, size, face.box_ratio, 0.7, side), file.name);
}

/** A canvas as a JPEG. */
export async function fileOf(canvas, name) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  return new File([blob], `${name.replace(/\.[^.]*$/, "")}-face.jpg`, { type: "image/jpeg" });
}
