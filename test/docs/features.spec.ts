import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

const root = new URL('../../', import.meta.url);
const examples = new URL('test/docs/examples/', root);

/** What `examples.spec.ts` and `patterns.spec.ts` run. */
const sources = readdirSync(examples)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
  .map((file) => readFileSync(new URL(file, examples), 'utf8'));

function blocksOf(text: string): string[] {
  return [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, block]) => block!);
}

/** The blocks of a page that stand literally in no example. */
function strangers(text: string): string[] {
  return blocksOf(text).filter((block) => !sources.some((source) => source.includes(block)));
}

const read = (page: string) => readFileSync(new URL(page, root), 'utf8');

describe.each([
  ['docs/features.md', 10],
  ['docs/patterns.md', 10],
  ['docs/tutorial.md', 4],
])('%s', (page, least) => {
  it('shows only code that stands in an example which a test runs', () => {
    expect(blocksOf(read(page)).length).toBeGreaterThan(least);
    expect(strangers(read(page))).toEqual([]);
  });
});

describe('docs/patterns.md', () => {
  it('says of each of the twenty patterns how it is written, or what it waits for', () => {
    const numbers = [...read('docs/patterns.md').matchAll(/(?<=^\*\*|, )(\d+) [A-Zad-z]\w+.*?(?=[.,*])/gm)].map(
      ([, number]) => Number(number),
    );
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });
});

describe.each(['Branches, joins, waits', 'Signals, deadlines, undoing'])('the section "%s" of README.md', (title) => {
  it('shows only code that stands in an example which a test runs', () => {
    const [section] = new RegExp(`^## ${title}\\n[^]*?(?=^## )`, 'm').exec(read('README.md')) ?? [''];
    expect(blocksOf(section)).toHaveLength(1);
    expect(strangers(section)).toEqual([]);
  });
});
