import { describe, expect, it } from '@jest/globals';

import { untilNoRaceIsLost } from './race.js';

const failure = (code: string) => Object.assign(new Error(`as the server has it: ${code}`), { code });

describe('a statement that loses a race', () => {
  it('is sent again until it wins, and any other failure is passed on', async () => {
    let sent = 0;
    // A deadlock, then a serialization failure.
    const failures = ['40P01', '40001'].map(failure);
    const send = () => {
      sent += 1;
      const next = failures.shift();
      return next ? Promise.reject(next) : Promise.resolve('written');
    };
    await expect(untilNoRaceIsLost(send)).resolves.toBe('written');
    expect(sent).toBe(3);
    failures.push(failure('40P01'), failure('42P01'));
    await expect(untilNoRaceIsLost(send)).rejects.toMatchObject({ code: '42P01' });
    expect(sent).toBe(5);
  });
});
