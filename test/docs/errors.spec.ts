import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

const root = new URL('../../', import.meta.url);

/** The text of every file below these folders whose name fits, but for this one. */
function texts(folders: readonly string[], name: RegExp): string {
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}${file}`),
  );
  const wanted = files.filter((file) => name.test(file) && !file.endsWith('docs/errors.spec.ts'));
  return wanted.map((file) => readFileSync(new URL(file, root), 'utf8')).join('\n');
}

const codesIn = (text: string) => [...new Set(text.match(/\bOF_(?!PROPERTY_|SEED)[A-Z_]+\b/g))].sort();

const [type] = /export type ErrorCode =[^;]*;/.exec(readFileSync(new URL('lib/engine/errors.ts', root), 'utf8')) ?? [
  '',
];
const codes = codesIn(type);

describe('the codes of errors', () => {
  it('are all in docs/errors.md, each with what, why and a remedy, and no others are', () => {
    const page = readFileSync(new URL('docs/errors.md', root), 'utf8');
    const rows = [...page.matchAll(/^\| `(OF_\w+)` \| [^|]{20,} \| [^|]{5,} \|$/gm)].map(([, code]) => code!);
    expect(rows.sort()).toEqual(codes);
  });

  it('are thrown by the library, each of them, and no others', () => {
    const [before, after] = texts(['lib/'], /(?<!\.spec)\.ts$/).split(type);
    expect(codesIn(before! + after!)).toEqual(codes);
  });

  it('are each expected by some test', () => {
    expect(codesIn(texts(['lib/', 'test/'], /\.spec\.ts$/)).filter((code) => codes.includes(code))).toEqual(codes);
  });
});
