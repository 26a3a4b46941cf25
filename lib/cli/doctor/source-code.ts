import { join } from 'node:path';

import type { AppFolder } from './app-folder.js';
import { type Check, fail, ok, skip, warn } from './check.js';
import { withoutComments } from './json.js';
import { readCompilerOptions } from './tsconfig.js';

const DECORATOR_OPTIONS = ['experimentalDecorators', 'emitDecoratorMetadata'];

export const COMPILER_OPTIONS: Check<AppFolder> = {
  name: 'TypeScript',
  run(app) {
    const swc = app.read('.swcrc');
    if (swc !== null && /"(?:decoratorMetadata|legacyDecorator)"\s*:\s*false/.test(withoutComments(swc)))
      return fail(
        '.swcrc turns decorators or their metadata off.',
        'Set `jsc.transform.legacyDecorator` and `decoratorMetadata` to true in it.',
      );
    // The one that `nest build` takes comes first.
    const file = ['tsconfig.build.json', 'tsconfig.json'].find((name) => app.has(name));
    if (file === undefined) return skip('there is no tsconfig.json here.');
    const options = readCompilerOptions(join(app.dir, file));
    if (!options) return skip(`${file} only refers to others, which are not looked at.`);
    const missing = DECORATOR_OPTIONS.filter((name) => options[name] !== true);
    if (missing.length === 0) return ok(`${DECORATOR_OPTIONS.join(' and ')} are on.`);
    return fail(
      `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not on.`,
      `Set ${missing.map((name) => `"${name}": true`).join(', ')} in the compilerOptions of ${file}.`,
    );
  },
};

const LINT_FILES = [
  ...['js', 'mjs', 'cjs', 'ts', 'mts', 'cts'].map((ending) => `eslint.config.${ending}`),
  ...['', '.js', '.cjs', '.json', '.yaml', '.yml'].map((ending) => `.eslintrc${ending}`),
];

/** Rules that sort the members of a class. */
const SORTING_RULES = ['perfectionist/sort-classes', '@typescript-eslint/member-ordering'];

/** The presets of a plugin, which turn its sorting on without naming it. */
const SORTING_PRESETS = /perfectionist[^\n]*recommended-|recommended-[^\n]*perfectionist/;

/** The order of the methods is the order of the run: a lint rule that sorts them rewrites the workflow. */
export const LINT_RULES: Check<AppFolder> = {
  name: 'lint rules',
  run(app) {
    const inManifest = JSON.stringify(app.manifest?.eslintConfig ?? '');
    const text = [inManifest, ...LINT_FILES.map((file) => app.read(file) ?? '')].join('\n');
    const sorting = SORTING_RULES.filter((rule) => text.includes(rule) && !isOff(text, rule));
    if (SORTING_PRESETS.test(text) && !isOff(text, SORTING_RULES[0]!)) sorting.push('a preset of perfectionist');
    if (sorting.length === 0) return ok('none that sorts the members of classes.');
    return warn(
      `${[...new Set(sorting)].join(' and ')} may sort the methods of a workflow, whose order is the order of the run.`,
      `Turn it off for *.workflow.ts: { '${SORTING_RULES[0]}': 'off', '${SORTING_RULES[1]}': 'off' }.`,
    );
  },
};

function isOff(text: string, rule: string): boolean {
  return new RegExp(`${rule}['"]?\\s*:\\s*\\[?\\s*(?:['"]off['"]|0)`).test(text);
}

export const SHUTDOWN_HOOKS: Check<AppFolder> = {
  name: 'shutdown hooks',
  run(app) {
    const found = app.mentions('enableShutdownHooks');
    if (found === null) return skip('no code was found here, or too much of it.');
    if (found) return ok('enableShutdownHooks() is called.');
    return warn(
      'enableShutdownHooks() is called nowhere here: on SIGTERM running steps count as crashed.',
      'Call `app.enableShutdownHooks()` in main.ts.',
    );
  },
};
