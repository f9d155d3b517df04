// The dialog that adds a person, or photos to one: a photo goes in after the other, and each line says what became of
// it and what to do about it.

import { el, formatBytes, icon, session, words } from "./visage.js";
import { address, counted, named, personPath } from "./people-parts.js";
import { nameField } from "./people-names.js";
import { enroll, isPhoto, REMEDIES, told } from "./people-photos.js";

const SYMBOLS = { good: "check", same: "info", bad: "warning" };

/** A promise of whether anything was added. person: whose photos they are; without one, the dialog asks for a name. */
export function addPhotos({ collection, person = null }) {
  return new Promise((resolve) => new Adding(collection, person, resolve));
}

class Adding {
  constructor(collection, person, resolve) {
    Object.assign(this, { collection, person, lines: [], added: 0, running: false, ended: new AbortController() });
    this.build();
    document.body.append(this.box);
    this.box.addEventListener("close", () => {
      this.ended.abort();
      for (const line of this.lines) line.forget();
      this.box.remove();
      resolve(this.added > 0);
    });
    this.box.showModal();
    this.show();
  }

  build() {
    const chooser = el("input", { type: "file", accept: "image/*", multiple: true, class: "unseen" });
    const hint = el("span", { class: "muted small" }, "Two or three from different days work best. One face on each.");
    const text = el(
      "span",
      {},
      el("strong", {}, "Choose photos"),
      el("span", { class: "mouse" }, " or drop them here"),
    );
    this.drop = el("label", { class: "drop" }, icon("upload"), text, hint, chooser);
    this.list = el("ul", { class: "photos", "aria-label": "Photos" });
    this.said = el("div", { role: "status", class: "stack" });
    this.shut = el("button", { type: "button", class: "quiet" }, "Cancel");
    this.go = el("button", { type: "submit", class: "primary" });
    const title = el(
      "h2",
      { id: "add-title" },
      this.person ? ["Add photos of ", named(this.person.name)] : "Add a person",
    );
    this.form = el("form", {}, title, this.asked(), this.drop, this.said, this.list);
    this.form.append(el("div", { class: "row end" }, this.shut, this.go));
    this.box = el("dialog", { class: "wide", "aria-labelledby": "add-title" }, this.form);

    chooser.addEventListener("change", () => {
      this.take([...chooser.files]);
      chooser.value = "";
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    this.shut.addEventListener("click", () => this.box.close());
    // Anywhere in the dialog, so that a file which misses the field does not replace the page.
    this.box.addEventListener("dragover", (event) => event.preventDefault());
    this.box.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take([...event.dataTransfer.files]);
    });
  }

  asked() {
    if (this.person) return null;
    const existing = (found) => `${found.name} has ${counted(found.faces, "face")}; these photos are added to them.`;
    const { field, input } = nameField({ label: "Name", collection: this.collection, existing });
    this.input = input;
    return field;
  }

  take(files) {
    const most = session().maxUpload;
    for (const file of files) {
      const line = new Line(file, (option) => this.again(line, option));
      if (!isPhoto(file)) line.refuse("This is no photo", "Choose pictures, such as JPEG or PNG files.");
      else if (file.size > most)
        line.refuse("Too large", `It has ${formatBytes(file.size)}; ${formatBytes(most)} are allowed.`);
      this.lines.push(line);
      this.list.append(line.element);
    }
    this.show();
  }

  again(line, option) {
    line.wait(option);
    this.show();
    this.run();
  }

  get waiting() {
    return this.lines.filter((line) => line.waiting);
  }

  show() {
    const { waiting } = this;
    this.go.disabled = this.running || !waiting.length;
    this.go.textContent = this.running
      ? "Adding…"
      : `Add ${waiting.length ? counted(waiting.length, "photo") : "photos"}`;
    this.go.hidden = this.lines.length > 0 && !waiting.length && !this.running;
    this.shut.textContent = this.running ? "Stop" : this.added || this.go.hidden ? "Done" : "Cancel";
    this.shut.className = this.go.hidden ? "primary" : "quiet";
    if (this.input) this.input.readOnly = this.running || this.added > 0;
  }

  async run() {
    if (this.running || !this.form.reportValidity()) return;
    const name = this.person?.name ?? this.input.value.trim();
    this.running = true;
    this.said.replaceChildren();
    for (let line; (line = this.waiting[0]) && !this.ended.signal.aborted;) {
      this.show();
      await this.send(name, line);
    }
    this.running = false;
    if (this.ended.signal.aborted) return;
    this.show();
    this.sum();
  }

  async send(name, line) {
    line.start();
    const options = { collection: this.collection, [line.option]: "true" };
    const watch = {
      signal: this.ended.signal,
      progress: (share) => line.sent(share),
      paused: (seconds) => line.say(`The service is busy; trying again in ${counted(Math.ceil(seconds), "second")}.`),
    };
    try {
      const answer = await enroll(name, [line.file], options, watch);
      if (answer.photos[0].outcome === "enrolled") this.added += 1;
      this.found = answer.person ?? this.found;
      line.tell({ ...answer.photos[0], source: line.file.name }, this.collection);
    } catch (error) {
      if (error.name !== "AbortError") line.refuse("Not added", words(error), "");
    }
  }

  sum() {
    const all = counted(this.lines.length, "photo");
    const bad = this.lines.some((line) => line.kind === "bad");
    const same = this.lines.filter((line) => line.kind === "same").length;
    const there = same ? `${same} ${same === 1 ? "was" : "were"} there already. ` : "";
    const text = el("p", {}, `${this.added} of ${all} added. ${there}`);
    if (this.found && !this.person) {
      const link = el("a", { href: personPath(this.found, this.collection) }, "Open ", named(this.found.name));
      text.append(link);
    }
    const kind = bad ? "warn" : "good";
    this.said.replaceChildren(
      el("div", { class: `notice ${kind}` }, icon(bad ? "warning" : "check"), el("div", {}, text)),
    );
    this.said.scrollIntoView({ block: "nearest" });
    if (!this.box.contains(document.activeElement) || document.activeElement === document.body)
      this.shut.focus({ preventScroll: true });
  }
}

/** A photo in the list. again(option): to be sent once more, with an option or with "". */
class Line {
  constructor(file, again) {
    Object.assign(this, { file, again, waiting: true, option: "", kind: "", url: URL.createObjectURL(file) });
    const image = el("img", { class: "thumb", src: this.url, alt: "" });
    image.addEventListener("error", () => image.replaceWith(el("span", { class: "thumb blank" }, icon("picture"))));
    this.said = el("div", { class: "said" }, el("span", { class: "muted" }, formatBytes(file.size)));
    this.bar = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "Sent" });
    const text = el("div", { class: "text" }, el("bdi", { class: "file" }, file.name), this.said, this.bar);
    this.element = el("li", {}, image, text);
  }

  forget() {
    URL.revokeObjectURL(this.url);
  }

  wait(option) {
    Object.assign(this, { waiting: true, option });
  }

  start() {
    Object.assign(this, { waiting: false, kind: "" });
    this.element.className = "busy";
    this.bar.hidden = false;
    this.bar.value = 0;
    this.say("Sending…");
  }

  sent(share) {
    this.bar.value = share;
    if (share < 1) return;
    this.bar.removeAttribute("value"); // how long the engine looks at it is not known
    this.say("Looking for the face…");
  }

  say(text) {
    this.said.replaceChildren(el("span", { class: "muted" }, text));
  }

  /** option: with which it may be tried again; null: it may not. */
  refuse(title, advice, option = null) {
    const more = option === null ? null : this.button(option === "" ? "Try again" : REMEDIES[option], option);
    this.end("bad", title, advice, more);
  }

  tell(photo, collection) {
    const { kind, title, advice, remedy } = told(photo);
    if (kind === "bad") return this.refuse(title, advice, remedy);
    const { resembles } = photo;
    this.end(kind, title, advice, resembles ? alike(resembles, collection) : null);
  }

  end(kind, title, advice, more) {
    Object.assign(this, { waiting: false, kind });
    this.element.className = kind;
    this.bar.hidden = true;
    const badge = { good: "good", same: "", bad: "warn" }[kind];
    const mark = el("span", { class: `badge ${badge}` }, icon(SYMBOLS[kind]), title);
    this.said.replaceChildren(mark, advice && el("p", {}, advice), more ?? "");
  }

  button(text, option) {
    return el("button", { type: "button", class: "small", onclick: () => this.again(option) }, text);
  }
}

function alike({ name, similarity }, collection) {
  const link = el("a", { href: address("/people", { q: name, collection }) }, named(name));
  const text = [" (similarity ", similarity.toFixed(2), "). The same person under two names? Then merge the two."];
  return el("p", { class: "alike" }, icon("warning"), el("span", {}, "Looks like ", link, ...text));
}
