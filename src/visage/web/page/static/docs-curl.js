// A request as a line for a shell, to be copied.

import { example, resolve, typeWords } from "./docs-schema.js";
import { el, session, toast } from "./visage.js";

const JSON_TYPE = "application/json";
const FORM = "multipart/form-data";

export function curl(path, method, operation, root) {
  const text = command(path, method, operation, root);
  const copy = el("button", { type: "button", class: "small" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.", "good");
    } catch {
      toast("This browser does not let pages copy; mark the text instead.", "bad");
    }
  });
  return el(
    "div",
    { class: "example" },
    el("pre", { tabindex: "0", "aria-label": "Example" }, el("code", {}, text)),
    copy,
  );
}

/** The request as a line for a shell. */
function command(path, method, operation, root) {
  const needed = (operation.parameters ?? []).filter((one) => one.in === "query" && one.required);
  const query = needed.map((one) => `${one.name}=${example(one.schema, root, one.name)}`).join("&");
  const url = location.origin + path.replace(/{(\w+)}/g, (_, name) => name.toUpperCase()) + (query && `?${query}`);
  const parts = [`curl '${url}'`];
  const content = operation.requestBody?.content ?? {};
  if (method !== "GET" && !(method === "POST" && operation.requestBody)) parts[0] = `curl -X ${method} '${url}'`;
  if (operation.security?.length && session().keys) parts.push('-H "Authorization: Bearer $VISAGE_KEY"');
  if (content[FORM]) parts.push(...formParts(content[FORM].schema, root));
  else if (content[JSON_TYPE])
    parts.push(`--json '${JSON.stringify(example(content[JSON_TYPE].schema, root)).replaceAll("'", "'\\''")}'`);
  return parts.join(" \\\n  ");
}

/** -F for what must be in a form; where nothing must, for the first file. */
function formParts(given, root) {
  const schema = resolve(given, root);
  const properties = Object.entries(schema.properties ?? {});
  const isFile = (one) => typeWords(one, root).includes("file");
  const first = properties.find(([, one]) => isFile(one))?.[0];
  const needed = schema.required?.length ? schema.required : [first].filter(Boolean);
  return needed.map((name) => {
    const one = schema.properties[name];
    return isFile(one) ? `-F '${name}=@photo.jpg'` : `-F '${name}=${[example(one, root, name)].flat()[0]}'`;
  });
}
