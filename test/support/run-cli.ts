import { runCommandLine } from '../../lib/cli/command-line.js';

/** What a command line answered. */
export interface CliAnswer {
  readonly code: number;
  /** What went to standard output. */
  readonly printed: string;
  /** What went to standard error. */
  readonly noted: string;
}

export interface CliSurroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command line in this process, with nothing of its environment but what is given. */
export async function runCli(
  args: readonly string[],
  { cwd = '/', env = {} }: CliSurroundings = {},
): Promise<CliAnswer> {
  const [printed, noted]: [string[], string[]] = [[], []];
  const code = await runCommandLine(args, {
    ...{ cwd, env },
    print: (text) => printed.push(text),
    note: (text) => noted.push(text),
  });
  return { code, printed: printed.join('\n'), noted: noted.join('\n') };
}
