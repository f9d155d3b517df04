// The shell: what every page uses. Text reaches the document through text nodes alone, so a person called <script>
// stays text.

const ROLES = ["read", "recognize", "enroll", "admin"];

/** What the service refused, in its own words. status: of HTTP, 0 where nothing answered. */
export class Problem extends Error {
  constructor({ status, title, detail, job = null, retry = null }) {
    super(detail || title);
    this.name = "Problem";
    Object.assign(this, { status, title, detail: detail || title, job, retry });
  }
}

/** Who is logged in: {name, role, keys, collection, maxUpload, can(role)}. keys: whether one has to log in at all. */
export function session() {
  const { name, role, keys, collection, maxUpload } = document.body.dataset;
  const can = (needed) => ROLES.indexOf(role) >= ROLES.indexOf(needed);
  return { name, role, keys: keys === "yes", collection, maxUpload: Number(maxUpload), can };
}

/**
 * Ask the service; its JSON, or null where it has nothing to say (204). json: a body; form: a FormData.
 * Throws Problem. Whoever is not logged in any more is sent to log in.
 */
export async function api(method, path, { json, form, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", "X-Visage": "1", ...headers };
  if (json !== undefined) sent["Content-Type"] = "application/json";
  const body = json !== undefined ? JSON.stringify(json) : form;
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw silent();
  }
  const text = await response.text();
  return read(response.status, text, response.headers.get("Retry-After"));
}

/** POST a form and tell how much of it has gone, 0 to 1, to `progress`. As `api` otherwise. */
export function upload(path, form, { headers = {}, progress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries({ Accept: "application/json", "X-Visage": "1", ...headers })) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", (event) => event.total && progress(event.loaded / event.total));
    request.addEventListener("load", () => {
      try {
        resolve(read(request.status, request.responseText, request.getResponseHeader("Retry-After")));
      } catch (problem) {
        reject(problem);
      }
    });
    request.addEventListener("error", () => reject(silent()));
    request.addEventListener("abort", () => reject(new DOMException("ended", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

function silent() {
  const detail = "The service does not answer. See whether it still runs, then try again.";
  return new Problem({ status: 0, title: "No answer", detail });
}

function read(status, text, retry) {
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  if (status >= 200 && status < 300) return body;
  if (status === 401 && location.pathname !== "/login") {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  throw new Problem({ title: `Error ${status}`, detail: "", ...body, status, retry: retry ? Number(retry) : null });
}

/**
 * An element. props: `class`, `dataset`, `style` (an object), `on…` handlers, properties such as `value` or `hidden`,
 * attributes otherwise; null and false leave a prop out. children: elements, texts, lists of them; null is nothing.
 */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(made.dataset, value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) made.style.setProperty(key, one);
    else if (name === "value" || name === "checked" || name === "indeterminate") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** An icon out of icons.svg. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${new URL("./icons.svg", import.meta.url).pathname}#${name}`);
  svg.append(use);
  return svg;
}

/** Say something in passing. kind: "info", "good" or "bad". offer: {label, act}, a button with what it does. */
export function toast(text, kind = "info", offer = null) {
  const symbol = { good: "check", bad: "warning" }[kind] ?? "info";
  const close = el("button", { class: "quiet round", type: "button", "aria-label": "Close" }, icon("close"));
  const more = offer && el("button", { class: "quiet small", type: "button" }, offer.label);
  const made = el("div", { class: `toast ${kind}` }, icon(symbol), el("p", {}, text), more, close);
  const gone = () => made.remove();
  close.addEventListener("click", gone);
  more?.addEventListener("click", () => {
    gone();
    offer.act();
  });
  document.getElementById("toasts").append(made);
  setTimeout(gone, kind === "bad" || offer ? 12000 : 6000);
}

/** Ask before something is done; a promise of true or false. danger: it cannot be undone. */
export async function confirmDialog({ title, text, action = "OK", danger = false }) {
  return (await dialog({ title, action, danger, content: text ? [el("p", {}, text)] : [] })) !== null;
}

/** Ask for a line of text; a promise of it, trimmed, or of null. suggestions: to choose from. */
export async function promptDialog({ title, text = "", label, value = "", action = "OK", suggestions = [] }) {
  const input = el("input", { name: "value", value, required: true, autocomplete: "off", maxlength: 200 });
  if (suggestions.length) input.setAttribute("list", "suggestions");
  const list = el("datalist", { id: "suggestions" }, suggestions.map((one) => el("option", { value: one })));
  const field = el("label", { class: "field" }, el("span", {}, label), input);
  const done = await dialog({ title, action, content: [text && el("p", {}, text), field, list] });
  return done === null ? null : input.value.trim() || null;
}

/** A modal form with `content` in it; a promise of the form, or of null where it was given up. */
export function dialog({ title, content = [], action = "OK", danger = false }) {
  const cancel = el("button", { type: "button", class: "quiet" }, "Cancel");
  const go = el("button", { type: "submit", class: danger ? "danger" : "primary" }, action);
  const heading = el("h2", { id: "dialog-title" }, title);
  const form = el("form", { method: "dialog" }, heading, content, el("div", { class: "row end" }, cancel, go));
  const box = el("dialog", { "aria-labelledby": "dialog-title" }, form);
  document.body.append(box);
  return new Promise((resolve) => {
    let answer = null;
    cancel.addEventListener("click", () => box.close());
    form.addEventListener("submit", () => (answer = form));
    box.addEventListener("close", () => {
      box.remove();
      resolve(answer);
    });
    box.showModal();
    if (danger) cancel.focus();
  });
}

/** An error in words for people. about: what they know it is about, so that it need not be said again. */
export function words(error, about = "") {
  if (!(error instanceof Problem)) return "Something went wrong on this page. Load it again.";
  const detail = about && error.detail.startsWith(`${about}: `) ? error.detail.slice(about.length + 2) : error.detail;
  const said = detail.charAt(0).toUpperCase() + detail.slice(1);
  return /[.!?]$/.test(said) ? said : `${said}.`;
}

/** Seconds of a video: 75.4 -> "1:15". */
export function formatTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** A length of time in words: 75 -> "1 min 15 s". */
export function formatDuration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** Seconds since 1970 -> date and time as the reader writes them. */
export function formatDate(seconds) {
  return new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** 1536 -> "1.5 KB". */
export function formatBytes(bytes) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** step).toLocaleString(undefined, { maximumFractionDigits: step ? 1 : 0 })} ${units[step]}`;
}

/** 0.985 -> "98.5 %". */
export function formatPercent(share) {
  const percent = share * 100;
  return `${percent.toLocaleString(undefined, { maximumFractionDigits: percent > 99 || percent < 1 ? 1 : 0 })} %`;
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("visage-theme", root.dataset.theme);
  } catch {
    // Not remembered then.
  }
}

document.getElementById("theme")?.addEventListener("click", switchTheme);
document.getElementById("logout")?.addEventListener("click", async () => {
  try {
    await api("DELETE", "/v1/session");
    location.assign("/login");
  } catch (error) {
    toast(words(error), "bad");
  }
});
