import type { AppFolder } from './app-folder.js';
import type { Check } from './check.js';
import { COPIES, EMBEDDED, FOLDER, IOREDIS, LIBRARY, NODE_VERSION, PEERS } from './packages.js';
import { COMPILER_OPTIONS, LINT_RULES, SHUTDOWN_HOOKS } from './source-code.js';

/** What is looked at in the folder of an app, in this order. */
export const APP_CHECKS: readonly Check<AppFolder>[] = [
  FOLDER,
  NODE_VERSION,
  LIBRARY,
  PEERS,
  COPIES,
  IOREDIS,
  EMBEDDED,
  COMPILER_OPTIONS,
  LINT_RULES,
  SHUTDOWN_HOOKS,
];
