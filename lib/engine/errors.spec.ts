import { describe, expect, it } from '@jest/globals';
import * as errors from './errors.js';

const cause = new Error('the card was declined');

describe('the errors of this library', () => {
  it.each([
    [
      new errors.DefinitionError([
        { where: 'W.a', fault: 'is no step.' },
        { where: 'W', fault: 'has no steps.' },
      ]),
      'DefinitionError',
      'OF_DEFINITION_INVALID',
      'Cannot run the workflows of this app as they are written:\n  - W.a: is no step.\n  - W: has no steps.',
    ],
    [
      new errors.InputInvalidError('order', [
        { path: '', message: 'is missing' },
        { path: 'items.0', message: 'is empty' },
      ]),
      'InputInvalidError',
      'OF_INPUT_INVALID',
      'Cannot start workflow "order": its input is invalid.\n  - input: is missing\n  - items.0: is empty',
    ],
    [
      new errors.ValueNotStorableError('the result of step "pay"', '', 'it is a function.'),
      'ValueNotStorableError',
      'OF_VALUE_NOT_STORABLE',
      'Cannot store the result of step "pay": it is a function.',
    ],
    [
      new errors.ValueNotStorableError('the input', 'a.b', 'it is a function.'),
      'ValueNotStorableError',
      'OF_VALUE_NOT_STORABLE',
      'Cannot store the input at "a.b": it is a function.',
    ],
    [new errors.NonRetryableError('No such card.'), 'NonRetryableError', 'OF_NON_RETRYABLE', 'No such card.'],
    [new errors.RetryAfterError('30s'), 'RetryAfterError', 'OF_RETRY_AFTER', 'Try again in 30s.'],
    [
      new errors.RunFailedError('r1', 'order', 'pay', cause),
      'RunFailedError',
      'OF_RUN_FAILED',
      'Run r1 of workflow "order" failed in step "pay": the card was declined',
    ],
    [
      new errors.RunFailedError('r1', 'order', 'pay', 'no money'),
      'RunFailedError',
      'OF_RUN_FAILED',
      'Run r1 of workflow "order" failed in step "pay": no money',
    ],
    [
      new errors.RunCancelledError('r1', 'order', null),
      'RunCancelledError',
      'OF_RUN_CANCELLED',
      'Run r1 of workflow "order" was cancelled.',
    ],
    [
      new errors.RunCancelledError('r1', 'order', 'too late'),
      'RunCancelledError',
      'OF_RUN_CANCELLED',
      'Run r1 of workflow "order" was cancelled: too late',
    ],
    [
      new errors.ResultTimeoutError('r1', 500),
      'ResultTimeoutError',
      'OF_RESULT_TIMEOUT',
      'Run r1 has not ended within 500 ms. It goes on: ask again, or give it more time.',
    ],
  ])('say what, why and what to do: %s', (error, name, code, message) => {
    expect(error).toBeInstanceOf(errors.OrchestrateFlowError);
    expect(error).toMatchObject({ name, code, message });
    expect(error.stack).toContain(`${name}: `);
  });

  it('keep their cause', () => {
    const all = [
      new errors.NonRetryableError('x', { cause }),
      new errors.RetryAfterError(1, 'x', { cause }),
      new errors.InputInvalidError('w', [], { cause }),
      new errors.RunFailedError('r1', 'order', 'pay', cause),
      new errors.OrchestrateFlowError('OF_STOPPED', 'x', { cause }),
    ];
    for (const error of all) expect(error.cause).toBe(cause);
  });
});

describe('an error that asks to be retried later', () => {
  it('carries its delay in milliseconds', () => {
    expect(new errors.RetryAfterError('1.5s', 'The carrier asks to wait.')).toMatchObject({
      delayMs: 1_500,
      message: 'The carrier asks to wait.',
    });
  });

  it('refuses a delay that is none', () => {
    expect(() => new errors.RetryAfterError('soon' as '1s')).toThrow(
      expect.objectContaining({
        code: 'OF_ARGUMENT_INVALID',
        message: expect.stringMatching(
          /^Expected the delay of RetryAfterError to be a duration such as .*, got soon\.$/,
        ) as unknown,
      }),
    );
  });
});
