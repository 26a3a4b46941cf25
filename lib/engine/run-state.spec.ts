import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { buildGraph } from '../../test/support/engine/build-run.js';
import { OrchestrateFlowError } from './errors.js';
import { decodeRunState, encodeRunState, MARK, newRunState } from './run-state.js';

const numRuns = Number(process.env.OF_PROPERTY_RUNS ?? 2_000);

describe('the state of a run', () => {
  it('begins with every node pending and nothing held', () => {
    expect(newRunState(buildGraph({ a: [], b: [], c: [] }).nodes)).toEqual({ marks: '...', holds: new Map() });
  });

  it('has a letter of its own for each mark', () => {
    expect(Object.values(MARK)).toEqual([...new Set(Object.values(MARK).join(''))]);
  });

  it('is its marks where nothing is held', () => {
    expect(encodeRunState({ marks: 'cq.', holds: new Map() })).toBe('cq.');
  });

  it('lists its holds behind the marks, with their time where they have one', () => {
    const holds = new Map([
      ['pay', { attempt: 2, failures: 1, crashes: 0, since: '2026-01-02 03:04:05.678901+00' }],
      ['ship', { attempt: 1, failures: 0, crashes: 0 }],
    ]);
    expect(encodeRunState({ marks: 'hh', holds })).toBe('hh;pay,2,1,0,2026-01-02 03:04:05.678901+00;ship,1,0,0,');
  });

  it('survives writing and reading, whatever its steps are called', () => {
    const count = fc.nat(2 ** 31 - 1);
    const tally = fc.record({ attempt: count, failures: count, crashes: count });
    const since = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
    const hold = fc.oneof(
      tally,
      fc.tuple(tally, since).map(([counters, time]) => ({ ...counters, since: time })),
    );
    const name = fc.string({ unit: 'binary', minLength: 1 });
    const holds = fc.array(fc.tuple(name, hold), { maxLength: 5 }).map((entries) => new Map(entries));
    const marks = fc
      .array(fc.constantFrom(...Object.values(MARK)), { minLength: 1 })
      .map((letters) => letters.join(''));
    const property = fc.property(fc.record({ marks, holds }), (state) => {
      const read = decodeRunState(encodeRunState(state));
      expect(read).toEqual(state);
      expect([...read.holds.keys()]).toEqual([...state.holds.keys()]);
    });
    fc.assert(property, { numRuns });
  });

  it.each([
    ['a mark that is none', 'hy'],
    ['a JSON object', '{"marks":"h"}'],
    ['an empty hold', 'h;'],
    ['a hold without counters', 'h;pay'],
    ['a hold with too few counters', 'h;pay,1,0'],
    ['a hold with an empty counter', 'h;pay,,0,0,'],
    ['a hold with a counter that is no number', 'h;pay,1,x,0,'],
    ['a hold with half a failure', 'h;pay,1,0.5,0,'],
    ['a hold with less than no crashes', 'h;pay,1,0,-1,'],
    ['a hold without a name', 'h;,1,0,0,'],
    ['a hold whose name is not encoded', 'h;%E0%A4%A,1,0,0,'],
  ])('is not read from %s', (_, text) => {
    expect(() => decodeRunState(text)).toThrow(OrchestrateFlowError);
    expect(() => decodeRunState(text)).toThrow(
      `Cannot read the state of a run: "${text}" was not written by this library.`,
    );
    expect(() => decodeRunState(text)).toThrow(expect.objectContaining({ code: 'OF_STATE_CORRUPT' }));
  });

  it('shows no more than the beginning of a text that is none', () => {
    expect(() => decodeRunState('y'.repeat(10_000))).toThrow(new RegExp(`"y{200}" was not written`));
  });
});
