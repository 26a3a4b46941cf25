import { COMMANDS } from './commands.js';
import type { OptionName } from './options.js';

const OPTIONS: Readonly<Record<OptionName, readonly [form: string, meaning: string]>> = {
  url: ['--url <url>', 'the PostgreSQL database; default DATABASE_URL, else the variables PGHOST, PGDATABASE, …'],
  'data-source': ['--data-source <file>', 'take it from a JavaScript module that exports a TypeORM DataSource'],
  schema: ['--schema <name>', "the schema of the library's tables; default orchestrate_flow"],
  queue: ['--queue <backend>', "what BullMQ runs on: postgres (default) or redis, without BullMQ's tables"],
  steps: ['--steps <number>', 'how many migrations to take back; default 1'],
  yes: ['--yes', 'runs may be deleted with the tables that hold them'],
  redis: ['--redis <url>', 'the Redis that BullMQ runs on; default REDIS_URL'],
  json: ['--json', 'answer in JSON'],
  help: ['-h, --help', 'print this'],
  version: ['-v, --version', 'print the version'],
};

/** How to call a command, or all of them. */
export function writeUsage(name?: string): string {
  return [...writeCommands(name), '', 'Options:', ...writeOptions(name), '', ...EXIT_CODES].join('\n');
}

const EXIT_CODES = [
  'Ends with 0 where all is well, 1 where something is wrong, failed or was refused, 2 where the command line is wrong.',
  'A password on a command line can be seen by others on the same machine: prefer DATABASE_URL.',
];

function writeCommands(name: string | undefined): string[] {
  const command = name === undefined ? undefined : COMMANDS[name];
  if (command) return [`Usage: orchestrate-flow ${name} [options]`, '', `${command.summary}`];
  const lines = Object.entries(COMMANDS).map(([words, { summary }]) => `  ${words.padEnd(16)} ${summary}`);
  return ['Usage: orchestrate-flow <command> [options]', '', ...lines];
}

function writeOptions(name: string | undefined): string[] {
  const named: readonly OptionName[] = COMMANDS[name ?? '']?.options ?? (Object.keys(OPTIONS) as OptionName[]);
  const shown = Object.keys(OPTIONS).filter((option) => [...named, 'help'].includes(option)) as OptionName[];
  return shown.map((option) => `  ${OPTIONS[option][0].padEnd(21)} ${OPTIONS[option][1]}`);
}
