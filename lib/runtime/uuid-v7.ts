import { randomUUID } from 'node:crypto';

/** What 12 bits can count. */
const MAX_COUNT = 0xfff;

/**
 * Makes UUIDs of version 7 (RFC 9562), each greater than the one before it: 48 bits of milliseconds, 12 bits that count
 * within a millisecond from a random start in the lower half, 62 random bits. A clock that goes back stands still here,
 * and a millisecond that is used up lends from the next.
 */
export function createUuidV7(now: () => number): () => string {
  let time = -1;
  let count = 0;
  return () => {
    // The variant and the last 62 bits of a version 4 are those of a version 7.
    const random = randomUUID();
    const current = now();
    if (current > time) {
      time = current;
      count = parseInt(random.slice(15, 18), 16) >> 1;
    } else if (count < MAX_COUNT) {
      count += 1;
    } else {
      time += 1;
      count = 0;
    }
    return format(time, count, random.slice(19));
  };
}

function format(time: number, count: number, rest: string): string {
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${count.toString(16).padStart(3, '0')}-${rest}`;
}
