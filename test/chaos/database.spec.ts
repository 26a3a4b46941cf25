import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { audit } from './audit.mjs';
import { openRig, type Member, type Rig } from './rig.mjs';

const TERMINATE_ALL =
  'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = $1';

describe('a database that goes away', () => {
  let rig: Rig;
  let poster: Member;
  let workers: Member[];

  beforeEach(async () => {
    rig = await openRig({ lease: '2s', shutdownTimeout: '1s' });
    poster = await rig.startProcess('poster');
    workers = [await rig.startProcess('worker'), await rig.startProcess('worker')];
  });

  afterEach(() => rig.close());

  it('three times as by a crash, and twice with every connection, costs no run and no attempt', async () => {
    poster.child.send({ type: 'post', everyMs: 20, mix: ['sequence', 'fan'] });
    for (let n = 0; n < 3; n++) {
      await sleep(2_000);
      await rig.server.halt('SIGQUIT');
      await sleep(500 * n);
      await rig.server.start();
      await sleep(1_500);
      if (n < 2) await rig.query(TERMINATE_ALL, ['client backend']);
    }
    await sleep(1_500);
    const { runs } = await rig.ask(poster, { type: 'stop-posting' }, 'posted');
    expect(await rig.untilEnded(90_000)).toBe(0);
    await sleep(1_500);
    const { figures, complaints } = await audit(rig, runs);
    const [failures] = await rig.query<{ unexpected: number }>(
      "SELECT count(*)::int AS unexpected FROM orchestrate_flow.workflow_step WHERE name !~ '^p' AND (failures > 0 OR status = 'failed')",
    );
    const slots = await Promise.all(workers.map((worker) => rig.ask(worker, { type: 'slots' }, 'slots')));
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(complaints).toEqual([]);
    expect(failures).toEqual({ unexpected: 0 });
    expect(figures).toMatchObject({ runs: runs.length, completed: runs.length, crashes: 0 });
    expect(slots.map(({ slots: found }) => found)).toEqual(workers.map(() => ({ used: [0], openRuns: 0 })));
    expect(rig.reports.filter(({ type, event }) => type !== 'event' || event?.type === 'internal.error')).toEqual([]);
  }, 240_000);

  it('for good keeps no process from shutting down', async () => {
    poster.child.send({ type: 'post', everyMs: 5, mix: ['sequence', 'fan'] });
    await sleep(2_000);
    await rig.server.halt('SIGQUIT');
    await sleep(500);
    const times = await Promise.all([...workers, poster].map((member) => rig.terminate(member)));
    process.stdout.write(`${JSON.stringify({ shutdownMs: times.map(Math.round) })}\n`);
    expect(Math.max(...times)).toBeLessThan(30_000);
    await rig.server.start();
  });
});
