// A list that goes on as one scrolls: one page is asked for at a time, and the newest question wins.

import { toast, words } from "./visage.js";

export class Paging {
  /**
   * list: where the items are. more: the button below it that asks for the next page. read: asks for a page and shows
   * it, given the cursor ("" for the first page) and a signal that ends it; a promise of the next cursor, or null.
   * failed: told of the error where it was the first page.
   */
  constructor({ list, more, read, failed }) {
    Object.assign(this, { list, more, read, failed, next: null, busy: false, request: null });
    // More is asked for before its button comes into sight.
    const seen = ([one]) => one.isIntersecting && this.load(true);
    this.bottom = new IntersectionObserver(seen, { rootMargin: "400px" });
    more.addEventListener("click", () => this.press());
  }

  /** The first page, or the next one. */
  async load(onward = false) {
    if (onward && (this.busy || this.next === null)) return;
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    this.busy = true;
    this.bottom.unobserve(this.more);
    try {
      this.next = await this.read(onward ? this.next : "", signal);
      this.show();
      // Looked at anew, for it may be in sight still, and then nothing would tell.
      this.bottom.observe(this.more);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.lost(error, onward);
    } finally {
      if (!signal.aborted) this.busy = false;
    }
  }

  show() {
    this.list.setAttribute("aria-busy", "false");
    this.more.hidden = this.next === null;
  }

  /** What is shown already stays, with the button to try again. */
  lost(error, onward) {
    if (onward) toast(words(error), "bad");
    else {
      this.next = null;
      this.failed(error);
    }
    this.show();
  }

  async press() {
    const before = this.list.children.length;
    await this.load(true);
    this.list.children[before]?.querySelector("a, button")?.focus();
  }
}
