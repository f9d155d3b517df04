// A folder with a folder of photos per person: whose photo is whose, and which go together.

import { isPhoto } from "./people-photos.js";

// A request has so many photos of one person, and no more bytes unless one photo has.
const BATCH = 8;
const BYTES = 16_000_000;

/** What such a folder looks like. */
export const TREE = `people
├─ Ada Lovelace
│  ├─ portrait.jpg
│  └─ party.png
└─ Grace Hopper
   └─ desk.jpg`;

/**
 * Files of a chosen folder -> {photos: [{file, person}], others}: how many are no photos, or in no person's folder. As
 * with `visage enroll`: the folder just below the chosen one names the person, however deep the photo lies in it. A
 * folder without folders is one person's.
 */
export function sorted(files) {
  const found = files
    .map((file) => ({ file, path: file.webkitRelativePath.split("/") }))
    .filter(({ file, path }) => isPhoto(file) && !path.some((part) => part.startsWith(".")));
  const nested = found.some(({ path }) => path.length > 2);
  const photos = found
    .filter(({ path }) => path.length > 2 || !nested)
    .map(({ file, path }) => ({ file, person: nested ? path[1] : path[0], outcome: null }));
  photos.sort((a, b) => a.person.localeCompare(b.person) || a.file.name.localeCompare(b.file.name));
  return { photos, others: files.filter((file) => !file.name.startsWith(".")).length - photos.length };
}

/** The next photos that go together, from those that wait: of one person, in order. */
export function batch(waiting) {
  const taken = [];
  let bytes = 0;
  for (const photo of waiting) {
    bytes += photo.file.size;
    if (taken.length && (photo.person !== taken[0].person || bytes > BYTES || taken.length === BATCH)) break;
    taken.push(photo);
  }
  return taken;
}
