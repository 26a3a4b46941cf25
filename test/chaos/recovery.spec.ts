import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { audit } from './audit.mjs';
import { openRig, until, type LedgerLine, type Rig } from './rig.mjs';

/** Where everything is as it should be; how often something was begun again is another matter. */
const CLEAN = { lost: 0, refused: 0, stuck: 0, failed: 0, secondOutcomes: 0, earlySteps: 0, orphans: 0 };

describe('a worker at defaults', () => {
  let rig: Rig;

  beforeEach(async () => {
    rig = await openRig({ workMs: 100 });
  });

  afterEach(() => rig.close());

  it('that is killed in the middle of 200 sequences is made up for by the one that is started in its place', async () => {
    const poster = await rig.startProcess('poster');
    const first = await rig.startProcess('worker');
    const { runs } = await rig.ask(
      poster,
      { type: 'post-and-tell', everyMs: 0, mix: ['sequence'], count: 200 },
      'posted',
    );
    await until(() => rig.ledger().filter(({ event }) => event === 'end').length > 300, 30_000);
    rig.kill(first);
    const killedAt = Date.now();
    await rig.startProcess('worker');
    // Promised are 15 s for what was interrupted; the rest of the 200 is work, and the machine may be busy.
    expect(await rig.untilEnded(90_000)).toBe(0);
    const { figures, complaints, ledger } = await audit(rig, runs);
    const resumed = resumedAfterMs(ledger, first.pid);
    process.stdout.write(
      `${JSON.stringify({ allEndedMs: Date.now() - killedAt, resumedAfterMs: resumed, ...figures })}\n`,
    );
    expect(complaints).toEqual([]);
    expect(figures).toMatchObject({ ...CLEAN, completed: 200 });
    expect(resumed).toBeLessThan(60_000);
  });
});

/** Milliseconds from the last sign of a process to the last restart of something that it had begun and not ended. */
function resumedAfterMs(ledger: readonly LedgerLine[], pid: number): number {
  const last = Math.max(...ledger.filter((line) => line.pid === pid).map(({ at }) => at));
  const others = ledger.filter((line) => line.pid !== pid && line.event === 'begin' && line.attempt > 1);
  return Math.round(Math.max(0, ...others.map(({ at }) => at - last)));
}
