// From a file to an answer: send it, follow its job, and say what went wrong in plain words.

import { Problem, api, formatBytes, session, upload, words } from "./visage.js";

const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|wmv|3gp|ts)$/i;

// Seconds that a service may be away before the page gives up on a job.
const PATIENCE = 60;

export function isVideo(file) {
  return file.type ? file.type.startsWith("video/") : VIDEO.test(file.name);
}

/**
 * The answer about a file, and the id of its job: {answer, job}. options: of the query. sent: told how much has gone,
 * 0 to 1. state: told how its job stands. Throws Problem.
 */
export async function ask(file, options, { sent = () => {}, state = () => {}, signal } = {}) {
  refuse(file);
  const later = isVideo(file);
  const form = new FormData();
  form.append(later ? "video" : "image", file, file.name);
  const headers = later ? { Prefer: "respond-async" } : {};
  const told = await upload(`/v1/recognize?${options}`, form, { headers, progress: sent, signal });
  const { answer } = told.answer ? told : await follow(told.job.id, state, signal);
  return { answer, job: told.job.id };
}

/** What needs no sending to know that it will not do. Throws Problem. */
function refuse(file) {
  const { maxUpload } = session();
  if (file.size > maxUpload) {
    const detail = `it has ${formatBytes(file.size)}; this service takes up to ${formatBytes(maxUpload)}`;
    throw new Problem({ status: 413, title: "Too large", detail });
  }
  if (file.type && !/^(image|video)\//.test(file.type) && !VIDEO.test(file.name)) {
    throw new Problem({ status: 415, title: "No picture", detail: "it is neither a photo nor a video; give one of those" });
  }
}

/**
 * The job once it is done; state: told whenever it changes, and of a status "away" while the service does not answer.
 * Throws the Problem that it failed with.
 */
export async function follow(id, state = () => {}, signal) {
  const last = (await heard(id, state, signal)) ?? (await polled(id, state, signal));
  if (last.status === "failed") throw new Problem(last.error);
  return last;
}

/** By server-sent events; null where they do not come. */
function heard(id, state, signal) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
    const end = (settle, value) => {
      source.close();
      settle(value);
    };
    source.addEventListener("state", (event) => {
      const job = JSON.parse(event.data);
      state(job);
      if (job.status === "done" || job.status === "failed") end(resolve, job);
    });
    source.addEventListener("error", () => end(resolve, null));
    signal?.addEventListener("abort", () => end(reject, signal.reason));
  });
}

/** By asking again and again. What was handed in is not lost while the service is away for a moment, so neither is it here. */
async function polled(id, state, signal) {
  let heard = performance.now();
  for (;;) {
    let pause = 0.5; // where the service does not let a request wait, the page does
    try {
      const job = await api("GET", `/v1/jobs/${encodeURIComponent(id)}?wait=2`, { signal });
      heard = performance.now();
      state(job);
      if (job.status === "done" || job.status === "failed") return job;
    } catch (error) {
      const away = error.status === 0 || error.status === 503;
      if (!away || performance.now() - heard > 1000 * PATIENCE) throw error;
      state({ status: "away" });
      pause = 2;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 * pause));
  }
}

/** {title, text, people, again}: what went wrong with a file and what to do; people: go there first. again: trying again may help. */
export function explained(error, file) {
  const text = words(error, file.name);
  switch (error.status) {
    case 0:
      return { title: "The service does not answer", text: "See whether it still runs, then try again.", again: true };
    case 403:
      return { title: "You may not do this", text: "Your key does not allow it. Ask whoever runs this service." };
    case 404:
    case 409:
      return { title: "Nobody is known here yet", text: "Add the people it should know, then try again.", people: true };
    case 413:
      return { title: "That is too large", text: `${text} Send a smaller or shorter one.` };
    case 415:
    case 422:
      return { title: "That cannot be read", text };
    case 429:
    case 503:
      return { title: "The service is busy", text: "Too much is waiting. Try again in a moment.", again: true };
    default:
      return { title: "That went wrong", text, again: true };
  }
}
