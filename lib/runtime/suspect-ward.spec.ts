import { describe, expect, it } from '@jest/globals';

import type { SuspectRequest } from '../engine/ports.js';
import { SlotOffice } from './slot-office.js';
import { StepPump } from './step-pump.js';
import { SuspectWard, type SuspectWardPorts } from './suspect-ward.js';
import { SYSTEM_CLOCK } from './system-clock.js';
import { WorkerSelf } from './worker-self.js';

describe('SuspectWard', () => {
  it('tries a suspect beside code that never ends, in the slot that the pump would take when it is woken', async () => {
    const asked: boolean[] = [];
    const never = new Promise<never>(() => {});
    // Patience is over at once.
    const clock = {
      ...SYSTEM_CLOCK,
      after: (_ms: number, callback: () => void) => (SYSTEM_CLOCK.soon(callback), () => {}),
    };
    const pump = new StepPump({
      ...{ queue: 'q', concurrency: 1, claim: () => never, passOn: () => {}, onError: () => {}, clock },
    });
    const slots = new SlotOffice(
      () => {},
      () => true,
    );
    slots.add(pump);
    const ward = new SuspectWard({
      ...{
        slots,
        clock,
        self: new WorkerSelf(['q'], clock),
        shelf: { runnableIds: [1] },
        maxCrashes: 3,
        patienceMs: 1,
      },
      runner: { isIdle: false, whenIdle: () => never },
      store: {
        claimSuspect: async ({ isAlone }: SuspectRequest) => {
          asked.push(isAlone);
          return null;
        },
      },
    } as unknown as SuspectWardPorts);
    ward.visit([{ queue: 'q', isAccused: true }]);
    for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toEqual([false]);
  });
});
