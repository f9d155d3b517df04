// Small words: numbers with their nouns, and sentences.

/** 12345 -> "12,345", as the reader writes it. */
export const count = (number) => number.toLocaleString();

/** 1, "day" -> "1 day". */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A text that begins with a capital and ends with a stop. */
export function sentence(text) {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(said) ? said : `${said}.`;
}
