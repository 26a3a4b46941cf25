/** The version of this library, as package.json says it. */
export const VERSION = '0.1.0';

/** Whether a version is at least another. What follows the three numbers does not count. */
export function isAtLeast(version: string, least: string): boolean {
  const [one, other] = [numbersOf(version), numbersOf(least)];
  const difference = one.map((number, index) => number - other[index]!).find((value) => value !== 0);
  return (difference ?? 0) >= 0;
}

function numbersOf(version: string): [number, number, number] {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  if (patch === undefined) throw new Error(`Expected a version like 1.2.3, got ${JSON.stringify(version)}.`);
  return [Number(major), Number(minor), Number(patch)];
}
