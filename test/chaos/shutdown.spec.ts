import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { audit } from './audit.mjs';
import { openRig, type Rig } from './rig.mjs';

describe('a worker that is terminated under load', () => {
  let rig: Rig;

  beforeEach(async () => {
    rig = await openRig({ shutdownTimeout: '50ms', workMs: 150 });
  });

  afterEach(() => rig.close());

  it('hands over at once what it cannot end, and neither failure nor crash is counted', async () => {
    const poster = await rig.startProcess('poster');
    let worker = await rig.startProcess('worker');
    poster.child.send({ type: 'post', everyMs: 25, mix: ['sequence'] });
    const times: number[] = [];
    for (let n = 0; n < 4; n++) {
      await sleep(1_500);
      const next = await rig.startProcess('worker');
      times.push(await rig.terminate(worker));
      worker = next;
    }
    const { runs } = await rig.ask(poster, { type: 'stop-posting' }, 'posted');
    expect(await rig.untilEnded(120_000)).toBe(0);
    const { figures, complaints } = await audit(rig, runs);
    const handedOver = rig.reports.reduce((sum, { event }) => sum + (event?.handedOver ?? 0), 0);
    const rows = await rig.query<{ workers: number }>(
      'SELECT count(*)::int AS workers FROM orchestrate_flow.workflow_worker',
    );
    process.stdout.write(`${JSON.stringify({ shutdownMs: times.map(Math.round), handedOver, ...figures })}\n`);
    expect(complaints).toEqual([]);
    expect(handedOver).toBeGreaterThan(0);
    expect(figures).toMatchObject({ completed: runs.length, crashes: 0, failures: 0 });
    // Each said goodbye: nobody has to wait for its lease.
    expect(rows).toEqual([{ workers: 1 }]);
    expect(rig.reports.filter(({ type, event }) => type !== 'event' || event?.type === 'internal.error')).toEqual([]);
  }, 300_000);
});
