// What changes somebody: other name, merged into another, faces moved, erased. Each asks first, does it, and says what
// was done; each is a promise of the result, or of null where it was given up or refused.

import { api, dialog, el, icon, session, toast, words } from "./visage.js";
import { address, counted, named } from "./people-parts.js";
import { nameField } from "./people-names.js";
import { undoing } from "./undo.js";

/** Say what was done to a person, with the way back. Once it was gone, the document hears of it: "undone". */
export async function did(text, person, collection) {
  const query = { collection: collection || session().collection, person: person.id, limit: 1 };
  let change = null;
  try {
    [change] = (await api("GET", address("/v1/history", query))).changes;
  } catch {
    // It is done all the same, and in the history.
  }
  toast(text, "good", undoing(change?.id, () => document.dispatchEvent(new Event("undone"))));
}

function resource(person, collection, verb = "") {
  return address(`/v1/people/${encodeURIComponent(person.id)}${verb}`, { collection });
}

/** Give somebody another name; the person as they are then. version: the ETag of whom the visitor sees. */
export async function renamed(person, name, collection, version = null) {
  const headers = version ? { "If-Match": version } : {};
  return api("PATCH", resource(person, collection), { json: { name }, headers });
}

/** Ask for another name until it is one. */
export async function rename(person, collection) {
  let [name, trouble] = [person.name, ""];
  for (;;) {
    const input = el("input", {
      name: "name",
      value: name,
      required: true,
      maxlength: 200,
      dir: "auto",
      autocomplete: "off",
    });
    const field = el("label", { class: "field" }, el("span", {}, "Name"), input);
    const said = trouble
      ? el("div", { class: "notice bad", role: "alert" }, icon("warning"), el("p", {}, trouble))
      : [];
    const form = await dialog({ title: "Rename", content: [field, said], action: "Rename" });
    name = input.value.trim();
    if (!form || name === person.name) return null;
    try {
      const done = await renamed(person, name, collection);
      did(`${person.name} is called ${done.name} now.`, done, collection);
      return done;
    } catch (error) {
      trouble = words(error);
    }
  }
}

/** Let people not be named any more, or again; how many. */
export async function hide(people, collection, hidden) {
  let [done, last] = [0, null];
  try {
    for (const person of people.filter((one) => one.hidden !== hidden)) {
      last = await api("POST", resource(person, collection, hidden ? "/hide" : "/unhide"));
      done += 1;
    }
  } catch (error) {
    toast(words(error), "bad");
  }
  const who = done === 1 ? last.name : counted(done, "person", "people");
  const text = hidden ? `${who} hidden: no answer names them.` : `${who} shown again.`;
  if (done === 1) did(text, last, collection);
  else if (done) toast(text, "good");
  return done;
}

/** Make several people one; who is left. */
export async function merge(people, collection) {
  const most = Math.max(...people.map((person) => person.faces));
  const first = people.find((person) => person.faces === most);
  const choices = people.map((person) => {
    const chosen = person === first;
    const choice = el("input", { type: "radio", name: "keep", value: person.id, checked: chosen, autofocus: chosen });
    return el(
      "label",
      { class: "choice" },
      choice,
      named(person.name),
      el("span", { class: "muted" }, counted(person.faces, "face")),
    );
  });
  const faces = people.reduce((sum, person) => sum + person.faces, 0);
  const text = el("p", {}, `They become one person with ${counted(faces, "face")}. The other ${people.length > 2 ? "names are" : "name is"} gone then.`);
  const content = [text, el("fieldset", { class: "choices" }, el("legend", {}, "Which name to keep?"), choices)];
  const form = await dialog({ title: `Merge ${counted(people.length, "person", "people")}`, content, action: "Merge" });
  if (!form) return null;
  const into = form.elements.keep.value;
  let left = null;
  try {
    for (const person of people.filter((one) => one.id !== into)) {
      left = await api("POST", resource(person, collection, "/merge"), { json: { into } });
    }
    const text = `${left.name} has ${counted(left.faces, "face")} now.`;
    if (people.length === 2) did(text, left, collection);
    else toast(text, "good");
  } catch (error) {
    toast(words(error), "bad");
  }
  return left;
}

/** Move faces of a person to another; who has them now. */
export async function moveFaces(person, faces, collection) {
  const existing = (found) => `${found.name} has ${counted(found.faces, "face")}.`;
  const { field } = nameField({ label: faces.length === 1 ? "Whose is it?" : "Whose are they?", collection, except: person.id, existing });
  const text = el("p", { class: "muted" }, "Choose somebody who is there, or type a new name.");
  const all =
    faces.length === person.faces ? el("p", {}, allOf(faces), named(person.name), " is gone then.") : [];
  const title = `Move ${counted(faces.length, "face")}`;
  const form = await dialog({ title, content: [field, text, all], action: "Move" });
  if (!form) return null;
  const name = form.elements.name.value.trim();
  try {
    const json = { faces: faces.map((face) => face.id), name };
    const owner = await api("POST", resource(person, collection, "/move"), { json });
    did(`${counted(faces.length, "face")} moved to ${owner.name}.`, owner, collection);
    return owner;
  } catch (error) {
    toast(words(error), "bad");
    return null;
  }
}

/** Erase people for good; how many are gone. */
export async function erase(people, collection) {
  const faces = people.reduce((sum, person) => sum + person.faces, 0);
  const one = people.length === 1;
  const whose = one ? named(people[0].name) : counted(people.length, "person", "people");
  const title = el("span", {}, "Delete ", whose, "?");
  const them = one ? "them" : "any of them";
  const content = [
    one
      ? []
      : el(
          "ul",
          { class: "chips" },
          people.map((person) => el("li", {}, named(person.name))),
        ),
    el("p", {}, "This is erased from the disk:"),
    el(
      "ul",
      { class: "points" },
      el("li", {}, one ? "the name" : `${people.length} names`),
      el("li", {}, `${counted(faces, "face")}: what was measured of ${faces === 1 ? "it" : "each"}, and its picture`),
      el("li", {}, `every kept job in which ${them} was found: the photo or video that was sent, and its result`),
    ),
    el("p", {}, el("strong", {}, "It cannot be undone."), " Backups and exported files are not reached."),
  ];
  if (!(await dialog({ title, content, action: "Delete for good", danger: true }))) return 0;
  const sum = { faces: 0, crops: 0, jobs: 0 };
  let gone = 0;
  try {
    for (const person of people) {
      const { erased } = await api("DELETE", resource(person, collection));
      for (const key of Object.keys(sum)) sum[key] += erased[key] ?? 0;
      gone += 1;
    }
  } catch (error) {
    toast(words(error), "bad");
  }
  if (gone) toast(`${gone === 1 ? people[0].name : counted(gone, "person", "people")}: ${told(sum)} erased.`, "good");
  return gone;
}

/** Erase some faces of a person for good; how many are gone. */
export async function eraseFaces(person, faces, collection) {
  const last = faces.length === person.faces;
  const content = [
    el(
      "p",
      {},
      `What was measured of ${faces.length === 1 ? "it" : "each"}, its picture, and the photo that was sent, where it is still kept, are erased from the disk.`,
    ),
    last ? el("p", {}, allOf(faces), named(person.name), " is gone then.") : [],
    el("p", {}, el("strong", {}, "It cannot be undone.")),
  ];
  const title = `Delete ${counted(faces.length, "face")}?`;
  if (!(await dialog({ title, content, action: "Delete for good", danger: true }))) return 0;
  let gone = 0;
  try {
    for (const face of faces) {
      await api("DELETE", address(`/v1/faces/${encodeURIComponent(face.id)}`, { collection }));
      gone += 1;
    }
  } catch (error) {
    toast(words(error), "bad");
  }
  if (gone) toast(`${counted(gone, "face")} erased.`, "good");
  return gone;
}

const allOf = (faces) => (faces.length === 1 ? "This is their only one: " : "These are all of them: ");

function told({ faces, crops, jobs }) {
  const said = [counted(faces, "face"), counted(crops, "picture"), counted(jobs, "job")];
  return `${said[0]}, ${said[1]} and ${said[2]}`;
}
