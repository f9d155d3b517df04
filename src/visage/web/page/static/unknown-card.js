// One unknown person: their best faces, whom they resemble, and what can be done about them.

import { api, confirmDialog, el, icon, session, toast, words } from "./visage.js";
import { likely } from "./faces.js";
import { address, counted, named, portrait } from "./people-parts.js";
import { lookAt } from "./unknown-faces.js";
import { act, namer, outdated, picture, told } from "./unknown-parts.js";
import { undoing } from "./undo.js";

// Somebody whom they resemble less likely than this is not asked about.
const LEAST = 0.25;

export class Stranger {
  /** one: as the service tells of them. gone: called with the card's element once it is done with; anew: once others may have changed too. */
  constructor(one, { collection, gone, anew }) {
    Object.assign(this, { collection, gone, anew });
    this.element = el("li", { class: "card stranger" });
    this.show(one);
  }

  show(one) {
    this.one = one;
    const tools = session().can("enroll") ? this.tools() : [];
    this.element.replaceChildren(...[this.head(), ...tools].filter(Boolean));
    this.element.setAttribute("aria-label", this.size());
  }

  size() {
    return `${counted(this.one.faces, "face")} in ${counted(this.one.pictures, "picture")}`;
  }

  head() {
    const { members, first, last, jobs, pictures } = this.one;
    const day = (time) => new Date(time * 1000).toLocaleDateString(undefined, { dateStyle: "medium" });
    const days = day(first) === day(last) ? day(first) : `${day(first)} – ${day(last)}`;
    const look = el("button", { type: "button", class: "cover", "aria-label": `Look at ${this.size()}`, onclick: () => this.look() });
    look.append(picture(members[0], this.collection));
    const files = pictures > jobs ? ` of ${counted(jobs, "file")}` : "";
    const text = el("div", { class: "stack" }, el("h2", {}, counted(this.one.faces, "face")),
      el("p", { class: "muted small" }, `in ${counted(pictures, "picture")}${files}`),
      el("p", { class: "muted small" }, days), this.rest());
    return el("div", { class: "head" }, look, text);
  }

  /** Some of their other faces. */
  rest() {
    const others = this.one.members.slice(1, 5);
    return others.length > 0 && el("ul", { class: "others", "aria-hidden": "true" }, others.map((id) => el("li", {}, picture(id, this.collection))));
  }

  tools() {
    const more = (symbol, text, act) => el("button", { type: "button", class: "small quiet", onclick: act }, icon(symbol), text);
    const aside = this.one.state !== "new";
    return [
      this.hint(),
      namer("Who is it?", this.collection, (name) => this.name(name)),
      el("div", { class: "row actions" },
        aside ? more("retry", "Put back", () => this.aside("restore", "Put back among the new ones."))
          : more("hide", "Ignore", () => this.aside("ignore", "Ignored. They do not come back.")),
        this.one.state !== "not-a-face" && more("close", "Not a face", () => this.aside("not-a-face", "Noted: that is no face.")),
        session().can("admin") && el("button", { type: "button", class: "quiet round", "aria-label": "Delete", title: "Delete", onclick: () => this.erase() }, icon("trash"))),
    ];
  }

  hint() {
    const { suggestion } = this.one;
    // To ask of everybody whether they are the least different person would teach to overlook the question.
    if (!suggestion || suggestion.probability < LEAST) return null;
    const chance = suggestion.probability >= 0.5 ? `${likely(suggestion.probability)}, ` : "";
    return el("div", { class: "hint" }, portrait(suggestion.face_id, this.collection),
      el("p", {}, "Is it ", named(suggestion.name), "?", el("span", { class: "muted small" }, ` ${chance}similarity ${suggestion.similarity.toFixed(2)}`)),
      el("div", { class: "row" },
        el("button", { type: "button", class: "small", "aria-label": `Yes, it is ${suggestion.name}`, onclick: () => this.name(suggestion.name) }, "Yes"),
        el("button", { type: "button", class: "small", "aria-label": `No, it is not ${suggestion.name}`, onclick: () => this.deny() }, "No")));
  }

  /** Run it with the card's buttons off; what went wrong is told. */
  async run(work) {
    const controls = [...this.element.querySelectorAll("button, input")];
    for (const one of controls) one.disabled = true;
    try {
      await work();
    } catch (error) {
      toast(words(error), "bad");
      if (outdated(error)) await this.anew();
    } finally {
      for (const one of controls) one.disabled = false;
    }
  }

  name(name) {
    return this.run(async () => {
      const done = await act(this.one.id, "name", { name }, this.collection);
      toast(told(done), "good", undoing(done.change, this.anew));
      this.gone(this.element);
    });
  }

  deny() {
    const { person_id, name } = this.one.suggestion;
    return this.run(async () => {
      this.show(await act(this.one.id, "deny", { person_id }, this.collection));
      toast(`Noted: this is not ${name}.`, "good");
      this.element.querySelector("input").focus();
    });
  }

  aside(verb, text) {
    return this.run(async () => {
      const done = await act(this.one.id, verb, {}, this.collection);
      toast(text, "good", undoing(done.change, this.anew));
      this.gone(this.element);
    });
  }

  async erase() {
    const text = `${counted(this.one.faces, "face")}: what was measured of ${this.one.faces === 1 ? "it" : "each"}, and its picture, are erased from the disk. It cannot be undone.`;
    if (!(await confirmDialog({ title: "Delete this person?", text, action: "Delete for good", danger: true }))) return;
    await this.run(async () => {
      await api("DELETE", address(`/v1/unknown/${encodeURIComponent(this.one.id)}`, { collection: this.collection }));
      toast("Deleted.", "good");
      this.gone(this.element);
    });
  }

  async look() {
    if (await lookAt(this.one, this.collection, this.anew)) await this.anew();
  }
}
