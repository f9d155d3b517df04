// The way back from a change, offered where it was made.

import { api, toast, words } from "./visage.js";

/** The offer to undo a change, for a toast; null where it cannot be. change: its id. then: called once it is undone. */
export function undoing(change, then) {
  if (!change) return null;
  const act = async () => {
    try {
      await api("POST", `/v1/history/${encodeURIComponent(change)}/undo`);
      toast("Undone.", "good");
      await then();
    } catch (error) {
      toast(words(error), "bad");
    }
  };
  return { label: "Undo", act };
}
