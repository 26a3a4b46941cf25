import type { ChildProcess } from 'node:child_process';

import type { LibraryBuild } from '../support/build-library.mjs';
import type { DrawnGraph } from './graph-chaos.mjs';

export interface Member {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly role: 'worker' | 'poster';
  /** Set: its end is no report. */
  expectsExit: boolean;
}

export interface Report {
  readonly type: 'unhandled' | 'event' | 'exit';
  readonly pid: number;
  readonly role: string;
  readonly error?: string;
  readonly event?: { readonly type: string; readonly handedOver?: number; readonly error?: string };
}

export interface Posted {
  readonly id: string | null;
  readonly workflow: string;
  readonly error?: string;
}

export interface LedgerLine {
  readonly event: 'begin' | 'end' | 'fail';
  readonly runId: string;
  readonly step: string;
  readonly attempt: number;
  readonly at: number;
  readonly pid: number;
}

export interface Rig {
  readonly server: {
    readonly getPid: () => number;
    start(): Promise<void>;
    halt(signal?: NodeJS.Signals): Promise<void>;
  };
  /** The server as a connection string. */
  readonly url: string;
  /** For each workflow its steps, and for each step those that must have ended before it. */
  readonly dependencies: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly reports: readonly Report[];
  ledger(): LedgerLine[];
  readonly build: LibraryBuild;
  /** @param library a build of the library. @default the rig's own */
  startProcess(role: Member['role'], library?: string): Promise<Member>;
  ask(member: Member, message: object, answer: 'posted'): Promise<{ readonly runs: readonly Posted[] }>;
  ask(
    member: Member,
    message: object,
    answer: 'slots',
  ): Promise<{ readonly slots: { readonly used: readonly number[]; readonly openRuns: number } }>;
  kill(member: Member): void;
  terminate(member: Member): Promise<number>;
  query<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  untilEnded(timeoutMs: number): Promise<number>;
  close(): Promise<void>;
}

export function openRig(options?: {
  readonly lease?: string | number;
  readonly shutdownTimeout?: string;
  readonly workMs?: number;
  execArgv?: string[];
  readonly graphs?: readonly DrawnGraph[];
}): Promise<Rig>;

export function until(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void>;
