// A face of an answer is put right: who it is, or who it is not.

import { api, confirmDialog, dialog, el, icon, session, toast, words } from "./visage.js";
import { follow } from "./asking.js";
import { counted } from "./people-parts.js";
import { nameField } from "./people-names.js";
import { told } from "./people-photos.js";
import { undoing } from "./undo.js";

/** Where in the answer's `faces` a face is: a person's best one is a copy of one of them. */
export function placeOf(face, { faces }) {
  const same = (other) => other.frame === face.frame && other.box.every((value, at) => value === face.box[at]);
  return faces.findIndex((other) => other === face || same(other));
}

/**
 * Buttons that put a face right; none for who may not. context: {job, answer, collection, corrected}; corrected: called
 * with the answer as it is then, and the face's place in it.
 */
export function correctors(face, context) {
  if (!session().can("enroll")) return [];
  const button = (kind, content, work) => {
    const made = el("button", { type: "button", class: `small ${kind}` }, content);
    made.addEventListener("click", async () => {
      made.disabled = true;
      await work();
      made.disabled = false;
    });
    return made;
  };
  const place = placeOf(face, context.answer);
  if (!face.match) return [button("", [icon("person-add"), "Name…"], () => name(place, context))];
  const { name: taken, person_id } = face.match;
  const not = () => send(place, { deny: person_id }, context, `Noted: this is not ${taken}.`);
  return [
    button("quiet", el("span", { class: "cut" }, "Not ", el("bdi", {}, taken)), not),
    button("quiet", "Somebody else…", () => name(place, context, person_id)),
  ];
}

async function name(place, context, except = null) {
  const existing = (person) => `${person.name} is known already, with ${counted(person.faces, "face")}.`;
  const { field } = nameField({ label: "Name", collection: context.collection, except, existing });
  const text = "Choose somebody who is known, or type a new name. Visage learns from this face.";
  const form = await dialog({ title: "Who is this?", content: [el("p", { class: "muted" }, text), field], action: "Save" });
  const given = form?.elements.name.value.trim();
  if (given) await send(place, { name: given }, context, `This is ${given} from now on.`);
}

async function send(place, json, context, said) {
  try {
    const { enrollment, answer, change } = await learned(place, json, context.job);
    const { title, advice, remedy, kind } = told(enrollment);
    const right = (answer.faces[place].match?.name ?? null) === (json.name?.normalize("NFC") ?? null);
    if (!right && remedy === "force" && !json.force) {
      const sure = await confirmDialog({ title, text: `${advice} Or learn from this one all the same?`, action: "Learn from it" });
      if (sure) await send(place, { ...json, force: true }, context, said);
      return;
    }
    const poor = json.name && kind === "bad";
    const undone = async () => context.corrected((await api("GET", `/v1/jobs/${context.job}`)).answer, place);
    toast(poor ? `${title}. ${right ? "The answer was put right, but nothing was learned from this face." : advice}` : said, poor && !right ? "bad" : "good", undoing(change, undone));
    await context.corrected(answer, place);
  } catch (error) {
    toast(words(error), "bad");
  }
}

async function learned(place, json, job) {
  const done = await api("POST", `/v1/jobs/${job}/faces/${place}`, { json });
  if (done.answer) return done;
  const { enrollment } = (await follow(done.job.id)).answer;
  return { enrollment, answer: (await api("GET", `/v1/jobs/${job}`)).answer, change: null };
}
