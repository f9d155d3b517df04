// A field for a person's name that suggests who is there already: a combobox as in the ARIA practices.

import { api, el } from "./visage.js";
import { address, counted, named, portrait } from "./people-parts.js";

const PAUSE = 150;
const MOST = 6;

let fields = 0;

/**
 * {field, input}: a labelled field. except: the id of a person who is not suggested. existing: what to say of a name
 * that somebody has, given the person.
 */
export function nameField({ label, value = "", collection, except = null, existing = () => "" }) {
  const id = `names-${++fields}`;
  const input = el("input", {
    id: `${id}-input`,
    name: "name",
    value,
    required: true,
    maxlength: 200,
    autocomplete: "off",
    autocapitalize: "words",
    spellcheck: "false",
    dir: "auto",
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": id,
    "aria-describedby": `${id}-note`,
  });
  const list = el("ul", {
    id,
    role: "listbox",
    class: "suggestions",
    "aria-label": "People who are there",
    hidden: true,
  });
  const note = el("p", { id: `${id}-note`, class: "note", role: "status" });
  const title = el("label", { for: `${id}-input` }, label);
  new Suggestions(input, list, note, { collection, except, existing });
  return { field: el("div", { class: "field names" }, title, input, list, note), input };
}

class Suggestions {
  constructor(input, list, note, options) {
    Object.assign(this, { input, list, note, ...options, people: [], at: -1, timer: 0, request: null });
    input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.note.textContent = "";
      this.timer = setTimeout(() => this.ask(), PAUSE);
    });
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.close());
  }

  async ask() {
    this.request?.abort();
    const q = this.input.value.trim();
    if (!q) return this.close();
    this.request = new AbortController();
    try {
      const path = address("/v1/people", { q, limit: MOST, collection: this.collection });
      const found = await api("GET", path, { signal: this.request.signal });
      this.people = found.people.filter((person) => person.id !== this.except);
    } catch {
      return this.close(); // a name can be typed without help
    }
    this.tell();
    if (document.activeElement === this.input) this.open();
  }

  open() {
    this.at = -1;
    this.list.replaceChildren(...this.people.map((person, index) => this.option(person, index)));
    this.list.hidden = !this.people.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    clearTimeout(this.timer);
    this.list.hidden = true;
    this.at = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  option(person, index) {
    const faces = el("span", { class: "dim" }, counted(person.faces, "face"));
    const id = `${this.list.id}-${index}`;
    const face = portrait(person.cover, this.collection);
    const made = el("li", { id, role: "option", "aria-selected": "false" }, face, named(person.name), faces);
    // Before the field loses the focus, which would close the list.
    made.addEventListener("pointerdown", (event) => event.preventDefault());
    made.addEventListener("click", () => this.choose(person));
    return made;
  }

  choose(person) {
    this.request?.abort();
    this.input.value = person.name;
    this.close();
    this.tell();
  }

  key(event) {
    const options = [...this.list.children];
    if (this.list.hidden) {
      if (event.key === "ArrowDown" && this.people.length) this.open();
      else return;
    }
    if (event.key === "ArrowDown") this.mark(options, this.at + 1);
    else if (event.key === "ArrowUp") this.mark(options, this.at < 0 ? options.length - 1 : this.at - 1);
    else if (event.key === "Enter" && this.at >= 0) this.choose(this.people[this.at]);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }

  mark(options, at) {
    this.at = at >= options.length || at < 0 ? -1 : at;
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === this.at)));
    const marked = options[this.at];
    marked?.scrollIntoView({ block: "nearest" });
    if (marked) this.input.setAttribute("aria-activedescendant", marked.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  tell() {
    const name = this.input.value.trim().normalize("NFC");
    const person = this.people.find((one) => one.name === name);
    this.note.textContent = person ? this.existing(person) : "";
  }
}
