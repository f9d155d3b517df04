// Photos on their way to a person: sent, waited for, and what became of each in plain words.

import { api, Problem, upload, words } from "./visage.js";
import { address } from "./people-parts.js";

// The service has too much to do, or this visitor asks too often: it says when to come back.
const BUSY = new Set([429, 503]);
const TRIES = 20;
const PAUSE = 5;

const PHOTO = /\.(avif|bmp|gif|heic|heif|jpe?g|png|tiff?|webp)$/i;

// Outcome of the engine -> what it is called, what to do, and the option that takes the photo all the same.
const WORDS = {
  enrolled: ["Added", ""],
  duplicate: ["Already there", "This photo was added before; nothing to do."],
  "no face": ["No face found", "Use a photo in which the face is larger and looks at the camera."],
  "several faces": ["Several faces", "Crop the photo to one person, or take the largest face.", "largest"],
  "too small": ["Face too small", "Use a larger photo, or one taken from nearer.", "force"],
  "too blurred": ["Face too blurred", "Use a sharper photo: more light, less movement.", "force"],
  "extreme pose": ["Face turned away", "Use a photo in which the face looks at the camera.", "force"],
};

export const REMEDIES = { largest: "Take the largest face", force: "Add it anyway" };

/** Whether a file is a photo, by what the browser or its extension says. */
export function isPhoto(file) {
  return file.type.startsWith("image/") || PHOTO.test(file.name);
}

/** What became of a photo: {kind: "good", "same" or "bad", title, advice, remedy}. remedy: a key of REMEDIES. */
export function told({ outcome, detail, source = "" }) {
  const [title, advice, remedy = null] = WORDS[outcome] ?? [
    "Could not be used",
    detail ? words(new Problem({ detail }), source) : "",
  ];
  const kind = { enrolled: "good", duplicate: "same" }[outcome] ?? "bad";
  return { kind, title, advice, remedy };
}

/**
 * Hand photos in as those of `name` and wait until the engine has looked at them: {person, photos}, a photo of the
 * answer for each file, in order. While the service is too busy it tries again. person: null where nothing was added.
 *
 * options: {collection, largest, force}. progress: told how much was sent, 0 to 1. paused: told for how many seconds.
 * Throws Problem.
 */
export async function enroll(name, files, options, { progress, paused = () => {}, signal } = {}) {
  const form = new FormData();
  form.append("name", name);
  for (const file of files) form.append("photo", file, file.name);
  const path = address("/v1/people", options);
  // The same for every try: a request that was cut off after it arrived is not done twice.
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  for (let left = TRIES; ; left--) {
    try {
      return await answered(await upload(path, form, { headers, progress, signal }), signal);
    } catch (error) {
      if (!(error instanceof Problem) || !BUSY.has(error.status) || left === 0) throw error;
      const seconds = error.retry ?? PAUSE;
      paused(seconds);
      await sleep(seconds, signal);
    }
  }
}

async function answered(answer, signal) {
  if (answer.photos) return answer;
  const photos = [];
  for (const { id } of answer.jobs) photos.push(await outcome(id, signal));
  return { person: photos.findLast((photo) => photo.person)?.person ?? null, photos };
}

async function outcome(id, signal) {
  for (;;) {
    const state = await api("GET", `/v1/jobs/${encodeURIComponent(id)}?wait=20`, { signal });
    if (state.status === "done") return state.answer.enrollment;
    if (state.status === "failed") return { outcome: "failed", detail: state.error.detail };
  }
}

function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new DOMException("ended", "AbortError"));
    if (signal?.aborted) return ended();
    setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", ended);
  });
}
