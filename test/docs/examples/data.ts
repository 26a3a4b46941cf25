import { Result, Step, Workflow } from 'orchestrate-flow';

export interface Found {
  at: Date;
  amount: bigint;
  stock: Map<string, number>;
  tags: Set<string>;
  bytes: Uint8Array;
  nothing: undefined;
  error: Error;
}

@Workflow({ name: 'data' })
export class DataWorkflow {
  static readonly output = 'pass';

  @Step()
  find(): Found {
    return {
      at: new Date('2026-01-01'),
      amount: 12_345_678_901_234_567_890n,
      stock: new Map([['bolt', 3]]),
      tags: new Set(['new']),
      bytes: new Uint8Array([1, 2, 3]),
      nothing: undefined,
      error: new RangeError('Too far.', { cause: 'a typo' }),
    };
  }

  @Step() // is given a decoded copy, as it was
  pass(@Result('find') found: Found): Found {
    return found;
  }
}
