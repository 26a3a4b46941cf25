import { describe, expect, it } from '@jest/globals';

import type { Timing } from '../engine/occurrences.js';
import { findCronFault, findNextOccurrence, findOccurrences, isTimeZone } from './schedule-times.js';

const cronIn = (timeZone: string, cron: string): Timing => ({ kind: 'cron', cron, timeZone });

/** The occurrences from one time to another, forwards and backwards, which must be the same. */
function occurrences(timing: Timing, from: string, to: string): string[] {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  const forwards: number[] = [];
  for (let at = findNextOccurrence(timing, fromMs - 1); at !== null && at <= toMs; at = findNextOccurrence(timing, at))
    forwards.push(at);
  expect(findOccurrences(timing, fromMs, toMs, 1_000)).toEqual(forwards);
  return forwards.map((at) => new Date(at).toISOString().replace(':00.000Z', 'Z'));
}

describe('a cron expression where clocks change', () => {
  // Berlin: 2026-03-29, 02:00 (+1) becomes 03:00 (+2); 2026-10-25, 03:00 (+2) becomes 02:00 (+1).
  // New York: 2026-03-08, 02:00 (-5) becomes 03:00 (-4); 2026-11-01, 02:00 (-4) becomes 01:00 (-5).
  // Lord Howe, by half an hour: 2026-04-05, 02:00 (+11) becomes 01:30 (+10:30); 2026-10-04, 02:00 (+10:30) becomes 02:30 (+11).
  it.each([
    [
      'Europe/Berlin',
      '30 2 * * *',
      '2026-03-28T00:00Z',
      ['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z'],
    ],
    [
      'America/New_York',
      '30 2 * * *',
      '2026-03-07T00:00Z',
      ['2026-03-07T07:30Z', '2026-03-08T07:00Z', '2026-03-09T06:30Z'],
    ],
    [
      'Australia/Lord_Howe',
      '15 2 * * *',
      '2026-10-02T12:00Z',
      ['2026-10-02T15:45Z', '2026-10-03T15:30Z', '2026-10-04T15:15Z'],
    ],
  ])(
    'in %s: what is set for a time that there is not comes as soon as the gap is over',
    (zone, cron, from, expected) => {
      const to = new Date(Date.parse(from) + 3 * 86_400_000 - 1).toISOString();
      expect(occurrences(cronIn(zone, cron), from, to)).toEqual(expected);
    },
  );

  it.each([
    [
      'Europe/Berlin',
      '30 2 * * *',
      '2026-10-24T00:00Z',
      ['2026-10-24T00:30Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z'],
    ],
    [
      'America/New_York',
      '30 1 * * *',
      '2026-10-31T00:00Z',
      ['2026-10-31T05:30Z', '2026-11-01T05:30Z', '2026-11-02T06:30Z'],
    ],
    [
      'Australia/Lord_Howe',
      '45 1 * * *',
      '2026-04-03T12:00Z',
      ['2026-04-03T14:45Z', '2026-04-04T14:45Z', '2026-04-05T15:15Z'],
    ],
  ])('in %s: what is set for a time that comes twice comes the first time', (zone, cron, from, expected) => {
    const to = new Date(Date.parse(from) + 3 * 86_400_000 - 1).toISOString();
    expect(occurrences(cronIn(zone, cron), from, to)).toEqual(expected);
  });

  it.each([
    ['Europe/Berlin', '*/30 * * * *', '2026-03-29T00:30Z', ['00:30', '01:00', '01:30']],
    ['Europe/Berlin', '*/30 * * * *', '2026-10-25T00:00Z', ['00:00', '00:30', '01:00', '01:30', '02:00']],
    ['America/New_York', '0 * * * *', '2026-11-01T04:00Z', ['04:00', '05:00', '06:00', '07:00', '08:00']],
    ['Australia/Lord_Howe', '*/15 * * * *', '2026-04-04T14:45Z', ['14:45', '15:00', '15:15', '15:30']],
    ['Australia/Lord_Howe', '*/15 * * * *', '2026-10-03T15:15Z', ['15:15', '15:30', '15:45', '16:00']],
  ])('in %s: %s goes on through it from %s', (zone, cron, from, times) => {
    const day = from.slice(0, 11);
    const expected = times.map((time) => `${day}${time}Z`);
    expect(occurrences(cronIn(zone, cron), from, expected.at(-1)!)).toEqual(expected);
  });

  it('is the same backwards through all of a year', () => {
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'])
      for (const cron of ['0,30 1-3 * * *', '15 */6 * * *', '45 1,2 * * SUN', '0 12 L * *'])
        expect(occurrences(cronIn(zone, cron), '2026-01-01T00:00Z', '2026-05-31T00:00Z').length).toBeGreaterThan(3);
  });
});

describe('a cron expression and the calendar', () => {
  it.each([
    ['0 0 29 2 *', '2023-01-01T00:00Z', ['2024-02-29T00:00Z', '2028-02-29T00:00Z']],
    ['0 0 29 2 *', '2096-01-01T00:00Z', ['2096-02-29T00:00Z', '2104-02-29T00:00Z']],
    ['0 0 L 2 *', '2023-01-01T00:00Z', ['2023-02-28T00:00Z', '2024-02-29T00:00Z', '2025-02-28T00:00Z']],
    ['0 0 L * *', '2026-01-15T00:00Z', ['2026-01-31T00:00Z', '2026-02-28T00:00Z', '2026-03-31T00:00Z']],
    ['0 0 31 * *', '2026-01-01T00:00Z', ['2026-01-31T00:00Z', '2026-03-31T00:00Z', '2026-05-31T00:00Z']],
    ['0 0 30 * *', '2024-01-31T00:00Z', ['2024-03-30T00:00Z', '2024-04-30T00:00Z']],
    ['59 23 31 12 *', '2024-06-01T00:00Z', ['2024-12-31T23:59Z', '2025-12-31T23:59Z']],
  ])('%s from %s comes on days that there are', (cron, from, expected) => {
    expect(occurrences(cronIn('UTC', cron), from, expected.at(-1)!)).toEqual(expected);
  });

  it('the last day of a month is that of its time zone', () => {
    const timing = cronIn('Pacific/Auckland', '30 0 L * *');
    const expected = ['2026-02-27T11:30Z', '2026-03-30T11:30Z', '2026-04-29T12:30Z'];
    expect(occurrences(timing, '2026-02-01T00:00Z', expected.at(-1)!)).toEqual(expected);
  });
});

describe('the occurrences of a schedule', () => {
  it('come at the multiples of an interval, whenever one asks', () => {
    const timing = { kind: 'interval', everyMs: 900_000 } as const;
    const at = Date.UTC(2026, 0, 1, 12);
    expect(findNextOccurrence(timing, at - 1)).toBe(at);
    expect(findNextOccurrence(timing, at)).toBe(at + 900_000);
    expect(findOccurrences(timing, at, at + 900_000, 9)).toEqual([at, at + 900_000]);
    expect(findOccurrences(timing, at + 1, at + 899_999, 9)).toEqual([]);
  });

  it('are the latest where there are more than were asked for, however long nobody has looked', () => {
    const to = Date.UTC(2026, 0, 1);
    expect(findOccurrences(cronIn('UTC', '* * * * * *'), 0, to + 500, 3)).toEqual([to - 2_000, to - 1_000, to]);
    expect(findOccurrences({ kind: 'interval', everyMs: 1_000 }, 0, to + 500, 2)).toEqual([to - 1_000, to]);
  });

  it('end with the year that the expression names', () => {
    expect(findNextOccurrence(cronIn('UTC', '0 0 0 1 1 * 2026'), Date.UTC(2026, 0, 1))).toBeNull();
    expect(findOccurrences(cronIn('UTC', '0 0 0 1 1 * 2026'), 0, Date.UTC(2030, 0, 1), 9)).toEqual([
      Date.UTC(2026, 0, 1),
    ]);
  });
});

describe('what is no expression', () => {
  it.each(['', '* * *', '60 * * * *', '*/0 * * * *', 'x * * * *', '@reboot', '2026-01-01T00:00:00', '0 0 30 2 *'])(
    '%j is told',
    (cron) => {
      expect(findCronFault(cron)).toEqual(expect.stringMatching(/./));
    },
  );

  it.each(['0 2 * * *', '*/10 * * * * *', '@daily', '0 0 L * *', '0 9 * * MON-FRI', '0 0 29 2 *'])(
    '%j is one',
    (cron) => {
      expect(findCronFault(cron)).toBeNull();
    },
  );

  it('a time zone is known by its name', () => {
    expect(['UTC', 'Europe/Berlin', 'Mars/Base', '+01:00', '', 7].map(isTimeZone)).toEqual([
      true,
      true,
      ...[false, false, false, false],
    ]);
  });
});
