import { runMigrations } from 'bullmq';

/** What a database without BullMQ's tables answers to the questions of its migrations. */
const ANSWERS: readonly (readonly [question: RegExp, row: (values: readonly unknown[]) => object])[] = [
  [/server_version_num/, () => ({ num: '180000', ver: '18.0' })],
  [/MAX\(version\)/, () => ({ version: 0 })],
  [/MAX\(min_client_version\)/, ([own]) => ({ min_client_version: own })],
];

/** After it come the migrations. */
const LAST_QUESTION = /MAX\(min_client_version\)/;

const LEDGER_ENTRY = /^\s*INSERT INTO migration\b/;

/**
 * BullMQ's own migrations as a script for `psql`, written down while they run against a database that is none. Safe to run
 * again: each looks whether it has been applied.
 *
 * @param guard writes statements that run only where a condition holds
 */
export async function writeBullScript(
  schema: string,
  guard: (condition: string, statements: readonly string[], title: string) => string,
): Promise<string> {
  const parts: string[] = [`-- The tables of BullMQ, in schema "${schema}".`];
  let gathered: string[] = [];
  let isBehindLedger = false;
  await runMigrations(
    {
      query: (text: string, values: readonly unknown[] = []) => {
        const answer = ANSWERS.find(([question]) => question.test(text));
        if (answer) {
          isBehindLedger ||= LAST_QUESTION.test(text);
          return Promise.resolve({ rows: [answer[1](values)] as never[], rowCount: 1 });
        }
        const statement = fillIn(text, values);
        if (!isBehindLedger || /^(?:BEGIN|COMMIT)$/.test(text)) parts.push(`${statement};`);
        else gathered.push(statement);
        if (LEDGER_ENTRY.test(text)) {
          const [version, name] = values as [number, string];
          const condition = `NOT EXISTS (SELECT 1 FROM migration WHERE version >= ${version})`;
          parts.push(guard(condition, gathered, `BullMQ: ${name}`));
          gathered = [];
        }
        return Promise.resolve({ rows: [], rowCount: 0 });
      },
    },
    schema,
  );
  return [...parts, ''].join('\n\n');
}

/** The statement with its parameters in place: numbers and names of migrations. */
function fillIn(text: string, values: readonly unknown[]): string {
  return text.replace(/\$(\d+)/g, (_, index: string) => {
    const value = values[Number(index) - 1];
    return typeof value === 'number' ? String(value) : `'${String(value).replaceAll("'", "''")}'`;
  });
}
