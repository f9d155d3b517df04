// One job in the list: its picture, how it stands, who is in it, and what can be done with it.

import { sentence } from "./text.js";
import { el, formatDate, formatDuration, icon } from "./visage.js";

const KINDS = {
  recognize: "Recognize",
  detect: "Find faces",
  compare: "Compare",
  enroll: "Add a person",
  bulk: "Add many people",
};
const STATES = {
  queued: ["Waiting", "", "clock"],
  running: ["Running", "accent", "retry"],
  done: ["Done", "good", "check"],
  failed: ["Failed", "bad", "warning"],
};
const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|ts|wmv|flv|3gp|ogv)$/i;
// Pixels of the longer side of a picture: it is shown in a square of 64, on screens of up to three to one.
const SIDE = 320;
// Names that are shown; the rest is counted.
const MOST = 12;

export class JobRow {
  /**
   * does: {retry(row), forget(row), show(id), may}; may: whether the visitor may do the first two. show: goes to another
   * job of the list.
   */
  constructor(job, does) {
    this.does = does;
    this.title = job.names.join(" and ") || "A job without a file";
    this.badge = el("span", { class: "badge" });
    this.body = el("div", { class: "found" });
    this.actions = el("div", { class: "row" });
    const heading = el("h2", { id: `job-${job.id}`, tabindex: "-1", title: this.title }, this.title);
    const facts = [
      job.corrects ? "Correction" : (KINDS[job.kind] ?? job.kind),
      " · ",
      el("time", { datetime: iso(job.created) }, formatDate(job.created)),
    ];
    const head = el("div", { class: "head" }, heading, this.badge, el("p", { class: "muted small" }, facts));
    const article = el(
      "article",
      { class: "job", "aria-labelledby": heading.id },
      picture(job),
      head,
      this.body,
      this.actions,
    );
    this.element = el("li", {}, article);
    this.show(job);
  }

  get underWay() {
    return this.job.status === "queued" || this.job.status === "running";
  }

  /** Bring it up to date; what has not changed is left alone, so that nobody loses the button they stand on. */
  show(job) {
    const before = this.job;
    this.pace = job.progress ? pace(this.pace, job.progress) : null;
    this.job = job;
    if (job.status === "running" && before?.status === "running" && this.bar) return this.advance();
    if (before && JSON.stringify(before) === JSON.stringify(job)) return undefined;
    const [text, kind, symbol] = STATES[job.status];
    this.badge.className = `badge ${kind}`;
    this.badge.replaceChildren(icon(symbol), text);
    this.bar = null;
    this.body.replaceChildren(...this.content());
    if (before?.status !== job.status) this.offer();
    return undefined;
  }

  content() {
    const { status, people, kind } = this.job;
    if (status === "failed") return [el("p", { class: "why" }, reason(this.job))];
    if (status === "running") return this.progress();
    if (status === "queued") return [el("p", { class: "muted" }, "It is taken up as soon as a worker is free.")];
    if (this.job.corrects) return [this.correction()];
    if (people?.length) return [chips(people)];
    const nobody = {
      recognize: "Nobody was recognized.",
      detect: "The faces were looked for.",
      compare: "The photos were compared.",
      enroll: "No face was added.",
      bulk: "No face was added.",
    };
    return [el("p", { class: "muted" }, nobody[kind] ?? "It is done.")];
  }

  /** Who was said to be in which answer. */
  correction() {
    const { job, person, denied } = this.job.corrects;
    const show = (event) => {
      event.preventDefault();
      this.does.show(job);
    };
    const link = el("a", { href: `#job-${job}`, onclick: show }, "this answer");
    return el("p", {}, "A face in ", link, denied ? " was said not to be " : " was said to be ", el("bdi", {}, person), ".");
  }

  progress() {
    this.bar = el("progress", { max: 1, "aria-label": `Progress of ${this.title}` });
    this.left = el("p", { class: "muted small number" });
    this.advance();
    return [this.bar, this.left];
  }

  advance() {
    const done = this.job.progress?.progress ?? 0;
    if (done) this.bar.value = done;
    const left = this.pace?.left ?? null;
    const ends = left === null ? "" : `, about ${formatDuration(left)} left`;
    this.left.textContent = done ? `${Math.floor(100 * done)} %${ends}` : "It has just begun.";
  }

  offer() {
    const { status, corrects } = this.job;
    const focused = this.actions.contains(document.activeElement);
    const offered = [];
    const again = status === "failed" && !corrects; // what was said is said again at the answer
    if (again && this.does.may) offered.push(this.button("retry", "Retry", () => this.does.retry(this)));
    if (this.does.may) offered.push(this.button("trash", "Forget", () => this.does.forget(this)));
    this.actions.replaceChildren(...offered);
    if (focused) offered.at(-1)?.focus();
  }

  button(symbol, text, act) {
    const press = async (event) => {
      const pressed = event.currentTarget;
      pressed.disabled = true;
      await act();
      pressed.disabled = false;
    };
    const kind = symbol === "trash" ? "quiet small" : "small";
    return el(
      "button",
      { type: "button", class: kind, onclick: press, "aria-label": `${text}: ${this.title}` },
      icon(symbol),
      el("span", {}, text),
    );
  }
}

/** What to tell who listens of a job whose state has changed. */
export function newsOf(job) {
  const name = job.names.join(" and ");
  if (job.status === "done") return `${name} is done${job.people?.length ? `: ${job.people.join(", ")}` : ""}.`;
  if (job.status === "failed") return `${name} failed: ${reason(job)}`;
  return null;
}

/** The seconds that are left, from how far it has come since the first that was heard of it. */
function pace(known, { progress, at }) {
  const start = known && progress >= known.start.progress ? known.start : { progress, at };
  const speed = (progress - start.progress) / (at - start.at);
  return { start, left: speed > 0 ? (1 - progress) / speed : (known?.left ?? null) };
}

function picture(job) {
  const blank = (symbol) => el("div", { class: "thumb blank" }, icon(symbol));
  if (job.kind === "bulk") return blank("folder");
  if (!job.names.length || VIDEO.test(job.names[0])) return blank(job.names.length ? "video" : "jobs");
  const shown = el("img", { class: "thumb", alt: "", loading: "lazy", decoding: "async", width: 64, height: 64 });
  shown.addEventListener("error", () => shown.replaceWith(blank("picture")), { once: true });
  shown.src = `/v1/jobs/${job.corrects?.job ?? job.id}/source/0?size=${SIDE}`;
  return shown;
}

function chips(names) {
  const shown = names
    .slice(0, MOST)
    .map((name) => el("li", { class: name === "unknown" ? "badge" : "badge accent", dir: "auto" }, name));
  const rest = names.length - MOST;
  return el(
    "ul",
    { class: "names", "aria-label": "Who was found" },
    shown,
    rest > 0 && el("li", { class: "muted small" }, `and ${rest} more`),
  );
}

/** Why it failed, less the name of the file, which stands beside it already. */
function reason({ names, error }) {
  const detail = error?.detail ?? "it could not be done";
  const name = names.find((one) => detail.startsWith(`${one}: `));
  return sentence(name === undefined || names.length > 1 ? detail : detail.slice(name.length + 2));
}

const iso = (seconds) => new Date(seconds * 1000).toISOString();
