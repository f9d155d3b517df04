// What was changed among the people, newest first, each change with its way back.

import { api, el, formatDate, icon, session, toast, words } from "./visage.js";
import { address, counted, named } from "./people-parts.js";

const PAGE = 20;

const SYMBOLS = {
  enroll: "person-add",
  bulk: "folder",
  rename: "edit",
  merge: "merge",
  move: "move",
  hide: "hide",
  unhide: "people",
  name: "person",
  correct: "edit",
};

/** What a change was, as parts of a line. */
function told({ kind, people, name, faces, pending }) {
  const [one, other] = people.map((person) => named(person.name));
  const some = counted(faces, "face");
  const kinds = {
    enroll: () => (pending ? ["Photos of ", one, " are being looked at"] : [some, " of ", one, " added"]),
    bulk: () => (pending ? ["Photos of many people are being looked at"] : [some, " of ", counted(people.length, "person", "people"), " added at once"]),
    rename: () => [one, " renamed to ", named(name)],
    merge: () => [one, " merged into ", other, `, ${some}`],
    move: () => [some, " moved from ", one, " to ", other],
    hide: () => [one, " hidden"],
    unhide: () => [one, " shown again"],
    name: () => ["Somebody unknown named ", one],
    ignore: () => ["Somebody unknown ignored"],
    restore: () => ["Somebody unknown brought back"],
    "not-a-face": () => ["Something said to be no face"],
    deny: () => ["A face said not to be ", one],
    correct: () => (one ? ["An answer put right: ", one] : ["An answer put right"]),
  };
  return (kinds[kind] ?? (() => [kind]))();
}

/**
 * The list in `box`, of the people of a collection or of one person. changed: called once something was undone,
 * to show everything anew, the list with it: `load`.
 */
export class Changes {
  constructor(box, { collection, person = "", changed }) {
    this.list = el("ul", { class: "changes", "aria-busy": "true", "aria-label": "Changes", tabindex: "0" });
    this.state = el("p", { class: "muted", role: "status" });
    this.more = el("button", { type: "button", class: "small", hidden: true, onclick: () => this.load(true) }, "Show older");
    box.append(this.list, this.state, this.more);
    // asked: the newest question wins, whichever answer comes last.
    Object.assign(this, { collection, person, changed, next: null, asked: 0 });
  }

  async load(onward = false) {
    const mine = ++this.asked;
    const made = [];
    let next = onward ? this.next : "";
    try {
      do {
        const query = { collection: this.collection || session().collection, person: this.person, limit: PAGE };
        const page = await api("GET", address("/v1/history", { ...query, cursor: next }));
        made.push(...page.changes);
        next = page.next;
      } while (next && !made.length && mine === this.asked);
    } catch (error) {
      if (mine === this.asked) this.state.textContent = words(error);
      return;
    }
    if (mine !== this.asked) return;
    if (!onward) this.list.replaceChildren();
    this.list.append(...made.map((change) => this.row(change)));
    this.list.setAttribute("aria-busy", "false");
    this.next = next;
    this.more.hidden = !next;
    this.state.textContent = this.list.children.length ? "" : "Nothing was changed lately.";
  }

  row(change) {
    const text = told(change);
    const by = change.by ? ` by ${change.by}` : "";
    const gone = change.undone && el("span", { class: "badge" }, icon("check"), "Undone");
    return el(
      "li",
      { class: change.undone ? "undone" : "", dataset: { kind: change.kind } },
      icon(SYMBOLS[change.kind] ?? "unknown"),
      el(
        "div",
        { class: "text" },
        el("p", {}, text),
        el("p", { class: "muted small" }, formatDate(change.at), by, change.undone ? `; undone ${formatDate(change.undone.at)}` : ""),
      ),
      gone || (session().can("enroll") && !change.pending && this.undo(change)),
    );
  }

  undo(change) {
    const label = el("span", { class: "unseen" }, ": ", told(change));
    const button = el("button", { type: "button", class: "small" }, icon("undo"), "Undo", label);
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await api("POST", `/v1/history/${encodeURIComponent(change.id)}/undo`);
        toast("Undone.", "good");
        await this.changed();
      } catch (error) {
        toast(words(error), "bad");
        await this.load();
      }
    });
    return button;
  }
}
