import { describe, expect, it } from '@jest/globals';

import type { LaneWrite } from './lane.js';
import { Lane } from './lane.js';

/** A connection that breaks under its first statement, and whose database says from then on that the statement came in. */
function brokenOnce() {
  const answer = JSON.stringify({ at: '2026-01-01 00:00:00+00', stale: [], taken: [] });
  let statements = 0;
  const broken = () => Promise.reject(new Error('The connection has broken.'));
  return {
    query: () => (statements++ === 0 ? broken() : Promise.resolve([{ answer }])),
    run: () => Promise.resolve(statements === 0 ? [] : [{ epoch: 1, commit_no: '1', answer }]),
    close: () => Promise.resolve(),
  };
}

describe('a lane that closes', () => {
  it('does not give the next commit the answer of the last one, which it has given up', async () => {
    const lane = new Lane(
      {},
      { name: 'a lane', schema: 'orchestrate_flow', leaseMs: 1_000, lockTimeoutMs: 100, onHealth: () => {} },
    );
    Object.assign(lane, { connection: brokenOnce() });
    const nothing: readonly LaneWrite[] = [];
    const first = lane.send(nothing);
    const closed = lane.close();
    await expect(first).rejects.toMatchObject({ code: 'OF_STOPPED' });
    await expect(lane.send(nothing)).rejects.toMatchObject({ code: 'OF_STOPPED' });
    await closed;
  });
});
