// Jobs: what was asked for, how it stands, and what came of it, live while the page is looked at.

import { showGauges } from "./gauges.js";
import { JobRow, newsOf } from "./job-row.js";
import { api, confirmDialog, el, icon, session, toast, words } from "./visage.js";

const PAGE = 50;
// Seconds between two looks: while something is under way, while nothing is, after a failure.
const BUSY = 2;
const QUIET = 5;
const SILENT = 5;

const place = (id) => document.getElementById(id);
const [list, none, more, trouble, filter] = ["jobs", "none", "more", "trouble", "filter"].map(place);

/** What is shown, by id, newest first; and where the pages that were not asked for yet begin. */
const rows = new Map();
let cursor = null;
let timer = null;
let looking = false;

async function look() {
  if (looking || document.hidden) return;
  looking = true;
  clearTimeout(timer);
  let pause = SILENT;
  try {
    const [page] = await Promise.all([api("GET", `/v1/jobs?limit=${PAGE}`), gauge()]);
    take(page);
    trouble.hidden = true;
    pause = [...rows.values()].some((row) => row.underWay) ? BUSY : QUIET;
  } catch (error) {
    if (trouble.hidden) trouble.replaceChildren(icon("warning"), el("p", {}, `${words(error)} Trying again…`));
    trouble.hidden = false;
  } finally {
    looking = false;
    list.removeAttribute("aria-busy");
    timer = setTimeout(look, 1000 * pause);
  }
}

async function gauge() {
  showGauges(place("gauges"), await api("GET", "/v1/system"));
}

/** The newest page: what is on it is brought up to date, what is missing from it was forgotten elsewhere. */
function take({ jobs, next }) {
  const first = rows.size === 0;
  const listed = new Set(jobs.map((job) => job.id));
  const oldest = next && jobs.length ? jobs.at(-1).created : -Infinity;
  for (const [id, row] of rows) if (!listed.has(id) && row.job.created > oldest) remove(id);
  const news = jobs.map(put).filter((text) => text && !first);
  if (first || !next) cursor = next;
  arrange();
  if (news.length) place("news").textContent = news.join(" ");
}

/** Bring a job's row up to date, or make one; what there is to tell of it. */
function put(job) {
  const row = rows.get(job.id);
  if (!row) {
    rows.set(job.id, new JobRow(job, { retry, forget, show, may: session().can("recognize") }));
    return null;
  }
  const before = row.job.status;
  row.show(job);
  return before === job.status ? null : newsOf(job);
}

/** The rows in their order, and of them those that are asked for. An element that stands right is not touched. */
function arrange() {
  const wanted = chosen();
  const order = [...rows.values()].sort((a, b) => b.job.created - a.job.created || (a.job.id < b.job.id ? 1 : -1));
  order.forEach((row, at) => {
    if (list.children[at] !== row.element) list.insertBefore(row.element, list.children[at] ?? null);
    row.element.hidden = Boolean(wanted) && row.job.status !== wanted;
  });
  const shown = order.filter((row) => !row.element.hidden).length;
  more.hidden = cursor === null;
  none.hidden = shown > 0;
  list.hidden = shown === 0;
  filter.hidden = rows.size === 0;
  if (!shown) none.replaceChildren(...(rows.size ? nothingOf(wanted) : nothing()));
}

const chosen = () => filter.querySelector(":checked").value;

function nothing() {
  return [
    icon("jobs"),
    el("h2", {}, "Nothing was asked for yet"),
    el("p", { class: "muted" }, "Photos and videos that you drop on Recognize show up here, with who is in them."),
    ...(session().can("recognize") ? [el("a", { class: "button primary", href: "/" }, "Recognize somebody")] : []),
  ];
}

function nothingOf(state) {
  const text = { queued: "No job is waiting.", running: "No job is running.", done: "No job is done yet." }[state];
  return [icon("check"), el("p", {}, text ?? "No job has failed."), el("p", { class: "muted small" }, olderWords())];
}

const olderWords = () => (cursor === null ? "" : "There may be some among the older ones.");

async function older() {
  const first = (await further())?.[0];
  rows.get(first?.id)?.element.querySelector("h2").focus();
}

/** The next page, shown below the others; null where it could not be had. */
async function further() {
  more.disabled = true;
  try {
    const { jobs, next } = await api("GET", `/v1/jobs?limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`);
    cursor = next;
    jobs.forEach(put);
    arrange();
    return jobs;
  } catch (error) {
    toast(words(error), "bad");
    return null;
  } finally {
    more.disabled = false;
  }
}

/** Go to a job, which may be an older one than are shown. */
async function show(id) {
  while (!rows.has(id) && cursor !== null && (await further()));
  const row = rows.get(id);
  if (!row) {
    if (cursor === null) toast("That job is not kept any more.", "bad");
    return;
  }
  if (row.element.hidden) filter.querySelector('input[value=""]').click();
  row.element.querySelector("h2").focus();
}

async function retry(row) {
  try {
    await api("POST", `/v1/jobs/${row.job.id}/retry`);
    row.show({ ...row.job, status: "queued", error: undefined });
    toast("It is tried again.", "good");
    await look();
  } catch (error) {
    toast(words(error), "bad");
  }
}

async function forget(row) {
  const sure = await confirmDialog({
    title: "Forget this job?",
    text: `${row.title} and what was found in it are deleted from the service. People who were enrolled stay.`,
    action: "Forget it",
    danger: true,
  });
  if (!sure) return;
  try {
    await api("DELETE", `/v1/jobs/${row.job.id}`);
  } catch (error) {
    if (error.status !== 404) return toast(words(error), "bad");
  }
  const visible = [...list.children].filter((item) => !item.hidden);
  const at = visible.indexOf(row.element);
  remove(row.job.id);
  arrange();
  (visible[at + 1] ?? visible[at - 1])?.querySelector("h2").focus();
  toast("It is forgotten.", "good");
}

function remove(id) {
  rows.get(id).element.remove();
  rows.delete(id);
}

function begin() {
  const asked = new URLSearchParams(location.search).get("state") ?? "";
  const choice = [...filter.querySelectorAll("input")].find((input) => input.value === asked);
  if (choice) choice.checked = true;
  filter.addEventListener("change", () => {
    const state = chosen();
    history.replaceState(null, "", state ? `?state=${state}` : location.pathname);
    arrange();
  });
  more.addEventListener("click", older);
  document.addEventListener("visibilitychange", look);
  look();
}

begin();
