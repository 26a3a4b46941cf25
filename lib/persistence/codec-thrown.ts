import { isError } from './codec-kinds.js';

/** Characters kept of each part of an error; a stack is what helps most. */
const MAX_MESSAGE_LENGTH = 16 * 1024;
const MAX_STACK_LENGTH = 64 * 1024;
const MAX_FIELD_BYTES = 16 * 1024;

/** Characters kept of everything together: what comes after them is left out. */
const MAX_TOTAL_LENGTH = 256 * 1024;

const MAX_CAUSES = 8;
const MAX_ERRORS = 32;
const MAX_FIELDS = 64;

/** What is copied apart, hence not as a field. */
const ERROR_PARTS: readonly string[] = ['name', 'message', 'stack', 'cause'];

/** How a value that is no error becomes text and, as plain data, comes back. */
export interface FieldCodec {
  /** @throws ValueNotStorableError */
  encode(value: unknown, maxBytes: number): string;
  decode(text: string): unknown;
}

/**
 * A likeness of what was thrown that can be stored: of an error its parts, cut to a bounded size, and the fields that
 * can be stored; anything else as it is, or as an Error that says why it is not.
 *
 * @throws only if what was thrown is so hostile that not even its kind can be told
 */
export function storableError(thrown: unknown, codec: FieldCodec): unknown {
  return new ThrownCopy(codec).copy(thrown, MAX_CAUSES);
}

/** The copy of one thrown value, with the characters that are left to it. */
class ThrownCopy {
  private left = MAX_TOTAL_LENGTH;
  /** The errors met so far: one that is its own cause is copied once. */
  private readonly seen = new Set<unknown>();

  constructor(private readonly codec: FieldCodec) {}

  copy(thrown: unknown, causes: number): unknown {
    if (isError(thrown)) return this.error(thrown, causes);
    if (typeof thrown === 'string') return this.text(thrown, MAX_MESSAGE_LENGTH);
    try {
      return this.value(thrown);
    } catch (reason) {
      return this.substitute(thrown, reason);
    }
  }

  private error(thrown: Error, causes: number): Error {
    this.seen.add(thrown);
    const copy = new Error();
    const whole = readText(thrown, 'message') ?? '';
    const name = this.text(readText(thrown, 'name') ?? 'Error', MAX_MESSAGE_LENGTH);
    const message = this.text(whole, MAX_MESSAGE_LENGTH);
    // A stack opens with the message: long, it would leave no room for the frames.
    const stack = readText(thrown, 'stack')?.replace(whole, () => message) ?? `${name}: ${message}`;
    hide(copy, { name, message, stack: this.text(stack, MAX_STACK_LENGTH) });
    this.fields(thrown, copy);
    if (causes > 0) this.causes(thrown, copy, causes - 1);
    return copy;
  }

  private causes(thrown: Error, copy: Error, causes: number): void {
    const { cause, errors } = { cause: read(thrown, 'cause'), errors: read(thrown, 'errors') };
    const hasCause = attempt(() => 'cause' in thrown) ?? false;
    if (hasCause && this.mayCopy(cause)) hide(copy, { cause: this.copy(cause, causes) });
    if (!Array.isArray(errors) || Object.keys(copy).includes('errors')) return;
    const first = errors.slice(0, MAX_ERRORS).filter((error) => this.mayCopy(error));
    hide(copy, { errors: first.map((error) => this.copy(error, causes)) });
  }

  private mayCopy(value: unknown): boolean {
    return this.left > 0 && !this.seen.has(value);
  }

  private fields(from: object, to: object): void {
    const keys = attempt(() => Object.keys(from)) ?? [];
    for (const key of keys.filter((name) => !ERROR_PARTS.includes(name)).slice(0, MAX_FIELDS)) {
      attempt(() => {
        const value = this.value((from as Record<string, unknown>)[key]);
        Object.defineProperty(to, key, { value, enumerable: true, writable: true, configurable: true });
      });
    }
  }

  private substitute(thrown: unknown, reason: unknown): Error {
    const why = reason instanceof Error ? reason.message : '';
    const copy = new Error(`Something was thrown that is not an Error and cannot be stored. ${why}`);
    hide(copy, { stack: `Error: ${copy.message}` });
    if (typeof thrown === 'object' && thrown !== null) this.fields(thrown, copy);
    return copy;
  }

  private value(value: unknown): unknown {
    const text = this.codec.encode(value, Math.min(MAX_FIELD_BYTES, this.left));
    this.left -= text.length;
    return this.codec.decode(text);
  }

  private text(text: string, length: number): string {
    const most = Math.max(0, Math.min(length, this.left));
    this.left -= Math.min(text.length, most);
    return text.length <= most ? text : `${text.slice(0, most)}… (${text.length - most} characters left out)`;
  }
}

/** The parts of an error are not among its enumerable fields. */
function hide(error: Error, parts: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(parts)) {
    Object.defineProperty(error, key, { value, enumerable: false, writable: true, configurable: true });
  }
}

function readText(from: object, key: string): string | undefined {
  const value = read(from, key) as string | undefined;
  // Whatever its type says.
  return value === undefined ? undefined : attempt(() => String(value));
}

function read(from: object, key: string): unknown {
  return attempt(() => (from as Record<string, unknown>)[key]);
}

/** What a function gives, or undefined if it throws: of an error that cannot be read in full, the rest is kept. */
function attempt<T>(give: () => T): T | undefined {
  try {
    return give();
  } catch {
    return undefined;
  }
}
