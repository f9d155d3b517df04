// The dialog that adds many people from a ZIP, or from a folder of the server: one request, and a job that goes on
// whether or not somebody looks on.

import { follow } from "./asking.js";
import { api, el, formatBytes, icon, session, upload, words } from "./visage.js";
import { address, counted } from "./people-parts.js";
import { told } from "./people-photos.js";
import { Report } from "./people-report.js";

const CLOSE = "You may close this: it goes on, and Jobs shows how far it is.";

/** A promise of whether anything was added, or may be yet. file: a ZIP; folder: one of the server; one of the two. */
export function addBulk({ collection, file = null, folder = null }) {
  return new Promise((resolve) => new Bulk(collection, { file, folder }, resolve));
}

/** Where many photos may come from: {folders, max_upload}; null where that cannot be told. */
export async function places() {
  try {
    return await api("GET", "/v1/bulk");
  } catch {
    return null;
  }
}

class Bulk {
  constructor(collection, source, resolve) {
    Object.assign(this, { collection, ...source, added: 0, job: null, running: false, ended: new AbortController() });
    this.build();
    document.body.append(this.box);
    // What is on its way to the service is lost when the page goes; what has arrived is not.
    const stay = (event) => this.running && !this.job && event.preventDefault();
    window.addEventListener("beforeunload", stay);
    this.box.addEventListener("close", () => {
      this.ended.abort(new DOMException("ended", "AbortError"));
      window.removeEventListener("beforeunload", stay);
      this.box.remove();
      resolve(this.added > 0 || this.job !== null);
    });
    this.box.showModal();
    this.begin();
  }

  get called() {
    return this.file ? this.file.name : this.folder || "the folder";
  }

  /** Whether every photo is with its person. */
  get complete() {
    return this.report.rows.length > 0 && this.report.rows.every((row) => told(row).kind !== "bad");
  }

  build() {
    this.said = el("div", { role: "status" });
    this.bar = el("progress", { max: 1, "aria-label": "Photos done", hidden: true });
    this.counts = el("ul", { class: "chips", "aria-label": "So far" });
    this.largest = el("input", { type: "checkbox" });
    this.force = el("input", { type: "checkbox" });
    this.options = el(
      "fieldset",
      { class: "stack tight" },
      el("legend", { class: "unseen" }, "Options"),
      el("label", { class: "choice" }, this.largest, "Where a photo shows several faces, take the largest"),
      el("label", { class: "choice" }, this.force, "Take small, blurred and turned faces too"),
    );
    this.report = new Report();
    this.shut = el("button", { type: "button", class: "quiet", onclick: () => this.box.close() });
    this.go = el("button", { type: "button", class: "primary", onclick: () => this.run() });
    const title = el("h2", { id: "bulk-title" }, "Add many people");
    const parts = [title, this.said, this.bar, this.counts, this.report.element, this.options];
    const content = el("div", { class: "stack" }, parts, el("div", { class: "row end" }, this.shut, this.go));
    this.box = el("dialog", { class: "wide", "aria-labelledby": "bulk-title" }, content);
  }

  begin() {
    const most = session().maxUpload;
    const size = this.file ? ` (${formatBytes(this.file.size)})` : "";
    const large = Boolean(this.file) && this.file.size > most;
    if (large) this.say(`It has ${formatBytes(this.file.size)}; ${formatBytes(most)} are allowed. Divide it.`, "warn");
    else this.say([el("bdi", {}, this.called), `${size}: with one folder per person, called as the person is.`]);
    this.show();
    this.go.disabled = large;
  }

  show() {
    this.options.hidden = this.running || this.complete;
    this.bar.hidden = !this.running;
    this.go.hidden = this.running || this.complete;
    this.go.textContent = this.report.rows.length ? "Try again with these options" : "Add the people in it";
    this.go.className = this.report.rows.length ? "" : "primary";
    this.shut.textContent = this.running && !this.job ? "Stop" : this.job ? "Close" : "Cancel";
    this.shut.className = this.report.rows.length && !this.running ? "primary" : "quiet";
  }

  async run() {
    Object.assign(this, { running: true, job: null });
    this.report.fill([]);
    this.show();
    this.shut.focus();
    try {
      this.job = (await this.send()).job;
      this.show();
      const done = await follow(this.job.id, (state) => this.tell(state), this.ended.signal);
      this.sum(done.report);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.say(words(error, this.called), "warn");
      this.job = null;
    }
    this.running = false;
    this.counts.replaceChildren();
    this.show();
    this.shut.focus();
  }

  /** Throws Problem. */
  send() {
    const options = { collection: this.collection, largest: this.largest.checked, force: this.force.checked };
    const path = address("/v1/bulk", options);
    // The same for every try: a request that was cut off after it arrived is not done twice.
    const headers = { "Idempotency-Key": crypto.randomUUID(), Prefer: "respond-async" };
    if (!this.file) return api("POST", path, { json: { folder: this.folder }, headers });
    const form = new FormData();
    form.append("archive", this.file, this.file.name);
    this.say("Sending…");
    const progress = (share) => this.sent(share);
    return upload(path, form, { headers, progress, signal: this.ended.signal });
  }

  sent(share) {
    this.bar.value = share;
    if (share < 1) return;
    this.bar.removeAttribute("value");
    this.say("Unpacking…");
  }

  tell({ status, progress }) {
    if (status === "queued") {
      this.bar.removeAttribute("value");
      this.say(`It is taken up as soon as a worker is free. ${CLOSE}`);
    }
    if (status === "away") this.say("The service does not answer. What has arrived there is kept; asking again…", "warn");
    if (status !== "running" || !progress) return;
    this.bar.value = progress.progress;
    const { done, total, outcomes } = progress;
    this.say(`${done.toLocaleString()} of ${counted(total, "photo")} done. ${CLOSE}`);
    const each = Object.entries(outcomes).map(([outcome, count]) =>
      el("li", {}, `${told({ outcome }).title}: ${count.toLocaleString()}`),
    );
    this.counts.replaceChildren(...each);
  }

  sum({ total, people, outcomes, photos }) {
    this.added = outcomes.enrolled ?? 0;
    const same = outcomes.duplicate ?? 0;
    const bad = total - this.added - same;
    const text = [`${this.added.toLocaleString()} of ${counted(total, "photo")} added`];
    text.push(this.added ? `, of ${counted(people, "person", "people")}.` : ".");
    if (same) text.push(` ${same.toLocaleString()} ${same === 1 ? "was" : "were"} there already.`);
    if (bad) text.push(` ${counted(bad, "photo")} could not be used.`);
    this.report.fill(photos, { bads: bad > 0 });
    this.say(text, bad ? "warn" : "good");
  }

  say(text, kind = "") {
    const symbol = { good: "check", warn: "warning" }[kind] ?? "info";
    this.said.replaceChildren(el("div", { class: `notice ${kind}` }, icon(symbol), el("p", {}, text)));
  }
}

/** A ZIP, by what the browser or its name says. */
export function isZip(file) {
  return /^application\/(x-)?zip/.test(file.type) || /\.zip$/i.test(file.name);
}
