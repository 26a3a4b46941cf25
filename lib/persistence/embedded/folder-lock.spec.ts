import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { withFolderLock } from './folder-lock.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'of-lock-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the lock of a folder', () => {
  it('lets one in at a time, and everybody in the end', async () => {
    let [inside, most, passed] = [0, 0, 0];
    const contenders = Array.from({ length: 40 }, () =>
      withFolderLock(folder, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await setImmediate();
        inside -= 1;
        passed += 1;
      }),
    );
    await Promise.all(contenders);
    expect([most, passed]).toEqual([1, 40]);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it('is taken from a holder that is dead, though its pid lives on in another process', async () => {
    await writeFile(join(folder, '7'), `${process.pid}-1`);
    expect(await withFolderLock(folder, async () => readdir(folder))).toEqual(['8']);
  });

  it('is free again after a failure, which it passes on', async () => {
    await expect(withFolderLock(folder, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(await withFolderLock(folder, () => Promise.resolve('in'))).toBe('in');
  });
});
