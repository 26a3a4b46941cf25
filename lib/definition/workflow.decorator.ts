import { Injectable } from '@nestjs/common';
import { declareQueue } from './declared-queues.js';
import { writeWorkflowOptions } from './metadata.js';
import type { CheckOutput, WorkflowClass } from './workflow-class.js';
import type { WorkflowOptions } from './workflow-options.js';

// Nest's own key. Its constant is exported from different places in Nest 11 and 12.
const INJECTABLE_WATERMARK = '__injectable__';

/**
 * Makes a provider a workflow: its `@Step` and `@Parallel` methods are the steps, and their order on the page is the
 * order of the run. Implies `@Injectable()`; add the class to the `providers` of a module, nothing else registers it.
 *
 * Under `isolatedModules` (Nest's template) TypeScript reports TS1272 for an *interface* that is imported as a value and
 * used in the signature of a decorated method: `import type { Charge }` cures it. SWC says nothing and the module fails
 * to load. DTO classes are imported as values: their metadata is read.
 *
 * @throws nothing: what is wrong with a definition is reported at boot, all of it together (`DefinitionError`)
 * @example
 * ```ts
 * @Workflow({ name: 'order-fulfilment', retry: 5 })
 * export class OrderWorkflow {
 *   static readonly input = OrderDto;
 *   static readonly output = 'ship';
 *
 *   @Step() reserve(@Input() order: OrderDto): Promise<Reservation> { … }
 *   @Step() ship(@Result('reserve') reservation: Reservation): Promise<Shipment> { … }
 * }
 * ```
 * @publicApi
 */
export function Workflow(options: WorkflowOptions): <C extends WorkflowClass>(target: C & CheckOutput<C>) => void {
  return (target) => {
    // An `@Injectable({ scope })` beside it must not lose its scope: a scope other than the default is reported at boot.
    if (!Reflect.hasOwnMetadata(INJECTABLE_WATERMARK, target)) Injectable()(target);
    declareQueue(options);
    writeWorkflowOptions(target, options);
  };
}
