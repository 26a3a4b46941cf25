import type { WorkflowDefinition } from '../definition/registry.js';
import { validateInput } from '../definition/workflow-input.js';
import type { PayloadCodec } from '../engine/codec.js';
import { ValueNotStorableError } from '../engine/errors.js';

/** Takes in what runs are started with. */
export class InputDesk {
  constructor(private readonly codec: PayloadCodec) {}

  /**
   * The input as it is stored.
   *
   * @throws InputInvalidError, ValueNotStorableError
   */
  async encode(definition: WorkflowDefinition, input: unknown): Promise<string> {
    const what = `the input of workflow "${definition.name}"`;
    assertNoThenable(input, what);
    const valid = await validateInput(definition, input);
    return this.codec.encode(valid.value, what);
  }
}

/** Whoever awaited such an input would be given what it makes of that, or wait for ever. */
function assertNoThenable(input: unknown, what: string): void {
  if (typeof input !== 'object' || input === null) return;
  let then: unknown;
  try {
    ({ then } = input as { then?: unknown });
  } catch {
    // The codec says where it cannot be read.
  }
  if (typeof then === 'function')
    throw new ValueNotStorableError(what, '', 'it is a Promise, or has a method `then` like one: await it first.');
}
