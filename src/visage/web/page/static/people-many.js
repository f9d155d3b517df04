// The dialog that adds many people: a folder with a folder of photos per person, sent in small batches one after the
// other. What is done is done: it can be stopped, and gone on with, at any time. A ZIP, or a folder of the server, is
// for another dialog.

import { api, el, icon, Problem, session, words } from "./visage.js";
import { addBulk, isZip, places } from "./people-bulk.js";
import { address, counted, named } from "./people-parts.js";
import { batch, sorted, TREE } from "./people-folder.js";
import { enroll, told } from "./people-photos.js";
import { Report } from "./people-report.js";

/** A promise of whether anything was added. */
export function addMany({ collection }) {
  return new Promise((resolve) => new Many(collection, resolve));
}

class Many {
  constructor(collection, resolve) {
    Object.assign(this, { collection, photos: [], added: 0, ended: null, handed: null });
    this.build();
    document.body.append(this.box);
    const stay = (event) => this.ended && event.preventDefault();
    window.addEventListener("beforeunload", stay);
    // Escape would throw the report away; while it runs, it stops.
    this.box.addEventListener("cancel", (event) => {
      if (!this.ended) return;
      event.preventDefault();
      this.ended.abort();
    });
    this.box.addEventListener("close", () => {
      this.ended?.abort();
      window.removeEventListener("beforeunload", stay);
      this.box.remove();
      resolve(this.handed ?? this.added > 0);
    });
    this.box.addEventListener("dragover", (event) => event.preventDefault());
    this.box.addEventListener("drop", (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file && !this.ended && !this.photos.length) this.unzip(file);
    });
    this.box.showModal();
    this.show();
    this.offer();
  }

  build() {
    const chooser = el("input", { type: "file", webkitdirectory: true, multiple: true, class: "unseen" });
    chooser.addEventListener("change", () => this.take([...chooser.files]));
    const example = el("pre", { class: "tree", "aria-label": "An example" }, TREE);
    const able = "webkitdirectory" in chooser;
    const choose = el("label", { class: "drop" }, icon("folder"), el("strong", {}, "Choose the folder"), chooser);
    const zip = el("input", { type: "file", accept: ".zip,application/zip", class: "unseen", id: "zip" });
    zip.addEventListener("change", () => this.unzip(zip.files[0]));
    const dropped = el("span", { class: "mouse small muted" }, "or drop it here");
    const pack = el("label", { class: "drop" }, icon("upload"), el("strong", {}, "Choose a ZIP of it"), dropped, zip);
    const text = "This browser cannot choose folders; use one on a computer.";
    const unable = el("p", { class: "notice warn" }, icon("warning"), text);
    const ways = el("div", { class: "ways-in" }, able ? choose : unable, pack);
    const hint = "A folder with one folder per person, called as the person is:";
    this.first = el("div", { class: "stack" }, el("p", { class: "muted" }, hint), example, ways);
    this.said = el("div", { role: "status" });
    this.bar = el("progress", { max: 1, value: 0, "aria-label": "Photos done", hidden: true });
    this.largest = el("input", { type: "checkbox" });
    this.force = el("input", { type: "checkbox" });
    this.options = el(
      "fieldset",
      { class: "stack tight", hidden: true },
      el("legend", { class: "unseen" }, "Options"),
      el("label", { class: "choice" }, this.largest, "Where a photo shows several faces, take the largest"),
      el("label", { class: "choice" }, this.force, "Take small, blurred and turned faces too"),
    );
    this.report = new Report();
    this.shut = el("button", { type: "button", class: "quiet", onclick: () => this.stop() });
    this.go = el("button", { type: "button", class: "primary", onclick: () => this.run() });
    const title = el("h2", { id: "many-title" }, "Add many people");
    const parts = [title, this.first, this.said, this.bar, this.report.element, this.options];
    const content = el("div", { class: "stack" }, parts, el("div", { class: "row end" }, this.shut, this.go));
    this.box = el("dialog", { class: "wide", "aria-labelledby": "many-title" }, content);
  }

  /** Folders of the server, where some may be read. */
  async offer() {
    const folders = (await places())?.folders;
    if (!folders) return;
    const list = el("datalist", { id: "server-folders" }, folders.map((name) => el("option", { value: name })));
    const said = el("p", { class: "wrong", id: "folder-said", role: "alert" });
    const input = el("input", {
      name: "folder",
      list: "server-folders",
      autocomplete: "off",
      maxlength: 1000,
      "aria-describedby": said.id,
      oninput: () => said.replaceChildren(),
    });
    if (folders.length) input.placeholder = `such as ${folders[0]}`;
    const field = el("label", { class: "field" }, el("span", {}, "Or a folder on the server"), input);
    const form = el("form", { class: "server" }, field, list, el("button", {}, "Use it"), said);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.use(input, said);
    });
    this.first.append(form);
  }

  /** Go on with a folder of the server, if there is one of that name. */
  async use(input, said) {
    const folder = input.value.trim();
    try {
      await api("GET", address("/v1/bulk", { folder }));
      this.hand({ folder });
    } catch (error) {
      said.replaceChildren(words(error, folder));
      input.focus();
    }
  }

  unzip(file) {
    if (isZip(file)) this.hand({ file });
    else this.say("This is no ZIP. Pack the folder that holds the people's folders as a ZIP, or choose it.", "warn");
  }

  /** Let the other dialog go on with it. */
  hand(source) {
    this.handed = addBulk({ collection: this.collection, ...source });
    this.box.close();
  }

  take(files) {
    const { photos, others } = sorted(files);
    this.photos = photos;
    const most = session().maxUpload;
    for (const photo of photos)
      if (photo.file.size > most) this.settle(photo, { outcome: "failed", detail: "The file is too large." });
    this.tell();
    const people = new Set(photos.map((photo) => photo.person)).size;
    const left = others ? ` ${counted(others, "other file")} left out.` : "";
    if (photos.length) this.say(`${counted(people, "person", "people")}, ${counted(photos.length, "photo")}.${left}`);
    else this.say("There is no photo in a person's folder. Choose the folder that holds the people's folders.", "warn");
    this.show();
  }

  get waiting() {
    return this.photos.filter((photo) => !photo.outcome);
  }

  get failed() {
    return this.photos.filter((photo) => photo.outcome && told(photo.outcome).kind === "bad");
  }

  show() {
    const running = this.ended !== null;
    const [waiting, failed, all] = [this.waiting.length, this.failed.length, this.photos.length];
    this.first.hidden = all > 0;
    this.options.hidden = !all || running || (!waiting && !failed);
    this.bar.hidden = !running && (all === waiting || !waiting);
    this.bar.value = all ? (all - waiting) / all : 0;
    this.go.hidden = running || (!waiting && !failed);
    this.go.textContent = waiting
      ? `${all === waiting ? "Add" : "Go on with"} ${counted(waiting, "photo")}`
      : "Try those again";
    this.shut.textContent = running ? "Stop" : all > waiting ? "Done" : "Cancel";
    this.shut.className = this.go.hidden && all > waiting && !running ? "primary" : "quiet";
  }

  stop() {
    if (this.ended) this.ended.abort();
    else this.box.close();
  }

  async run() {
    if (!this.waiting.length) for (const photo of this.failed) photo.outcome = null;
    this.ended = new AbortController();
    this.show();
    this.shut.focus();
    let trouble = null;
    try {
      for (let waiting; (waiting = this.waiting).length;) {
        this.count(waiting[0].person);
        await this.send(batch(waiting));
        this.tell();
        this.show();
      }
    } catch (error) {
      trouble = error;
    }
    this.ended = null;
    this.show();
    this.sum(trouble);
    (this.go.hidden ? this.shut : this.go).focus();
  }

  /** Throws what is no fault of the photos: then the rest waits. */
  async send(photos) {
    const options = { collection: this.collection, largest: this.largest.checked, force: this.force.checked };
    const { signal } = this.ended;
    const paused = (seconds) =>
      this.say(`The service is busy; going on in ${counted(Math.ceil(seconds), "second")}.`, "warn");
    try {
      const files = photos.map((photo) => photo.file);
      const answer = await enroll(photos[0].person, files, options, { signal, paused });
      photos.forEach((photo, index) => this.settle(photo, answer.photos[index]));
    } catch (error) {
      if (!(error instanceof Problem) || [0, 401, 403, 429].includes(error.status) || error.status >= 500) throw error;
      // One that is refused is not to take others with it.
      if (photos.length > 1) for (const photo of photos) await this.send([photo]);
      else this.settle(photos[0], { outcome: "failed", detail: words(error) });
    }
  }

  settle(photo, outcome) {
    photo.outcome = outcome;
    if (outcome.outcome === "enrolled") this.added += 1;
  }

  tell({ bads = false } = {}) {
    const done = this.photos.filter((photo) => photo.outcome);
    const rows = done.map(({ file, person, outcome }) => ({ ...outcome, source: file.name, name: person }));
    this.report.fill(rows, { bads });
  }

  count(person) {
    const done = this.photos.length - this.waiting.length;
    this.say([`${done.toLocaleString()} of ${counted(this.photos.length, "photo")} done. Now: `, named(person)]);
  }

  sum(trouble) {
    const waiting = this.waiting.length;
    const text = [`${this.added.toLocaleString()} of ${counted(this.photos.length, "photo")} added.`];
    const same = this.photos.filter((photo) => photo.outcome?.outcome === "duplicate").length;
    const bad = this.failed.length;
    if (same) text.push(` ${same.toLocaleString()} ${same === 1 ? "was" : "were"} there already.`);
    if (bad) text.push(` ${counted(bad, "photo")} could not be used.`);
    if (waiting) text.push(` ${counted(waiting, "photo")} not done yet.`);
    if (trouble && trouble.name !== "AbortError") text.push(` ${words(trouble)}`);
    this.tell({ bads: bad > 0 });
    this.say(text, bad || waiting ? "warn" : "good");
  }

  say(text, kind = "") {
    const symbol = { good: "check", warn: "warning" }[kind] ?? "info";
    this.said.replaceChildren(el("div", { class: `notice ${kind}` }, icon(symbol), el("p", {}, text)));
    if (kind) this.said.scrollIntoView({ block: "nearest" });
  }
}
