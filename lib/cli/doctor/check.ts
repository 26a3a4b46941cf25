import { messageOf } from '../../engine/errors.js';

/** What a check has found, and what to do about it. */
export interface Finding {
  /** `warn`: it works, but may hurt. `skip`: it could not be looked at, which is no fault. */
  readonly state: 'ok' | 'warn' | 'fail' | 'skip';
  readonly says: string;
  readonly remedy?: string;
}

/** One thing that the doctor looks at. */
export interface Check<Subject> {
  readonly name: string;
  run(subject: Subject): Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>;
}

/** A finding and the check it comes from. */
export interface Diagnosis extends Finding {
  readonly check: string;
}

export const ok = (says: string): Finding => ({ state: 'ok', says });
export const warn = (says: string, remedy: string): Finding => ({ state: 'warn', says, remedy });
export const fail = (says: string, remedy: string): Finding => ({ state: 'fail', says, remedy });
export const skip = (says: string): Finding => ({ state: 'skip', says });

/** Runs the checks one after the other. One that breaks is a finding, and stops none of the others. */
export async function examine<Subject>(
  checks: readonly Check<Subject>[],
  subject: Subject,
): Promise<readonly Diagnosis[]> {
  const all: Diagnosis[] = [];
  for (const check of checks) {
    const findings = await runCheck(check, subject);
    all.push(...findings.map((finding) => ({ check: check.name, ...finding })));
  }
  return all;
}

async function runCheck<Subject>(check: Check<Subject>, subject: Subject): Promise<readonly Finding[]> {
  try {
    return [await check.run(subject)].flat();
  } catch (error) {
    return [fail(`could not be looked at: ${messageOf(error)}.`, 'Correct that, and look again.')];
  }
}
