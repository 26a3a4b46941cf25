import { OrchestrateFlowError } from '../engine/errors.js';
import { oneLine } from '../engine/one-line.js';
import { list, suggest } from './near-miss.js';
import { MAX_NAME_LENGTH } from './option-readers.js';
import { reviveValue, validateValue, type FindPackages, type ValidValue } from './value-validation.js';
import type { WorkflowDefinition } from './workflow-definition.js';

type SignalOwner = Pick<WorkflowDefinition, 'name' | 'target'>;

/**
 * Checks the payload of a signal against what the workflow's `static signals` says under its name and gives the value to
 * store. Without `static signals` every name is known, and the payload stays as it is.
 *
 * @throws OrchestrateFlowError `OF_SIGNAL_UNKNOWN` where `static signals` does not have the name; `OF_SIGNAL_INVALID` with
 *   every fault and its path in its message, or with what the validation threw as its cause
 */
export async function validateSignal(
  workflow: SignalOwner,
  name: string,
  payload: unknown,
  packages?: FindPackages,
): Promise<ValidValue> {
  const signals = workflow.target.signals;
  if (signals && !Object.hasOwn(signals, name)) throw unknownSignal(workflow, name, Object.keys(signals));
  const checked = await validateValue(signals?.[name], payload, packages);
  if ('value' in checked) return checked;
  const lines = checked.faults.map(({ path, message }) => `  - ${path === '' ? 'payload' : path}: ${message}`);
  throw new OrchestrateFlowError(
    'OF_SIGNAL_INVALID',
    `${cannotSend(workflow, name)} its payload is invalid.\n${lines.join('\n')}`,
    checked.options,
  );
}

/**
 * The stored payload as `@SignalPayload()` gives it: of the DTO class again where class-transformer is installed, else plain.
 * A name that `static signals` does not have (any more) gives it plain: the signal was taken.
 */
export async function reviveSignal(
  { target }: SignalOwner,
  name: string,
  value: unknown,
  packages?: FindPackages,
): Promise<unknown> {
  const { signals } = target;
  const expected = signals && Object.hasOwn(signals, name) ? signals[name] : undefined;
  return reviveValue(expected, value, packages);
}

function unknownSignal(workflow: SignalOwner, name: string, known: readonly string[]): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_SIGNAL_UNKNOWN',
    `${cannotSend(workflow, name)} it has no signal of that name.${suggest(name, known)} Its signals are ${list(known)}.`,
  );
}

/** The name may come from JavaScript, and from outside of the app: of any type, of any length. */
function cannotSend(workflow: SignalOwner, name: unknown): string {
  return `Cannot send signal "${oneLine(String(name).slice(0, MAX_NAME_LENGTH))}" to workflow "${workflow.name}":`;
}
