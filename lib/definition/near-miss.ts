/** How many names an error lists. */
const MAX_LISTED = 20;

/** The known word that was probably meant, or null where none is near. */
export function findNearMiss(word: string, known: Iterable<string>): string | null {
  let nearest: string | null = null;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const distance = computeDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  return nearest;
}

/** ` Did you mean "charge"?`, or nothing. */
export function suggest(word: unknown, known: Iterable<string>): string {
  const near = typeof word === 'string' ? findNearMiss(word, known) : null;
  return near === null ? '' : ` Did you mean "${near}"?`;
}

/** The words in quotes, the first twenty of them. */
export function list(words: readonly string[]): string {
  const shown = words.slice(0, MAX_LISTED).map((word) => `"${word}"`);
  if (words.length > MAX_LISTED) shown.push(`${words.length - MAX_LISTED} more`);
  return shown.length === 0 ? 'none' : shown.join(', ');
}

/** Levenshtein's: how many letters have to be inserted, left out or replaced. */
function computeDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, above[column]! + 1, current[column - 1]! + 1));
    }
    above = current;
  }
  return above[b.length]!;
}
