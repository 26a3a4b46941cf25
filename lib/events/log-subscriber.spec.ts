import { describe, expect, it } from '@jest/globals';

import { EventHub } from './event-hub.js';
import { logEvents, type EventLog } from './log-subscriber.js';

const failed = (error: unknown) => ({ type: 'run.failed', runId: '1', workflow: 'w\n', step: 's', error }) as const;

/** What is written for an event, a text per argument. */
function written(event: Parameters<EventHub['announce']>[0]): string[] {
  const texts: string[] = [];
  const note = (...parts: (string | undefined)[]) => void texts.push(...parts.map(String));
  const hub = new EventHub();
  logEvents(hub, { log: note, warn: note, error: note, debug: note });
  hub.announce(event);
  return texts;
}

describe('a line of the log', () => {
  it('is one line whatever an error or a reason says, without terminal sequences', () => {
    const [line, stack] = written(failed(new Error('no\r\n[Nest] LOG all is well\u001b[2J\u009b1m\u2028')));
    expect(line).toBe(
      'Run 1 of "w\\u{a}" failed in step "s": no\\u{d}\\u{a}[Nest] LOG all is well\\u{1b}[2J\\u{9b}1m\\u{2028}',
    );
    expect(
      stack!
        .split('\n')
        .slice(1)
        .every((frame) => frame.startsWith('    ')),
    ).toBe(true);
    // eslint-disable-next-line no-control-regex -- it is what must not be there
    expect(stack).not.toMatch(/[\u001b\u009b\r]/);
    const cancelled = written({ type: 'run.cancelled', runId: '1', workflow: 'w', reason: 'a\nb' });
    expect(cancelled).toEqual(['Run 1 of "w" was cancelled: a\\u{a}b.']);
  });

  it('is given up where the log throws, and others are told all the same', () => {
    const hub = new EventHub();
    const refuse = () => {
      throw new Error('full');
    };
    const heard: unknown[] = [];
    logEvents(hub, { log: refuse, warn: refuse, error: refuse, debug: refuse } satisfies EventLog);
    hub.events$.subscribe((event) => heard.push(event));
    for (let n = 0; n < 2; n++) hub.announce(failed(null));
    expect(heard).toHaveLength(2);
  });
});
