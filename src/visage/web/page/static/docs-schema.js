// Types of the OpenAPI document in words, as lists of fields, and as examples.

import { el } from "./visage.js";

// Objects within objects that are shown opened out.
const DEEPEST = 4;

/** The schema that a $ref stands for. */
export function resolve(schema, root) {
  const path = schema?.$ref?.split("/").slice(1) ?? null;
  return path ? path.reduce((at, key) => at[key], root) : (schema ?? {});
}

/** A type in words: "text", "number or null", "list of FaceOut". */
export function typeWords(given, root) {
  const schema = resolve(given, root);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((one) => typeWords(one, root)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.format === "binary") return "file";
  if (schema.type === "array") return `list of ${typeWords(schema.items ?? {}, root)}`;
  if (schema.type === "object")
    return schema.additionalProperties && !schema.properties ? mapWords(schema, root) : "object";
  return (
    { string: "text", integer: "whole number", boolean: "true or false", null: "null" }[schema.type] ??
    schema.type ??
    "anything"
  );
}

function mapWords({ additionalProperties: values }, root) {
  return values === true ? "object" : `object of ${typeWords(values, root)}`;
}

/** The bounds of a value: "0 to 1", "at most 255 characters". */
export function bounds(given, root) {
  const schema = resolve(given, root);
  const parts = [];
  const all = [schema, ...(schema.anyOf ?? []).map((one) => resolve(one, root))];
  const find = (key) => all.map((one) => one[key]).find((value) => value !== undefined);
  const [least, above, most, length] = [find("minimum"), find("exclusiveMinimum"), find("maximum"), find("maxLength")];
  if (least !== undefined) parts.push(`at least ${least}`);
  if (above !== undefined) parts.push(`above ${above}`);
  if (most !== undefined) parts.push(`at most ${most}`);
  if (length !== undefined) parts.push(`at most ${length} characters`);
  const usual = schema.default;
  if (usual !== undefined && usual !== null) parts.push(`${JSON.stringify(usual)} unless given`);
  return parts.join(", ");
}

/** The object, or list of objects, within a type; null where there is none. */
function objectIn(given, root) {
  const schema = resolve(given, root);
  if (schema.properties) return schema;
  const inner = schema.type === "array" ? [schema.items] : (schema.anyOf ?? schema.oneOf ?? []);
  const values = typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : [];
  return [...inner, ...values].map((one) => one && objectIn(one, root)).find(Boolean) ?? null;
}

/**
 * The fields of a type, each with its type, bounds and meaning; nested objects can be opened.
 * known: names that are left out. sure: what to say of a field that must be there.
 */
export function fields(given, root, { known = new Set(), sure = "always", seen = [] } = {}) {
  const schema = objectIn(given, root);
  if (!schema || seen.includes(schema) || seen.length >= DEEPEST) return null;
  const required = new Set(schema.required ?? []);
  const within = { sure, seen: [...seen, schema] };
  const list = Object.entries(schema.properties)
    .filter(([name]) => !known.has(name))
    .map(([name, one]) =>
      field({ name, schema: one, sure: required.has(name) && sure, inner: fields(one, root, within) }, root),
    );
  const about = schema.description && el("p", { class: "muted small" }, oneLine(schema.description));
  return el("div", { class: "fields" }, about, el("ul", {}, list));
}

/** A field or parameter, as an item of a list. */
export function field({ name, schema, sure, inner = null, description = "" }, root) {
  // What need not be there may be null as well; that goes without saying.
  const type = sure ? typeWords(schema, root) : typeWords(schema, root).replace(/ or null$/, "");
  const head = el("p", {}, el("code", {}, name), " ", el("span", { class: "muted small" }, type, sure && `, ${sure}`));
  const limits = bounds(schema, root);
  const text = [oneLine(description || resolve(schema, root).description || ""), limits && `(${limits})`]
    .filter(Boolean)
    .join(" ");
  const about = text && !inner && el("p", { class: "small" }, text);
  return el(
    "li",
    { class: "of" },
    head,
    about,
    inner && el("details", {}, el("summary", { class: "small" }, "its fields"), inner),
  );
}

/** A value that fits the type, for an example. */
export function example(given, root, name = "") {
  const schema = resolve(given, root);
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  if (schema.enum) return schema.enum[0];
  const choice = (schema.anyOf ?? schema.oneOf)?.find((one) => resolve(one, root).type !== "null");
  if (choice) return example(choice, root, name);
  if (schema.type === "array") return [example(schema.items ?? {}, root, name)];
  if (schema.properties) {
    const needed = schema.required ?? Object.keys(schema.properties).slice(0, 1);
    return Object.fromEntries(needed.map((key) => [key, example(schema.properties[key], root, key)]));
  }
  return (
    { integer: 1, number: 0.5, boolean: true, object: {} }[schema.type] ??
    (name === "name" ? "Ada Lovelace" : (name || "text").toUpperCase())
  );
}

const oneLine = (text) => text.replace(/\s+/g, " ").trim();
