// All faces of an unknown person, larger: those that are somebody else's are taken out.

import { api, el, formatDate, formatTime, icon, session, toast, words } from "./visage.js";
import { address, counted } from "./people-parts.js";
import { act, namer, outdated, picture, told } from "./unknown-parts.js";
import { undoing } from "./undo.js";

const AT_ONCE = 60;

/** Shows them in a dialog; a promise of whether anything was changed. anew: called where that was undone. */
export async function lookAt({ id }, collection, anew) {
  let whole;
  try {
    whole = await api("GET", address(`/v1/unknown/${encodeURIComponent(id)}`, { collection }));
  } catch (error) {
    toast(words(error), "bad");
    return outdated(error);
  }
  return new Promise((resolve) => new Faces(whole, { collection, anew, ended: resolve }).open());
}

class Faces {
  constructor(whole, { collection, anew, ended }) {
    Object.assign(this, { whole, collection, anew, changed: false, chosen: new Set(), shown: 0 });
    this.grid = el("ul", { class: "faces" });
    this.more = el("button", { type: "button", class: "further", onclick: () => this.show() }, "Show more");
    this.bar = session().can("enroll") ? this.tools() : null;
    const close = el("button", { type: "button", class: "quiet round", "aria-label": "Close" }, icon("close"));
    this.box = el("dialog", { class: "look", "aria-labelledby": "look-title" },
      el("header", {}, el("div", {}, el("h2", { id: "look-title" }, counted(whole.faces, "face")), el("p", { class: "muted" }, this.hint())), close),
      this.grid, this.more, this.bar);
    close.addEventListener("click", () => this.box.close());
    this.box.addEventListener("close", () => {
      this.box.remove();
      ended(this.changed);
    });
  }

  open() {
    this.show();
    this.count();
    document.body.append(this.box);
    this.box.showModal();
  }

  hint() {
    if (!session().can("enroll")) return "Taken for one person, the best pictures first.";
    return "Taken for one person. Is somebody else among them? Select those, and say what they are.";
  }

  show() {
    const next = this.whole.face_list.slice(this.shown, this.shown + AT_ONCE);
    this.grid.append(...next.map((face, index) => this.item(face, this.shown + index + 1)));
    this.shown += next.length;
    this.more.hidden = this.shown >= this.whole.face_list.length;
  }

  item(face, number) {
    const file = face.source ?? "";
    const where = face.time > 0 ? `${file}, at ${formatTime(face.time)}` : file;
    const said = [face.time > 0 && `at ${formatTime(face.time)}`, formatDate(face.created), face.sightings > 1 && `seen ${face.sightings} times`];
    const pick = session().can("enroll") && el("span", { class: "pick" },
      el("input", { type: "checkbox", "aria-label": `Select face ${number}, from ${where}`, onchange: (event) => this.choose(face.id, event.target.checked) }));
    return el("li", { class: "face" },
      el(pick ? "label" : "div", { class: "frame" }, picture(face.id, this.collection, `Face ${number}`), pick),
      file && el("p", { class: "small source", title: where }, el("bdi", {}, file)),
      el("p", { class: "muted small" }, said.filter(Boolean).join(" · ")));
  }

  choose(id, on) {
    if (on) this.chosen.add(id);
    else this.chosen.delete(id);
    this.count();
  }

  tools() {
    this.said = el("p", { role: "status" });
    const aside = (verb, symbol, text) => el("button", { type: "button", class: "small", onclick: () => this.act(verb) }, icon(symbol), text);
    const back = this.whole.state !== "new";
    return el("div", { class: "look-tools" }, this.said,
      namer("Who is it?", this.collection, (name) => this.act("name", name)),
      el("div", { class: "row" }, back && aside("restore", "retry", "Put back"),
        this.whole.state !== "ignored" && aside("ignore", "hide", "Ignore"),
        this.whole.state !== "not-a-face" && aside("not-a-face", "close", "Not a face")));
  }

  count() {
    if (!this.bar) return;
    const number = this.chosen.size;
    this.said.textContent = number ? `${counted(number, "face")} selected` : "None is selected";
    for (const one of this.bar.querySelectorAll("button, input")) one.disabled = number === 0;
  }

  async act(verb, name = null) {
    const faces = [...this.chosen];
    try {
      const done = await act(this.whole.id, verb, name === null ? { faces } : { faces, name }, this.collection);
      this.changed = true;
      toast(name === null ? `${counted(done.faces, "face")} taken out.` : told(done), "good", undoing(done.change, this.anew));
      this.box.close();
    } catch (error) {
      if (!outdated(error)) {
        this.said.textContent = words(error); // a toast would lie below the dialog
        return;
      }
      toast(words(error), "bad");
      this.changed = true;
      this.box.close();
    }
  }
}
