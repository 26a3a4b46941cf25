import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { openRig, until, type Member, type Rig } from './rig.mjs';

/** A SIGKILL, a process.exit() and a heap that is full. */
const POISONS = ['poison', 'exiting', 'hoarding'];

describe('a step that kills every process it runs in', () => {
  let rig: Rig;
  let goesOn = true;

  beforeEach(async () => {
    // A step takes three seconds at most: many are under way in a process when it dies.
    rig = await openRig({ lease: '2s', workMs: 1_500, execArgv: ['--max-old-space-size=160'] });
  });

  afterEach(() => rig.close());

  /** A worker, and another in its place whenever it dies. */
  async function keepWorker(): Promise<void> {
    while (goesOn) {
      const member: Member = await rig.startProcess('worker');
      member.expectsExit = true;
      await until(() => !goesOn || member.child.exitCode !== null || member.child.signalCode !== null, 230_000);
    }
  }

  it('is quarantined, and none of those that died with it is', async () => {
    const poster = await rig.startProcess('poster');
    const mix = [...POISONS, ...Array<string>(40).fill('patient')];
    await rig.ask(poster, { type: 'post-and-tell', everyMs: 0, mix, count: mix.length }, 'posted');
    const workers = [keepWorker(), keepWorker()];
    const open = await rig.untilEnded(210_000);
    goesOn = false;
    await Promise.all(workers);

    const runs = await rig.query(`
      SELECT r.workflow, r.status, s.name, s.status AS step, r.failure LIKE '%OF_STEP_QUARANTINED%' AS accused, count(*)::int AS count, min(s.crashes) AS least, max(s.crashes) AS most
      FROM orchestrate_flow.workflow_run r JOIN orchestrate_flow.workflow_step s ON s.run_id = r.id
      GROUP BY 1, 2, 3, 4, 5 ORDER BY 1`);
    process.stdout.write(`${JSON.stringify(runs)}\n`);
    expect(open).toBe(0);
    const quarantined = { status: 'failed', name: 'kill', step: 'quarantined', accused: true, count: 1 };
    expect(runs).toMatchObject([
      { workflow: 'exiting', ...quarantined },
      { workflow: 'hoarding', ...quarantined },
      { workflow: 'patient', status: 'completed', name: 'wait', step: 'completed', count: 40 },
      { workflow: 'poison', ...quarantined },
    ]);
    expect(rig.reports.filter(({ event }) => event?.type === 'internal.error')).toEqual([]);
  }, 240_000);
});
