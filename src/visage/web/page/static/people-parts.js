// What the pages about people share: addresses, counts, pictures of faces, a bar for what is selected.

import { el, icon } from "./visage.js";

/** 1 -> "1 face", 2 -> "2 faces". */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

/** A path with a query; what is null, false or empty is left out. */
export function address(path, params = {}) {
  const given = Object.entries(params).filter(([, value]) => value || value === 0);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** Where the page of a person is. */
export function personPath(person, collection) {
  return address(`/people/${encodeURIComponent(person.id)}`, { collection });
}

/** A name as it is to be shown inside a sentence: whatever its direction of writing, it turns nothing around it. */
export function named(name) {
  return el("bdi", { class: "name" }, name);
}

/** What stands where there is nothing to show: a symbol, a heading, and what to do. */
export function empty(symbol, ...content) {
  return el("section", { class: "empty" }, icon(symbol), content);
}

/** The picture of a face, on top of an icon that is seen until it comes, or for good where no crop is kept. */
export function portrait(faceId, collection, alt = "") {
  const box = el("span", { class: "portrait" }, icon("person"));
  if (faceId) {
    const src = address(`/v1/faces/${encodeURIComponent(faceId)}/crop`, { collection });
    const image = el("img", { src, alt, width: 160, height: 160, loading: "lazy", decoding: "async", draggable: "false" });
    image.addEventListener("error", () => image.remove());
    box.append(image);
  }
  return box;
}

/**
 * What is selected, as a Map by id, and the bar that appears while something is. Buttons in the bar that need more than
 * one, or exactly one, say so in data-needs: "one" or "several". shown: called with the selection when it changes.
 */
export class Selection extends Map {
  constructor(bar, noun, many, shown = () => {}) {
    super();
    Object.assign(this, { bar, noun, many, shown });
    bar.querySelector("[data-clear]").addEventListener("click", () => this.clear());
    document.addEventListener("keydown", (event) => {
      if (
        event.key === "Escape" &&
        event.target.type !== "search" &&
        this.size &&
        !document.querySelector("dialog[open]")
      )
        this.clear();
    });
  }

  /** A checkbox that puts `item` in and takes it out. */
  checkbox(item, label) {
    const box = el("input", { type: "checkbox", "aria-label": label, checked: this.has(item.id) });
    box.addEventListener("change", () => {
      if (box.checked) this.set(item.id, item);
      else this.delete(item.id);
      this.show();
    });
    return box;
  }

  clear() {
    super.clear();
    for (const box of document.querySelectorAll("[data-selectable] input[type=checkbox]:checked")) box.checked = false;
    this.show();
  }

  show() {
    this.bar.hidden = this.size === 0;
    this.bar.querySelector("[data-count]").textContent = `${counted(this.size, this.noun, this.many)} selected`;
    for (const button of this.bar.querySelectorAll("[data-needs]")) {
      button.hidden = button.dataset.needs === "one" ? this.size !== 1 : this.size < 2;
    }
    this.shown(this);
  }
}
