import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { copyBinaries } from './binaries-copy.js';

let folder: string;
let root: string;
let cache: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'of-copy-'));
  [root, cache] = [join(folder, 'package'), join(folder, 'cache')];
  for (const part of ['bin', 'lib']) mkdirSync(join(root, 'native', part), { recursive: true, mode: 0o700 });
  writeFileSync(join(root, 'native', 'bin', 'postgres'), 'program', { mode: 0o700 });
  writeFileSync(join(root, 'native', 'lib', 'libpq.so.5.18'), 'library', { mode: 0o600 });
  writeFileSync(join(root, 'native', 'lib', 'libpq.a'), 'archive');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function copy(): Promise<string> {
  return copyBinaries(root, cache, [{ path: join(root, 'native', 'lib', 'libpq.so.5'), to: 'libpq.so.5.18' }]);
}

function mode(...path: string[]): string {
  return (statSync(join(cache, ...path)).mode & 0o777).toString(8);
}

describe('a copy of the binaries', () => {
  it('can be run by everybody, and has the links', async () => {
    expect(await copy()).toBe(cache);
    expect([mode(), mode('native'), mode('native', 'bin', 'postgres'), mode('native', 'lib', 'libpq.so.5.18')]).toEqual(
      ['755', '755', '755', '644'],
    );
    expect(readFileSync(join(cache, 'native', 'lib', 'libpq.so.5'), 'utf8')).toBe('library');
    expect(readdirSync(join(cache, 'native', 'lib')).sort()).toEqual(['libpq.so.5', 'libpq.so.5.18']);
  });

  it('is made once, also by many at once, and leaves nothing beside it', async () => {
    expect(new Set(await Promise.all(Array.from({ length: 8 }, copy)))).toEqual(new Set([cache]));
    expect(readdirSync(folder).sort()).toEqual(['cache', 'package']);
    const { ino } = statSync(cache);
    await copy();
    expect(statSync(cache).ino).toBe(ino);
  });

  it('is made anew when some of it is gone', async () => {
    await copy();
    rmSync(join(cache, 'native', 'lib', 'libpq.so.5.18'));
    await copy();
    expect(readFileSync(join(cache, 'native', 'lib', 'libpq.so.5'), 'utf8')).toBe('library');
  });

  it('is not trusted when others may have written it', async () => {
    await copy();
    chmodSync(cache, 0o777);
    await expect(copy()).rejects.toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: expect.stringContaining('cannot be trusted') as unknown,
    });
  });
});
