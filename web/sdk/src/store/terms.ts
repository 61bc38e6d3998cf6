/**
 * Words of a text, for finding it again.
 *
 * Latin and the like: words, found by their beginnings. Chinese, Japanese and Korean are written
 * without spaces, and cutting them into words takes a dictionary that is wrong at times; here every
 * character and every two neighbouring ones are a term. So one character is found, two are, and
 * of three or more the pairs are, whereupon the text itself tells whether they stand together.
 */

/** Terms of one text; of a longer one, the beginning is found. */
export const TERMS_MAX = 2_000;
/** Characters of a word that count. */
const WORD_MAX = 32;

const CJK = "\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}ー々";
const PIECES = new RegExp(`([${CJK}]+)|((?:(?![${CJK}])[\\p{L}\\p{N}\\p{M}])+)`, "gu");

/** Letters without case, full and half width alike. */
export function plain(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}

interface Piece {
  readonly text: string;
  readonly cjk: boolean;
}

function pieces(plainText: string): Piece[] {
  return [...plainText.matchAll(PIECES)].map(([text, cjk]) => ({ text, cjk: cjk !== undefined }));
}

/** Each once. */
export function termsOf(text: string): string[] {
  const terms = new Set<string>();
  for (const { text: piece, cjk } of pieces(plain(text))) {
    if (terms.size >= TERMS_MAX) break;
    for (const term of cjk ? grams(piece) : [cut(piece)]) terms.add(term);
  }
  return [...terms].slice(0, TERMS_MAX);
}

function grams(run: string): string[] {
  const characters = [...run];
  return characters.flatMap((one, i) => {
    const next = characters[i + 1];
    return next === undefined ? [one] : [one, one + next];
  });
}

function cut(word: string): string {
  return [...word].slice(0, WORD_MAX).join("");
}

export interface Search {
  /** The rarest term of the query, as far as can be told: candidates have it. */
  readonly term: string;
  /** `term` is the beginning of a word. */
  readonly prefix: boolean;
  matches(text: string): boolean;
}

/** `undefined`: nothing that could be looked for. */
export function parseSearch(query: string): Search | undefined {
  const wanted = pieces(plain(query));
  const words = wanted.filter(({ cjk }) => !cjk).map(({ text }) => cut(text));
  const runs = wanted.filter(({ cjk }) => cjk).map(({ text }) => text);
  const [run] = runs.sort((a, b) => b.length - a.length);
  const [word] = words.sort((a, b) => b.length - a.length);
  const term =
    run === undefined ? word : (grams(run).find((gram) => [...gram].length === 2) ?? run);
  if (term === undefined) return undefined;
  return {
    term,
    prefix: run === undefined,
    matches: (text) => {
      const whole = plain(text);
      if (!runs.every((one) => whole.includes(one))) return false;
      const its = pieces(whole).filter(({ cjk }) => !cjk);
      return words.every((one) => its.some(({ text: other }) => other.startsWith(one)));
    },
  };
}
