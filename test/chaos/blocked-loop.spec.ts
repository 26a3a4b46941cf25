import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { audit } from './audit.mjs';
import { openRig, type Rig } from './rig.mjs';

describe('a step that blocks the event loop for 20 s, ten leases', () => {
  let rig: Rig;

  beforeEach(async () => {
    rig = await openRig({ lease: '2s' });
  });

  afterEach(() => rig.close());

  it('keeps its claim and those beside it, and is run once', async () => {
    const poster = await rig.startProcess('poster');
    await rig.startProcess('worker');
    await rig.startProcess('worker');
    const mix = ['blocking', ...Array<string>(5).fill('sequence')];
    const { runs } = await rig.ask(poster, { type: 'post-and-tell', everyMs: 0, mix, count: 6 }, 'posted');
    expect(await rig.untilEnded(60_000)).toBe(0);
    const { figures, complaints } = await audit(rig, runs, []);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(complaints).toEqual([]);
    expect(figures).toMatchObject({ completed: 6, crashes: 0, doubledEffects: 0 });
    // What BullMQ says when the loop that was blocked wakes is about bells, which may be lost: it is shown, and no fault.
    const reports = rig.reports.map(({ event, type }) => (event ? [event.type, event.error] : [type]));
    for (const report of reports) process.stdout.write(`${report.join(': ')}\n`);
    expect(reports.filter(([type]) => type !== 'queue.failed')).toEqual([]);
  });
});
