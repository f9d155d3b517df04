// A readable page of /openapi.json: routes by what they are about, each with what goes in, what comes out, and a curl.

import { curl } from "./docs-curl.js";
import { bounds, field, fields, resolve } from "./docs-schema.js";
import { el, icon, session } from "./visage.js";

// What a route is about, by how its path begins; the first that fits.
const GROUPS = [
  ["Recognize", ["/v1/recognize", "/v1/detect", "/v1/compare"]],
  ["People", ["/v1/people", "/v1/faces", "/v1/collections", "/v1/bulk"]],
  ["Unknown people", ["/v1/unknown"]],
  ["History", ["/v1/history", "/v1/audit"]],
  ["Jobs", ["/v1/jobs"]],
  ["System", ["/v1/system", "/v1/models"]],
  ["Logging in", ["/v1/session"]],
  ["More of /v1", ["/v1/"]],
  ["Around it", ["/"]],
];

const place = (id) => document.getElementById(id);

async function begin() {
  let root;
  try {
    const response = await fetch("/openapi.json");
    if (!response.ok) throw new Error(String(response.status));
    root = await response.json();
  } catch {
    place("trouble").replaceChildren(
      icon("warning"),
      el("p", {}, "The document of the API cannot be read. Load the page again."),
    );
    place("trouble").hidden = false;
    return;
  }
  place("about").textContent = root.info.description;
  const sections = grouped(root).map(([title, routes]) => section(title, routes, root));
  place("routes").replaceChildren(access(), ...sections.map((one) => one.element));
  place("routes").removeAttribute("aria-busy");
  place("contents").replaceChildren(...sections.map((one) => one.contents));
  searching(sections);
  window.addEventListener("hashchange", open);
  open();
}

/** [title, routes], of routes that programs ask. */
function grouped(root) {
  const found = new Map(GROUPS.map(([title]) => [title, []]));
  for (const [path, item] of Object.entries(root.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const [title] = GROUPS.find(([, starts]) => starts.some((start) => path.startsWith(start)));
      found.get(title).push({ path, method: method.toUpperCase(), operation });
    }
  }
  return [...found].filter(([, routes]) => routes.length);
}

function section(title, routes, root) {
  const made = routes.map((one) => route(one, root));
  const element = el(
    "section",
    { class: "stack", "aria-label": title },
    el("h2", {}, title),
    made.map((one) => one.element),
  );
  const contents = el(
    "div",
    {},
    el("h3", {}, title),
    el(
      "ul",
      {},
      made.map((one) => one.link),
    ),
  );
  return { element, contents, routes: made };
}

function route({ path, method, operation }, root) {
  const id = operation.operationId ?? `${method}-${path}`;
  const badge = el("span", { class: `badge method ${method.toLowerCase()}` }, method);
  const line = el("summary", {}, badge, el("code", {}, path), el("span", { class: "muted" }, operation.summary ?? ""));
  const element = el("details", { class: "card route", id }, line);
  // Made when it is first opened: most are never looked at.
  element.addEventListener(
    "toggle",
    () => element.children.length === 1 && element.append(inside({ path, method, operation }, root)),
  );
  const link = el("li", {}, el("a", { href: `#${id}` }, operation.summary ?? path));
  return { element, link, text: textOf(path, method, operation, root) };
}

/** What a route can be found by: all its words, and the names of what goes in. */
function textOf(path, method, operation, root) {
  const names = (operation.parameters ?? []).flatMap((one) => [
    one.name,
    one.description ?? one.schema?.description ?? "",
  ]);
  const bodies = Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema }) =>
    Object.keys(resolve(schema, root).properties ?? {}),
  );
  return [path, method, operation.summary, operation.description, ...names, ...bodies].join(" ").toLowerCase();
}

function inside({ path, method, operation }, root) {
  return el(
    "div",
    { class: "stack inside" },
    operation.description && el("p", {}, operation.description),
    curl(path, method, operation, root),
    parameters(operation, root),
    bodies(operation, root),
    answers(operation, root),
  );
}

function parameters(operation, root) {
  const all = operation.parameters ?? [];
  return ["path", "query", "header"].map((where) => {
    const some = all.filter((one) => one.in === where);
    const title = { path: "In the address", query: "In the query", header: "Headers" }[where];
    return (
      some.length > 0 &&
      el(
        "div",
        {},
        el("h3", {}, title),
        el(
          "ul",
          { class: "fields" },
          some.map((one) => field({ ...one, sure: one.required && "needed" }, root)),
        ),
      )
    );
  });
}

/** What the body may be. Options that may stand in the query as well are not told twice. */
function bodies(operation, root) {
  const known = new Set((operation.parameters ?? []).filter((one) => one.in === "query").map((one) => one.name));
  const all = Object.entries(operation.requestBody?.content ?? {});
  const told = all.map(([kind, { schema }]) => ({ kind, inner: fields(schema, root, { known, sure: "needed" }) }));
  const bare = told.filter((one) => !one.inner).flatMap(({ kind }, at) => [at > 0 && " or ", el("code", {}, kind)]);
  return [
    ...told
      .filter((one) => one.inner)
      .map(({ kind, inner }) => el("div", {}, el("h3", {}, "Body: ", el("code", {}, kind)), inner)),
    bare.length > 0 &&
      el("div", {}, el("h3", {}, "Body: ", bare), el("p", { class: "muted small" }, "The file itself.")),
  ];
}

function answers(operation, root) {
  const all = Object.entries(operation.responses ?? {});
  const good = all.filter(([status]) => status < 400).map(([status, given]) => answer(status, given, root));
  const bad = all.filter(([status]) => status >= 400);
  const problems = bad.map(([status, given]) =>
    el("li", {}, el("strong", { class: "number" }, status), " ", resolve(given, root).description),
  );
  return [
    el("div", { class: "stack" }, el("h3", {}, "Answers"), good),
    bad.length > 0 &&
      el(
        "details",
        {},
        el("summary", {}, `What can go wrong (${bad.length})`),
        el("ul", { class: "problems small" }, problems),
      ),
  ];
}

function answer(status, given, root) {
  const { description, content = {} } = resolve(given, root);
  const kinds = Object.entries(content).map(([kind, { schema }]) => [
    el("p", { class: "small" }, el("code", {}, kind), " ", bounds(schema ?? {}, root)),
    schema && fields(schema, root),
  ]);
  return el("div", {}, el("p", {}, el("strong", { class: "number" }, status), " ", description), kinds);
}

/** How to be let in. */
function access() {
  const send = "send one with every request: Authorization: Bearer KEY.";
  const text = session().keys
    ? `The command visage keys create NAME makes an API key; ${send}`
    : `There are no API keys here, so programs on this machine need none. Once there are, ${send}`;
  return el("div", { class: "notice" }, icon("key"), el("div", {}, el("p", {}, text)));
}

function searching(sections) {
  const input = place("search");
  input.addEventListener("input", () => {
    const asked = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let hits = 0;
    for (const one of sections) {
      for (const { element, link, text } of one.routes) {
        const fits = asked.every((word) => text.includes(word));
        element.hidden = link.hidden = !fits;
        hits += fits;
      }
      one.element.hidden = one.contents.hidden = one.routes.every(({ element }) => element.hidden);
    }
    place("hits").textContent = asked.length ? `${hits || "No"} route${hits === 1 ? "" : "s"}` : "";
  });
}

/** Open the route that the address names. */
function open() {
  const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!found?.matches("details.route")) return;
  found.open = true;
  found.scrollIntoView();
  found.querySelector("summary").focus({ preventScroll: true });
}

begin();
