/** Whether a version lies in a range of the forms that package.json files of ours use: `^1.2.3`, `>=1.2.3`, `1.2.3`, joined by `||`. */
export function isInRange(version: string, range: string): boolean {
  return range.split('||').some((part) => isInPart(version, part.trim()));
}

function isInPart(version: string, part: string): boolean {
  const [, sign, least] = /^(\^|>=|)\s*(\d.*)$/.exec(part) ?? [];
  // Of other forms nothing is known, and nothing is wrong.
  if (least === undefined) return true;
  if (sign === '') return version === least;
  const [own, bound] = [numbersOf(version), numbersOf(least)];
  if (compare(own, bound) < 0) return false;
  return sign === '>=' || compare(own, nextBreaking(bound)) < 0;
}

/** The first version that may break what the given one kept: of the next number that is not zero. */
function nextBreaking([major, minor, patch]: Numbers): Numbers {
  if (major > 0) return [major + 1, 0, 0];
  return minor > 0 ? [0, minor + 1, 0] : [0, 0, patch + 1];
}

type Numbers = readonly [number, number, number];

function numbersOf(version: string): Numbers {
  const [major = 0, minor = 0, patch = 0] = (/^\d+(?:\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number);
  return [major, minor, patch];
}

function compare(one: Numbers, other: Numbers): number {
  return one.map((number, index) => number - other[index]!).find((difference) => difference !== 0) ?? 0;
}
