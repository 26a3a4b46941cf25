import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { buildLibrary } from '../support/build-library.mjs';

interface Answer {
  readonly ready?: true;
  readonly error?: { readonly code: string; readonly message: string };
  readonly started?: readonly string[];
  readonly results?: readonly string[];
}

let build: ReturnType<typeof buildLibrary>;
let dataDir: string;
let children: ChildProcess[];

beforeAll(() => {
  build = buildLibrary();
});

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'of-pglite-'));
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map((child) => end(child, 'SIGKILL')));
  rmSync(dataDir, { recursive: true, force: true });
});

afterAll(() => build?.remove());

async function startProcess(): Promise<{ child: ChildProcess; answer: Answer }> {
  const child = fork(join(import.meta.dirname, 'pglite-process.mjs'), [
    JSON.stringify({ library: build.library, dataDir }),
  ]);
  children.push(child);
  const [answer] = (await once(child, 'message')) as [Answer];
  return { child, answer };
}

async function ask(child: ChildProcess, order: object): Promise<Answer> {
  child.send(order);
  const [answer] = (await once(child, 'message')) as [Answer];
  return answer;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}

const RESULT = 'first#1 left#2 | first#1 right#1';

describe('an app on PGlite', () => {
  it('runs sequences, branches and retries, and has them after a restart', async () => {
    const first = await startProcess();
    expect(first.answer).toEqual({ ready: true });
    const { started } = await ask(first.child, { start: 20 });
    const { results } = await ask(first.child, { end: started });
    expect(results).toEqual(Array(20).fill(RESULT));
    await end(first.child, 'SIGTERM');
    const second = await startProcess();
    await expect(ask(second.child, { end: started })).resolves.toEqual({ results: Array(20).fill(RESULT) });
  });

  it('goes on after kill -9 where it was', async () => {
    const first = await startProcess();
    const { started } = await ask(first.child, { start: 100 });
    await end(first.child, 'SIGKILL');
    const second = await startProcess();
    const { results } = await ask(second.child, { end: started });
    expect(results).toHaveLength(100);
    // Whatever was interrupted was tried again.
    for (const result of results!) expect(result).toMatch(/^first#\d left#[2-9] \| first#\d right#\d$/);
  });

  it('has its folder to itself as long as it lives', async () => {
    const { child } = await startProcess();
    const { answer } = await startProcess();
    expect(answer.error).toMatchObject({ code: 'OF_DATABASE_UNAVAILABLE' });
    expect(answer.error!.message).toContain(`process ${child.pid} uses the folder ${dataDir}`);
    await end(child, 'SIGKILL');
    await expect(startProcess()).resolves.toMatchObject({ answer: { ready: true } });
  });
});
