import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrate } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import type { CommitAnswer, NewRun, QueuedStepWrite, RunWrite } from '../../lib/engine/ports.js';
import { Batcher } from '../../lib/persistence/batcher.js';
import { COMMIT_BATCH, commitParameters } from '../../lib/persistence/commit-statement.js';
import { Committer } from '../../lib/persistence/committer.js';
import { SESSION_SETTINGS } from '../../lib/persistence/connection.js';
import { Lane } from '../../lib/persistence/lane.js';
import * as drafts from '../support/commit-drafts.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { waitFor } from '../support/wait-for.js';

const OPTIONS = { schema: 'orchestrate_flow', leaseMs: 10_000 };
const WORKER = randomUUID();

let database: TestDatabase;
let db: TestConnection;
let door: Committer;
let health: unknown[];

beforeAll(async () => {
  database = await createDatabase();
  const { host, port, user: username, database: name } = database.connection;
  const dataSource = await new DataSource({ type: 'postgres', host, port, username, database: name }).initialize();
  await migrate(dataSource);
  await dataSource.destroy();
  db = await connect(database);
});

afterAll(async () => {
  await db?.close();
  await database?.drop();
});

beforeEach(() => {
  health = [];
  door = new Committer(database.connection, { ...OPTIONS, onHealth: (error) => health.push(error) });
});

afterEach(() => door.close());

function newRun(change: Partial<NewRun> = {}): NewRun {
  return drafts.newRun({ workflow: 'door', definition: 1, state: 'h', worker: WORKER, ...change });
}

function write(id: string, revision: number, change: Partial<RunWrite> = {}): RunWrite {
  return drafts.runWrite({ id, definition: 1, revision, state: `r${revision + 1}`, worker: WORKER, ...change });
}

function stepWrite(change: Partial<QueuedStepWrite> = {}): QueuedStepWrite {
  const tally = { attempt: 1, failures: 0, crashes: 0 };
  return drafts.stepWrite({ status: 'completed', tally, result: '1', queue: 'q', ...change });
}

async function start(change: Partial<NewRun> = {}): Promise<string> {
  const run = newRun(change);
  const [answer] = await door.start(() => [run], false);
  expect(answer).toMatchObject({ kind: 'applied' });
  return run.id;
}

const submit = (run: RunWrite): Promise<CommitAnswer> => door.submit(() => run);

interface StoredRow {
  readonly revision: number;
  readonly state: string;
}

async function read(id: string): Promise<StoredRow | undefined> {
  const [row] = await db.query<StoredRow>('SELECT revision, state FROM orchestrate_flow.workflow_run WHERE id = $1', [
    id,
  ]);
  return row;
}

const steps = (id: string) =>
  db.query<{ name: string; status: string; attempt: number; result: string | null }>(
    'SELECT name, status, attempt, result FROM orchestrate_flow.workflow_step WHERE run_id = $1 ORDER BY name',
    [id],
  );

describe('a commit', () => {
  it('raises the revision and writes the steps', async () => {
    const id = await start();
    await expect(submit(write(id, 0, { steps: [stepWrite()] }))).resolves.toMatchObject({ kind: 'applied' });
    await expect(read(id)).resolves.toEqual({ revision: 1, state: 'r1' });
    expect(await steps(id)).toEqual([{ name: 'one', status: 'completed', attempt: 1, result: '1' }]);
  });

  it('at an old revision is stale and writes nothing', async () => {
    const id = await start();
    await submit(write(id, 0));
    const late = write(id, 0, { state: 'late', status: 'completed', ended: true, steps: [stepWrite()] });
    await expect(submit(late)).resolves.toEqual({ kind: 'stale' });
    await expect(read(id)).resolves.toEqual({ revision: 1, state: 'r1' });
    expect(await steps(id)).toEqual([]);
  });

  it('of a run that does not exist is stale', async () => {
    await expect(submit(write(randomUUID(), 0))).resolves.toEqual({ kind: 'stale' });
  });

  it('does not wait for a stale run beside it', async () => {
    const ids = await Promise.all(Array.from({ length: 50 }, () => start()));
    await submit(write(ids[7]!, 0));
    const answers = await Promise.all(ids.map((id) => submit(write(id, 0, { steps: [stepWrite()] }))));
    answers.forEach((answer, index) => expect(answer.kind).toBe(index === 7 ? 'stale' : 'applied'));
    expect(await steps(ids[7]!)).toEqual([]);
    expect(await steps(ids[8]!)).toHaveLength(1);
  });

  it('without anything to write says so', async () => {
    await expect(door.submit(() => null)).resolves.toEqual({ kind: 'nothing' });
  });

  it('is not made where its decision throws, and what shares it goes on', async () => {
    const id = await start();
    const mistake = new Error('A mistake.');
    const broken = door.submit(() => {
      throw mistake;
    });
    const fine = submit(write(id, 0));
    await expect(broken).rejects.toBe(mistake);
    await expect(fine).resolves.toMatchObject({ kind: 'applied' });
  });

  it('is decided when it leaves, after what came before it', async () => {
    const id = await start();
    const order: string[] = [];
    const first = submit(write(id, 0)).then(() => order.push('answered'));
    // Gathered behind the commit under way, because that has left already.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    const second = door.submit(() => {
      order.push('prepared');
      return write(id, 1);
    });
    await Promise.all([first, second]);
    expect(order).toEqual(['answered', 'prepared']);
    await expect(read(id)).resolves.toMatchObject({ revision: 2 });
  });
});

describe('a large item', () => {
  const LARGE = JSON.stringify('x'.repeat(100_000));

  it('delays none that shares its moment, and is written all the same', async () => {
    const [one, other] = [await start(), await start()];
    const lanes = 'SELECT id FROM orchestrate_flow.workflow_lane';
    const known = new Set((await db.query<{ id: string }>(lanes)).map(({ id }) => id));
    await door.start(() => [newRun({ key: randomUUID(), inputHash: new Uint8Array([1]) })], true);
    const second = (await db.query<{ id: string }>(lanes)).find(({ id }) => !known.has(id))!;
    // Whatever goes by the second lane stands still as long as its row is locked.
    const holder = await connect(database);
    await holder.query('BEGIN');
    await holder.query(`${lanes} WHERE id = $1 FOR UPDATE`, [second.id]);
    let isLargeAnswered = false;
    const large = submit(write(one, 0, { steps: [stepWrite({ result: LARGE })] }));
    void large.then(() => (isLargeAnswered = true));
    await expect(submit(write(other, 0))).resolves.toMatchObject({ kind: 'applied' });
    await expect(start()).resolves.toEqual(expect.any(String));
    expect(isLargeAnswered).toBe(false);
    await holder.query('COMMIT');
    await holder.close();
    await expect(large).resolves.toMatchObject({ kind: 'applied' });
    const rows = await db.query('SELECT result FROM orchestrate_flow.workflow_step WHERE run_id = $1', [one]);
    expect(rows).toEqual([{ result: LARGE }]);
  });

  it('goes with as many others as fit into one commit', async () => {
    const ids = await Promise.all(Array.from({ length: 60 }, () => start()));
    const steps = [stepWrite({ result: LARGE })];
    const answers = await Promise.all(ids.map((id) => submit(write(id, 0, { steps }))));
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['applied']));
    // 6 MB do not fit into one.
    const times = new Set(answers.map((answer) => answer.kind === 'applied' && answer.at));
    expect(times.size).toBeGreaterThan(1);
    expect(times.size).toBeLessThan(10);
  });
});

describe('the guard of a step', () => {
  const running = { status: 'running', tally: { attempt: 2, failures: 0, crashes: 0 }, worker: WORKER, result: null };

  async function startWithRow(change: Partial<QueuedStepWrite> = {}): Promise<string> {
    return start({ steps: [stepWrite({ ...running, ...change } as Partial<QueuedStepWrite>)] });
  }

  it('lets the outcome of the running attempt in', async () => {
    const id = await startWithRow();
    const outcome = stepWrite({ guard: { attempt: 2, running: true }, tally: { attempt: 2, failures: 0, crashes: 0 } });
    await expect(submit(write(id, 0, { steps: [outcome] }))).resolves.toMatchObject({ kind: 'applied' });
    expect(await steps(id)).toEqual([{ name: 'one', status: 'completed', attempt: 2, result: '1' }]);
  });

  it.each([
    ['of another attempt', { attempt: 1, running: true }, {}],
    ['of an attempt that runs no more', { attempt: 2, running: true }, { status: 'ready', worker: null }],
    ['of a step that has been claimed meanwhile', { attempt: 2, running: false }, {}],
  ] as const)('keeps the outcome %s out, with everything that came with it', async (_, guard, row) => {
    const id = await startWithRow(row);
    const before = await steps(id);
    const second = stepWrite({ step: 'two' });
    const answer = await submit(write(id, 0, { steps: [stepWrite({ guard }), second] }));
    expect(answer).toEqual({ kind: 'stale' });
    await expect(read(id)).resolves.toMatchObject({ revision: 0 });
    expect(await steps(id)).toEqual(before);
  });

  it('skips a row that somebody holds', async () => {
    const id = await startWithRow();
    const holder = await connect(database);
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM orchestrate_flow.workflow_step WHERE run_id = $1 FOR UPDATE', [id]);
    const outcome = stepWrite({ guard: { attempt: 2, running: true } });
    await expect(submit(write(id, 0, { steps: [outcome] }))).resolves.toEqual({ kind: 'stale' });
    await holder.close();
    await expect(read(id)).resolves.toMatchObject({ revision: 0 });
  });
});

describe('a row that somebody holds', () => {
  it('makes its run stale and holds up nobody else', async () => {
    const [held, free] = [await start(), await start()];
    const holder = await connect(database);
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM orchestrate_flow.workflow_run WHERE id = $1 FOR UPDATE', [held]);
    const answers = await Promise.all([submit(write(held, 0)), submit(write(free, 0))]);
    expect(answers.map(({ kind }) => kind)).toEqual(['stale', 'applied']);
    await holder.close();
  });

  it('is waited for where the run stands alone', async () => {
    const id = await start();
    const holder = await connect(database);
    await holder.query('BEGIN');
    await holder.query(`UPDATE orchestrate_flow.workflow_run SET revision = 1 WHERE id = $1`, [id]);
    const alone = door.submitLocked(id, (locked) => write(id, locked!.run.revision));
    await waitFor('the commit waits for the lock', async () => {
      const rows = await db.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
    await holder.query('COMMIT');
    await holder.close();
    await expect(alone).resolves.toMatchObject({ kind: 'applied' });
    await expect(read(id)).resolves.toMatchObject({ revision: 2 });
  });
});

describe('a commit alone', () => {
  it('sees the run and its open rows under lock', async () => {
    const ready = stepWrite({ status: 'ready', tally: { attempt: 0, failures: 0, crashes: 0 }, result: null });
    const id = await start({ steps: [ready, stepWrite({ step: 'two' })] });
    const answer = await door.submitLocked(id, (locked) => {
      expect(locked!.run).toMatchObject({ id, revision: 0, state: 'h', worker: WORKER });
      expect([...locked!.rows.values()]).toMatchObject([{ status: 'ready', attempt: 0, worker: null }]);
      return write(id, locked!.run.revision);
    });
    expect(answer).toMatchObject({ kind: 'applied' });
  });

  it('of a run that does not exist sees null and writes nothing', async () => {
    const seen: unknown[] = [];
    const answer = await door.submitLocked(randomUUID(), (locked) => (seen.push(locked), null));
    expect(answer).toEqual({ kind: 'nothing' });
    expect(seen).toEqual([null]);
  });

  it('passes on what its decision throws, and lets go of the run', async () => {
    const id = await start();
    const mistake = new Error('A mistake.');
    const broken = door.submitLocked(id, () => {
      throw mistake;
    });
    await expect(broken).rejects.toBe(mistake);
    await expect(submit(write(id, 0))).resolves.toMatchObject({ kind: 'applied' });
  });

  it('loses nothing where many come at once', async () => {
    const id = await start();
    const commits = Array.from({ length: 40 }, () =>
      door.submitLocked(id, (locked) => write(id, locked!.run.revision)),
    );
    const answers = await Promise.all(commits);
    expect(answers.every(({ kind }) => kind === 'applied')).toBe(true);
    await expect(read(id)).resolves.toMatchObject({ revision: 40 });
  });
});

describe('commits of runs that must be locked, many at once', () => {
  const lock = (id: string) => door.submitLocked(id, (locked) => locked && write(id, locked.run.revision));
  const kinds = (answers: readonly CommitAnswer[]) => answers.map(({ kind }) => kind);
  const startSome = (count: number) => Promise.all(Array.from({ length: count }, () => start()));

  async function countCommits(): Promise<number> {
    const [row] = await db.query<{ sum: number }>(
      'SELECT coalesce(sum(commit_no), 0)::int AS sum FROM orchestrate_flow.workflow_lane',
    );
    return row!.sum;
  }

  it('share one, each with the rows and the signals of its own run', async () => {
    const ready = stepWrite({ status: 'ready', tally: { attempt: 0, failures: 0, crashes: 0 }, result: null });
    const ids = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        start({ steps: [{ ...ready, step: `of-${n}`, row: { name: `of-${n}`, item: 0 } }] }),
      ),
    );
    for (const [n, id] of ids.entries())
      await db.query('INSERT INTO orchestrate_flow.workflow_signal (run_id, name, payload) VALUES ($1, $2, $3)', [
        ...[id, `for-${n}`, '1'],
      ]);
    const before = await countCommits();
    const seen = new Map<string, unknown>();
    const answers = await Promise.all(
      ids.map((id) =>
        door.submitLocked(id, (locked) => {
          seen.set(id, [[...locked!.rows.keys()], locked!.inbox.map(({ name }) => name)]);
          return write(id, locked!.run.revision);
        }),
      ),
    );
    expect(kinds(answers)).toEqual(ids.map(() => 'applied'));
    ids.forEach((id, n) => expect(seen.get(id)).toEqual([[`of-${n}`], [`for-${n}`]]));
    expect((await countCommits()) - before).toBeLessThan(3);
  });

  it('do not wait for one that somebody holds, which comes in when it is free', async () => {
    const ids = await startSome(5);
    const holder = await connect(database);
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM orchestrate_flow.workflow_run WHERE id = $1 FOR UPDATE', [ids[2]]);
    const held = lock(ids[2]!);
    const others = await Promise.all(ids.filter((_, index) => index !== 2).map(lock));
    expect(kinds(others)).toEqual(['applied', 'applied', 'applied', 'applied']);
    await holder.query('COMMIT');
    await holder.close();
    await expect(held).resolves.toMatchObject({ kind: 'applied' });
  });

  it('fail alone where a decision throws or the database refuses a value, and tell who has nothing to write', async () => {
    const ids = await startSome(5);
    const mistake = new Error('A mistake.');
    const answers = await Promise.allSettled([
      lock(ids[0]!),
      door.submitLocked(ids[1]!, () => {
        throw mistake;
      }),
      door.submitLocked(ids[2]!, () => write(ids[2]!, 0, { status: 'nonsense' as 'running' })),
      door.submitLocked(ids[3]!, () => null),
      lock(randomUUID()),
      lock(ids[4]!),
    ]);
    expect(answers).toMatchObject([
      { value: { kind: 'applied' } },
      { reason: mistake },
      { value: { kind: 'refused', error: { code: '23514' } } },
      { value: { kind: 'nothing' } },
      { value: { kind: 'nothing' } },
      { value: { kind: 'applied' } },
    ]);
  });

  it('are all made before the door has settled', async () => {
    const ids = await startSome(250);
    const all = ids.map(lock);
    let isMade = false;
    void Promise.all(all).then(() => (isMade = true));
    await door.settled();
    expect(isMade).toBe(true);
  });
});

describe('a value that the database refuses', () => {
  it('fails alone', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => start()));
    const answers = await Promise.all(
      ids.map((id, index) => submit(write(id, 0, index === 11 ? { state: 'nul \0' } : {}))),
    );
    answers.forEach((answer, index) => expect(answer.kind).toBe(index === 11 ? 'refused' : 'applied'));
    expect(answers[11]).toMatchObject({ error: { code: '22021' } });
    await expect(read(ids[11]!)).resolves.toEqual({ revision: 0, state: 'h' });
  });

  it('fails alone also among starts, and in a commit alone', async () => {
    const bad = newRun({ input: 'nul \0' });
    const good = newRun();
    const [first, second] = await Promise.all([door.start(() => [bad], false), door.start(() => [good], false)]);
    expect([first[0]!.kind, second[0]!.kind]).toEqual(['refused', 'applied']);
    const answer = await door.submitLocked(good.id, () => write(good.id, 0, { status: 'nonsense' as 'running' }));
    expect(answer).toMatchObject({ kind: 'refused', error: { code: '23514' } });
    await expect(submit(write(good.id, 0))).resolves.toMatchObject({ kind: 'applied' });
  });

  it('fails the whole of what was to be started together', async () => {
    const runs = [newRun(), newRun({ input: 'nul \0' }), newRun()];
    const answers = await door.start(() => runs, false);
    expect(answers.map(({ kind }) => kind)).toEqual(['refused', 'refused', 'refused']);
    for (const { id } of runs) await expect(read(id)).resolves.toBeUndefined();
  });
});

describe('a start', () => {
  it('whose id or key is taken is stale, and those beside it are not', async () => {
    const hash = new Uint8Array([1]);
    const named = newRun({ key: randomUUID(), inputHash: hash });
    await door.start(() => [named], true);
    const again = [newRun({ key: named.key, inputHash: hash }), newRun({ id: named.id }), newRun()];
    const answers = await Promise.all(again.map((run) => door.start(() => [run], true)));
    expect(answers.map(([answer]) => answer!.kind)).toEqual(['stale', 'stale', 'applied']);
  });

  it('under a name goes by a lane where it holds up no start without one', async () => {
    const lanes = 'SELECT id FROM orchestrate_flow.workflow_lane';
    await start();
    const known = new Set((await db.query<{ id: string }>(lanes)).map(({ id }) => id));
    const named = () => newRun({ key: randomUUID(), inputHash: new Uint8Array([1]) });
    await door.start(() => [named()], true);
    const others = (await db.query<{ id: string }>(lanes)).filter(({ id }) => !known.has(id));
    expect(others).toHaveLength(1);
  });

  it('under a name that another transaction holds delays no other, and gets its answer when that ends', async () => {
    const key = randomUUID();
    const insert = `INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, key, input_hash, input)
      VALUES ($1, 'door', 1, 'running', 'h', $2, '\\x01', '1')`;
    for (const [end, kind] of [
      ['COMMIT', 'stale'],
      ['ROLLBACK', 'applied'],
    ] as const) {
      const holder = await connect(database);
      await holder.query('BEGIN');
      await holder.query(insert, [randomUUID(), `${key} ${end}`]);
      const asked: boolean[] = [];
      let isAnswered = false;
      const held = door.start((isHeld) => {
        asked.push(isHeld);
        return [newRun({ key: `${key} ${end}`, inputHash: new Uint8Array([1]) })];
      }, true);
      void held.then(() => (isAnswered = true));
      const others = Array.from({ length: 10 }, (_, n) =>
        door.start(() => [newRun({ key: `${key} ${end} ${n}`, inputHash: new Uint8Array([1]) })], true),
      );
      for (const answers of await Promise.all(others)) expect(answers[0]!.kind).toBe('applied');
      await expect(submit(write(await start(), 0))).resolves.toMatchObject({ kind: 'applied' });
      // The one is asked again for a run that claims nothing, because it may take long.
      await waitFor('the held start is asked again', () => asked.includes(true));
      expect(isAnswered).toBe(false);
      await holder.query(end);
      await holder.close();
      const [answer] = await held;
      expect(answer!.kind).toBe(kind);
    }
  });

  it('does not make a commit alone wait for all the others that are held', async () => {
    const keys = Array.from({ length: 60 }, () => randomUUID());
    const holder = await connect(database);
    await holder.query('BEGIN');
    await holder.query(
      `INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, key, input_hash, input)
       SELECT gen_random_uuid(), 'door', 1, 'running', 'h', key, '\\x01', '1' FROM unnest($1::text[]) key`,
      [keys],
    );
    const asked = new Set<string>();
    const held = keys.map((key) =>
      door.start((isHeld) => {
        if (isHeld) asked.add(key);
        return [newRun({ key, inputHash: new Uint8Array([1]) })];
      }, true),
    );
    // Where this test fails they are given up with the door: that is no error of its own.
    for (const answers of held) answers.catch(() => {});
    await waitFor('all held starts are asked again', () => asked.size === keys.length);
    const id = await start();
    let isAnswered = false;
    const alone = door.submitLocked(id, () => write(id, 0)).then(() => (isAnswered = true));
    alone.catch(() => {});
    // One of them holds the lane for a quarter of a second, all of them for fifteen.
    await waitFor('the commit alone is answered', () => isAnswered, { timeoutMs: 6_000 });
    await holder.query('ROLLBACK');
    await holder.close();
    for (const answers of await Promise.all(held)) expect(answers[0]!.kind).toBe('applied');
  });
});

describe('a commit that ends in a deadlock', () => {
  it('is sent again until it comes in, and not in a busy loop', async () => {
    const id = await start();
    await db.query('CREATE SEQUENCE tries');
    await db.query(`
      CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM nextval('public.tries');
        IF clock_timestamp() < TG_ARGV[0]::timestamptz THEN RAISE SQLSTATE '40P01'; END IF;
        RETURN NEW;
      END $$`);
    const [{ until }] = (await db.query<{ until: string }>(
      `SELECT (clock_timestamp() + interval '600 milliseconds')::text AS until`,
    )) as [{ until: string }];
    await db.query(
      `CREATE TRIGGER lose BEFORE UPDATE ON orchestrate_flow.workflow_run FOR EACH ROW EXECUTE FUNCTION lose('${until}')`,
    );
    try {
      await expect(submit(write(id, 0))).resolves.toMatchObject({ kind: 'applied' });
    } finally {
      await db.query('DROP TRIGGER lose ON orchestrate_flow.workflow_run');
    }
    const [tries] = await db.query<{ tries: number }>('SELECT last_value::int AS tries FROM tries');
    expect(tries!.tries).toBeGreaterThan(2);
    // In a busy loop it would be hundreds.
    expect(tries!.tries).toBeLessThan(20);
    expect(health.filter((error) => error !== null)).toEqual([]);
  });
});

describe('a connection that breaks', () => {
  const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'orchestrate-flow%'`;

  it('before a commit loses nothing', async () => {
    const id = await start();
    for (let revision = 0; revision < 10; revision++) {
      await db.query(TERMINATE);
      await expect(submit(write(id, revision))).resolves.toMatchObject({ kind: 'applied' });
    }
    await expect(read(id)).resolves.toMatchObject({ revision: 10 });
  });

  it('while commits are on their way loses none and makes none twice', async () => {
    const killer = await connect(database);
    const kills: Promise<unknown>[] = [];
    const ids = await Promise.all(Array.from({ length: 20 }, () => start()));
    // Each commit inserts a step of its own: made twice it would collide, and lost it would be missing.
    const work = async (id: string, index: number) => {
      for (let revision = 0; revision < 20; revision++) {
        const answer = submit(write(id, revision, { steps: [stepWrite({ step: `s${revision}` })] }));
        // Some twenty times, at moments that differ: before, while and after the batch is on its way.
        if (revision === index) kills.push(sleep(index % 5).then(() => killer.query(TERMINATE)));
        await expect(answer).resolves.toMatchObject({ kind: 'applied' });
      }
    };
    await Promise.all(ids.map(work));
    await Promise.all(kills);
    await killer.close();
    for (const id of ids) {
      await expect(read(id)).resolves.toMatchObject({ revision: 20 });
      expect(await steps(id)).toHaveLength(20);
    }
    expect(health.some((error) => error !== null)).toBe(true);
  });

  it('while runs are started and committed alone loses none and makes none twice', async () => {
    const killer = await connect(database);
    const kills: Promise<unknown>[] = [];
    const work = async (_: unknown, index: number) => {
      const id = await start({ steps: [stepWrite()] });
      for (let revision = 0; revision < 5; revision++) {
        const answer = door.submitLocked(id, (locked) => write(id, locked!.run.revision));
        if (revision === index % 5) kills.push(sleep(index % 4).then(() => killer.query(TERMINATE)));
        await expect(answer).resolves.toMatchObject({ kind: 'applied' });
      }
      return id;
    };
    const ids = await Promise.all(Array.from({ length: 10 }, work));
    await Promise.all(kills);
    await killer.close();
    for (const id of ids) await expect(read(id)).resolves.toMatchObject({ revision: 5 });
  });

  it('inside a commit undoes it, and it is made by the next connection', async () => {
    const id = await start();
    // A trigger ends the backend in the midst of the statement.
    await db.query(`CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.state = 'cut' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
        RETURN NEW;
      END $$`);
    await db.query(`CREATE TRIGGER cut AFTER UPDATE ON orchestrate_flow.workflow_run FOR EACH ROW
      WHEN (OLD.state <> 'cut once') EXECUTE FUNCTION cut()`);
    const lane = new Lane(database.connection, {
      ...{ ...OPTIONS, name: 'orchestrate-flow test', lockTimeoutMs: 1_000, onHealth: (error) => health.push(error) },
    });
    const batcher = new Batcher(lane);
    try {
      const cut = new Promise((resolve, reject) => {
        batcher.add({
          prepare: () => [{ run: write(id, 0, { state: 'cut' }) }],
          ...{ answer: ([answer]) => resolve(answer), heldUp: () => reject(new Error('held up')), fail: reject },
        });
      });
      await waitFor('the connection has been cut', () => health.some((error) => error !== null));
      await db.query('DROP TRIGGER cut ON orchestrate_flow.workflow_run');
      await expect(cut).resolves.toMatchObject({ kind: 'applied' });
      await expect(read(id)).resolves.toEqual({ revision: 1, state: 'cut' });
    } finally {
      await db.query('DROP TRIGGER IF EXISTS cut ON orchestrate_flow.workflow_run');
      await db.query('DROP FUNCTION cut');
      await lane.close();
    }
  });

  it('leaves nothing behind once the door is closed', async () => {
    const own = new Committer(database.connection, { ...OPTIONS, onHealth: () => {} });
    const before = await db.query('SELECT id FROM orchestrate_flow.workflow_lane');
    await own.start(() => [newRun()], false);
    await own.start(() => [newRun({ key: randomUUID(), inputHash: new Uint8Array([1]) })], true);
    expect((await db.query('SELECT id FROM orchestrate_flow.workflow_lane')).length).toBe(before.length + 2);
    await own.close();
    expect(await db.query('SELECT id FROM orchestrate_flow.workflow_lane')).toEqual(before);
  });
});

describe('the plan of a commit', () => {
  it('reads runs and steps by their primary keys and scans no table', async () => {
    await db.query(`INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, worker, input, ended_at, created_at)
      SELECT gen_random_uuid(), 'planned', 1, CASE WHEN n % 3 = 0 THEN 'running' ELSE 'completed' END, 'ccc',
        CASE WHEN n % 3 = 0 THEN gen_random_uuid() END, '{}', CASE WHEN n % 3 <> 0 THEN now() END, now() - n * interval '1 second'
      FROM generate_series(1, 5000) n`);
    await db.query(`INSERT INTO orchestrate_flow.workflow_step (run_id, name, status, attempt, failures, crashes, definition, queue, priority, worker, result)
      SELECT r.id, 'step' || n, CASE WHEN n = 3 AND r.status = 'running' THEN 'running' ELSE 'completed' END, 1, 0, 0, 1, 'q', 0,
        CASE WHEN n = 3 AND r.status = 'running' THEN r.worker END, '{}'
      FROM orchestrate_flow.workflow_run r, generate_series(1, 3) n WHERE r.workflow = 'planned'`);
    await db.query('ANALYZE orchestrate_flow.workflow_run');
    await db.query('ANALYZE orchestrate_flow.workflow_step');
    await db.query('SET plan_cache_mode = force_generic_plan');
    expect(await scansOfCommit(db)).toEqual([
      'workflow_run: Index Scan workflow_run_pkey',
      'workflow_step: Index Scan workflow_step_pkey',
    ]);
  });

  it('is the same where it is made while the tables are small, as a session of ours has it', async () => {
    const fresh = await createDatabase();
    const { host, port, user: username, database: name } = fresh.connection;
    const dataSource = await new DataSource({ type: 'postgres', host, port, username, database: name }).initialize();
    await migrate(dataSource);
    await dataSource.query(`INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, input, created_at)
      SELECT gen_random_uuid(), 'planned', 1, 'running', 'c', '{}', now() - n * interval '1 s' FROM generate_series(1, 30) n`);
    await dataSource.query('ANALYZE');
    await dataSource.destroy();
    const small = await connect(fresh);
    for (const [setting, value] of Object.entries(SESSION_SETTINGS)) await small.query(`SET ${setting} = '${value}'`);
    expect(await scansOfCommit(small)).toEqual([
      'workflow_run: Index Scan workflow_run_pkey',
      'workflow_step: Index Scan workflow_step_pkey',
    ]);
    await small.close();
    await fresh.drop();
  });
});

/** How a commit reads runs and steps, by the plan that this session makes. */
async function scansOfCommit(session: TestConnection): Promise<string[]> {
  await session.query(`PREPARE of_commit AS ${COMMIT_BATCH}`);
  const parameters = [`'${randomUUID()}'`, '0', '0', ...commitParameters([], []).map(() => `'{}'`)];
  const rows = await session.query<{ 'QUERY PLAN': PlanNode }>(
    `EXPLAIN (FORMAT JSON) EXECUTE of_commit (${parameters.join(', ')})`,
  );
  const [{ Plan: plan }] = rows[0]!['QUERY PLAN'] as unknown as [{ Plan: PlanNode }];
  const reads = [...nodesOf(plan)].filter((node) => node['Relation Name'] && node['Node Type'] !== 'ModifyTable');
  const scans = new Set(
    reads.map((node) => `${node['Relation Name']}: ${node['Node Type']} ${node['Index Name'] ?? ''}`),
  );
  return [...scans].filter((scan) => /^workflow_(run|step)/.test(scan)).sort();
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

function* nodesOf(plan: PlanNode): Generator<PlanNode> {
  yield plan;
  for (const child of plan.Plans ?? []) yield* nodesOf(child);
}
