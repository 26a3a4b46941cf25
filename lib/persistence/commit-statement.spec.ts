import { describe, expect, it } from '@jest/globals';

import type { RunWrite } from '../engine/ports.js';
import { commitParameters } from './commit-statement.js';

describe('the parameters of a commit', () => {
  it('name the runs in the order of their ids, whatever order they come in', () => {
    const write = (id: string): RunWrite => ({
      ...{ id, definition: 1, generation: 0, revision: 0, priority: 0, status: 'running', state: 'h', worker: null },
      ...{
        failedStep: null,
        failure: null,
        cancelReason: null,
        ended: false,
        expectsNoSignals: false,
        signals: [],
        steps: [],
      },
    });
    const [ids] = commitParameters(['c', 'a', 'd', 'b'].map(write), []);
    expect(ids).toEqual(['a', 'b', 'c', 'd']);
  });
});
