import type { CommandOptions, OptionName } from './options.js';
import type { ExitCode, Terminal } from './terminal.js';

/** Does what a command says. */
export type Run = (options: CommandOptions, terminal: Terminal) => Promise<ExitCode>;

interface Command {
  readonly summary: string;
  readonly options: readonly OptionName[];
  /** Loads it when it is used: `doctor` must work where a package that the others need is missing. */
  load(): Promise<{ readonly run: Run }>;
}

const DATABASE: readonly OptionName[] = ['url', 'data-source', 'schema', 'queue', 'json'];

/** All commands, by the words that name them. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  'migrate up': {
    summary: 'create the tables, or bring them up to date; safe to run at any time, and by many at once',
    options: DATABASE,
    load: () => import('./migrate-up.js'),
  },
  'migrate down': {
    summary: 'take back the newest migration; --steps takes back more',
    options: [...DATABASE, 'steps', 'yes'],
    load: () => import('./migrate-down.js'),
  },
  'migrate status': {
    summary: 'list the migrations; ends with 1 where the tables are behind or too new',
    options: DATABASE,
    load: () => import('./migrate-status.js'),
  },
  'migrate sql': {
    summary: 'print what `migrate up` does as a script for psql; needs no database',
    options: ['schema', 'queue'],
    load: () => import('./migrate-sql.js'),
  },
  doctor: {
    summary: 'find what is wrong with the app in this folder, its database and its Redis, and say what to do',
    options: ['url', 'data-source', 'schema', 'queue', 'redis', 'json'],
    load: () => import('./doctor.js'),
  },
};
