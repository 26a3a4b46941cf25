import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

/**
 * What a statement may be put together from: constants of the library, and the name of the schema, which is refused at boot
 * unless it is a plain identifier. Everything a user gives goes in as a parameter.
 */
const CONSTANTS =
  /^(?:[A-Z][A-Z_]+|schema|this\.schema|this\.channel|this\.options\.schema|qualify\(\w+, schema\)(?:\.trim\(\))?|DEAD_AT\.replace\('\$LEASE', '\$\d::float8'\))$/;

/** Other names, in the one file where they stand for what the library itself makes. */
const OWN_WORDS: Readonly<Record<string, readonly string[]>> = {
  'store-statements.ts': ['doomed', 'events', 'which', 'alone', "STEP_NAME.replace(/\\b(item|name)\\b/g, 's.$1')"],
  'migrations/1764100000000-quarantine-steps.ts': ['words'],
  'migrations/1764400000000-wait-and-skip.ts': ['table', 'name', 'condition', 'waits'],
  'migrations/1764500000000-signal-and-compensate.ts': ['table', 'name', 'condition', 'unheard'],
  'migrations/1764900000000-fan-out.ts': ['name', 'condition', 'waiting'],
  'migrations/1766200000000-limit-runs.ts': ['condition', 'moves'],
  'migrations/1765100000000-transactional-steps.ts': ['words'],
  'migrations/1766100000000-pause-runs.ts': ['name', 'condition', 'isPaused'],
  'migrations/1766300000000-repeat-steps.ts': ['words'],
  'migration-sql.ts': ['name', 'servesFrom', 'condition', 'statement', 'title'],
  'connection.ts': ['name', 'value'],
  // A statement for the reader of an error, with a role and schemas that are quoted.
  'rights.ts': ['to', 'list'],
  // A random number.
  'session-check.ts': ['channel'],
};

const STATEMENT =
  /\b(?:SELECT\s|INSERT INTO|UPDATE\s+\w+\.?\w*\s+(?:\w+\s+)?SET|DELETE FROM|LISTEN\s|SET\s+\w*|CREATE\s|ALTER\s|EXECUTE\s|NOT EXISTS)/;

interface Piece {
  readonly file: string;
  readonly put: string;
}

const folder = new URL('../../lib/persistence/', import.meta.url);

/** Every expression that is put into the text of a statement. */
function piecesOf(file: string): Piece[] {
  const source = ts.createSourceFile(file, readFileSync(new URL(file, folder), 'utf8'), ts.ScriptTarget.Latest, true);
  const pieces: Piece[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isTemplateExpression(node) && STATEMENT.test(node.getText(source).replaceAll(/\$\{[^}]*\}/g, 'x'))) {
      for (const span of node.templateSpans) pieces.push({ file, put: span.expression.getText(source) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return pieces;
}

// `pglite/` passes on statements that its clients send, each client's to that client's session.
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.spec.ts') && !file.startsWith('pglite/'),
);

describe('the statements of lib/persistence', () => {
  it('are constants: nothing but constants and the name of the schema is put into their text', () => {
    const pieces = files.flatMap(piecesOf);
    const strange = pieces.filter(({ file, put }) => !CONSTANTS.test(put) && !OWN_WORDS[file]?.includes(put));
    expect(strange).toEqual([]);
    expect(pieces.length).toBeGreaterThan(20);
  });

  it('are never joined to anything by a plus', () => {
    for (const file of files) {
      const text = readFileSync(new URL(file, folder), 'utf8');
      expect(text).not.toMatch(/\.query\([^()]*['"`]\s*\+/);
    }
  });
});
