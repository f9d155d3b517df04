// Logging in. The key is never kept here: the cookie that comes of it is nothing that a script can read.

import { api, el, icon, words } from "./visage.js";

const form = document.getElementById("login");
const said = document.getElementById("said");
const next = form.dataset.next;

// A link from elsewhere brings no cookie along, though there may be one.
api("GET", "/v1/session").then(({ role }) => role && location.replace(next), () => {});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  said.replaceChildren();
  button.disabled = true;
  try {
    await api("POST", "/v1/session", { json: { key: form.elements.key.value.trim() } });
    location.replace(next);
  } catch (error) {
    const text = error.status === 429 ? `${words(error)} Wait a minute, then try again.` : words(error);
    said.replaceChildren(el("div", { class: "notice bad" }, icon("warning"), el("p", {}, text)));
    button.disabled = false;
    form.elements.key.select();
  }
});
