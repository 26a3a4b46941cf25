/** What a command has of the outside. */
export interface Terminal {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes lines of the answer. */
  print(text: string): void;
  /** Writes lines about the answer, apart from it: what is printed can go into a file. */
  note(text: string): void;
}

/** All is well, and what was asked for has been done. */
export const OK = 0 as const;
/** Something is wrong, or what was asked for failed or was refused. */
export const FAULT = 1 as const;
/** The command line says nothing that can be done. */
export const USAGE = 2 as const;

export type ExitCode = typeof OK | typeof FAULT | typeof USAGE;

/** The command line cannot be understood. Shows nothing that may hold a secret. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** For `--json`. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(JSON.stringify(value, null, 2));
}
