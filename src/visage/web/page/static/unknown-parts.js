// What the list of unknown people and the dialog with all their faces share.

import { api, el, icon } from "./visage.js";
import { address, counted } from "./people-parts.js";
import { nameField } from "./people-names.js";

/** The picture of an unknown face. */
export function picture(faceId, collection, alt = "") {
  const src = address(`/v1/unknown/faces/${encodeURIComponent(faceId)}/crop`, { collection });
  const box = el("span", { class: "portrait" }, icon("person"));
  const image = el("img", { src, alt, width: 160, height: 160, loading: "lazy", decoding: "async", draggable: "false" });
  image.addEventListener("error", () => image.remove());
  box.append(image);
  return box;
}

/** Do something about an unknown person; what the service says. verb: of its route. */
export function act(id, verb, json, collection) {
  return api("POST", address(`/v1/unknown/${encodeURIComponent(id)}/${verb}`, { collection }), { json });
}

/** Whether somebody else was quicker: what the page shows is not so any more. */
export function outdated({ status }) {
  return status === 404 || status === 409;
}

/** A field for a name with its button; give: what to do with the name. */
export function namer(label, collection, give) {
  const existing = (person) => `${person.name} is known already, with ${counted(person.faces, "face")}.`;
  const { field, input } = nameField({ label, collection, existing });
  input.placeholder = label;
  const form = el("form", { class: "namer" }, field, el("button", {}, "Name"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) give(input.value.trim());
  });
  return form;
}

/** What came of a naming, in words. */
export function told({ person, enrolled, answers }) {
  const added = `${counted(enrolled, "face")} added`;
  return `${person.name} is known from now on: ${added}, ${answers ? `${counted(answers, "answer")} put right` : "no older answer to put right"}.`;
}
