import { messageOf, OrchestrateFlowError } from '../engine/errors.js';
import { VERSION } from '../engine/version.js';
import { isForbidden } from '../persistence/database-failure.js';
import { COMMANDS } from './commands.js';
import { parseLine, type ParsedLine } from './options.js';
import { type ExitCode, FAULT, OK, printJson, type Terminal, USAGE, UsageError } from './terminal.js';
import { writeUsage } from './usage.js';

/** Runs one command line to its exit code. Throws nothing. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(parseLine(args), terminal);
  } catch (error) {
    return report(error, args.includes('--json'), terminal);
  }
}

async function dispatch({ words, given, options }: ParsedLine, terminal: Terminal): Promise<ExitCode> {
  const name = words.join(' ');
  if (given.includes('version')) return answer(terminal, VERSION);
  if (given.includes('help')) return answer(terminal, writeUsage(name));
  const command = COMMANDS[name];
  if (!command) throw new UsageError(unknownCommand(name));
  const foreign = given.find((option) => !command.options.includes(option));
  if (foreign !== undefined) throw new UsageError(`\`${name}\` takes no --${foreign}.`);
  const { run } = await command.load();
  return run(options, terminal);
}

function answer(terminal: Terminal, text: string): ExitCode {
  terminal.print(text);
  return OK;
}

/** Somebody may have forgotten `--url` before a connection string: what looks like more than words is not shown. */
function unknownCommand(name: string): string {
  if (name === '') return 'Expected a command.';
  return /^[\w -]{1,60}$/.test(name) ? `There is no command "${name}".` : 'There is no such command.';
}

function report(error: unknown, asJson: boolean, terminal: Terminal): ExitCode {
  const [code, message] = describe(error);
  if (asJson) printJson(terminal, { error: { code, message } });
  else terminal.note(`${code}: ${message}`);
  if (!(error instanceof UsageError)) return FAULT;
  if (!asJson) terminal.note('`orchestrate-flow --help` lists the commands and their options.');
  return USAGE;
}

function describe(error: unknown): [code: string, message: string] {
  if (error instanceof UsageError) return ['usage', error.message];
  if (error instanceof OrchestrateFlowError) return [error.code, error.message];
  if (isForbidden(error))
    return ['failed', `${messageOf(error)}. \`npx orchestrate-flow doctor\` lists the GRANTs that this role needs.`];
  const missing = findMissingPackage(error);
  if (missing === null) return ['failed', messageOf(error)];
  return ['failed', `The package ${missing} is not installed. Run \`npm install ${missing}\`.`];
}

/** The package that an import did not find, or null where that is not what happened. */
function findMissingPackage(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') return null;
  return /Cannot find package '([^']+)'/.exec(error.message)?.[1] ?? null;
}
