import { parseArgs } from 'node:util';

import { messageOf } from '../engine/errors.js';
import { DEFAULT_SCHEMA, isSchemaName } from '../persistence/schema.js';
import { UsageError } from './terminal.js';

const FORMS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  json: { type: 'boolean' },
  url: { type: 'string' },
  'data-source': { type: 'string' },
  schema: { type: 'string' },
  queue: { type: 'string' },
  redis: { type: 'string' },
  steps: { type: 'string' },
  yes: { type: 'boolean' },
} as const;

export type OptionName = keyof typeof FORMS;

/** What a command is told, with its defaults. */
export interface CommandOptions {
  readonly json: boolean;
  readonly url: string | undefined;
  /** The path of a module that exports a DataSource. */
  readonly dataSource: string | undefined;
  readonly schema: string;
  readonly queue: 'postgres' | 'redis';
  readonly redis: string | undefined;
  readonly steps: number;
  readonly yes: boolean;
}

export interface ParsedLine {
  readonly words: readonly string[];
  /** The options that were given, by name. */
  readonly given: readonly OptionName[];
  readonly options: CommandOptions;
}

/** Splits a command line into words and options. */
export function parseLine(args: readonly string[]): ParsedLine {
  const { positionals, values } = parse(args);
  return {
    words: positionals,
    given: Object.keys(values) as OptionName[],
    options: {
      json: values.json ?? false,
      url: values.url,
      dataSource: values['data-source'],
      schema: readSchema(values.schema),
      queue: readQueue(values.queue),
      redis: values.redis,
      steps: readSteps(values.steps),
      yes: values.yes ?? false,
    },
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FORMS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(messageOf(error).split('. ')[0]!.replace(/\.?$/, '.'));
  }
}

function readSchema(schema = DEFAULT_SCHEMA): string {
  if (isSchemaName(schema)) return schema;
  throw new UsageError(`Expected --schema to be a lower-case PostgreSQL identifier, got ${JSON.stringify(schema)}.`);
}

function readQueue(queue = 'postgres'): 'postgres' | 'redis' {
  if (queue === 'postgres' || queue === 'redis') return queue;
  throw new UsageError(`Expected --queue to be "postgres" or "redis", got ${JSON.stringify(queue)}.`);
}

function readSteps(steps = '1'): number {
  const count = Number(steps);
  if (/^\d{1,6}$/.test(steps) && count > 0) return count;
  throw new UsageError(`Expected --steps to be a whole number from 1 on, got ${JSON.stringify(steps)}.`);
}
