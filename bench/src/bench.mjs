import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import { toMedians, toTable } from './table.mjs';

const OURS = 'orchestrate-flow';
const USAGE = `npm run bench -- <w1|w2> [--peers dbos] [--rounds 3] [--runs N] [--only-peers] [--json]
Needs the built package: npm run build.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    peers: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    runs: { type: 'string' },
    'only-peers': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const chosen = { w1: ['w1'], w2: ['w2-1', 'w2-10'] };
if (positionals.length === 0 || positionals.some((name) => !(name in chosen))) {
  console.error(USAGE);
  process.exit(2);
}

installPeers();
// Imported only now: both need what was just installed.
const { startMeasuredServer } = await import('./server.mjs');
const { workloads } = await import('./workloads.mjs');

const peers = values.peers.split(',').filter(Boolean);
const systems = values['only-peers'] ? peers : [OURS, ...peers];
const server = await startMeasuredServer();
try {
  const report = { machine: describeMachine(), workloads: [] };
  for (const name of positionals.flatMap((positional) => chosen[positional])) {
    report.workloads.push(await measureWorkload(name));
  }
  console.log(values.json ? JSON.stringify(report, null, 2) : toPage(report));
} finally {
  await server.stop();
}

async function measureWorkload(name) {
  const rounds = Object.fromEntries(systems.map((system) => [system, []]));
  const settings = {};
  // Interleaved by round: what else the machine does falls on all of them alike.
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const system of systems) {
      const { figures, ...other } = await measureOnce(name, system);
      rounds[system].push(figures);
      settings[system] = other.settings;
      console.error(`${name} round ${round + 1} ${system}: ${JSON.stringify(figures)}`);
    }
  }
  const medians = Object.fromEntries(systems.map((system) => [system, toMedians(rounds[system])]));
  return { title: workloads[name].title, settings, rounds, medians };
}

/** One system on a fresh database in a fresh process. The server's counters are read around the measured part only. */
async function measureOnce(name, system) {
  const database = `bench_${system.replaceAll('-', '_')}`;
  const runs = Number(values.runs ?? workloads[name].runs[system]);
  const url = await server.createDatabase(database);
  const child = fork(new URL('contestant.mjs', import.meta.url), [system, name, url, String(runs)], {
    execArgv: ['--expose-gc'],
    // Standard output is the report's.
    stdio: ['ignore', process.stderr, 'inherit', 'ipc'],
  });
  const exit = once(child, 'exit');
  const { settings } = await nextMessage(child, system);
  await server.settle();
  const before = await server.readCounters(database);
  child.send('measure');
  const { figures, cpuMs, rssMb } = await nextMessage(child, system);
  const after = await server.readCounters(database);
  child.send('close');
  await exit;
  await server.dropDatabase(database);
  const perRun = (counter) => (after[counter] === null ? null : (after[counter] - before[counter]) / runs);
  return {
    settings,
    figures: {
      ...figures,
      'client CPU ms/run': cpuMs / runs,
      'server CPU ms/run': perRun('cpuMs'),
      'statements/run': perRun('statements'),
      'write tx/run': perRun('writeTransactions'),
      'peak RSS MB': rssMb,
    },
  };
}

async function nextMessage(child, system) {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${system} ended with code ${code} before it was done.`);
  });
  const [message] = await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => {});
  return message;
}

function installPeers() {
  const bench = new URL('..', import.meta.url);
  if (existsSync(new URL('node_modules', bench))) return;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: bench, stdio: ['ignore', process.stderr, 'inherit'] });
}

function describeMachine() {
  const [{ model }] = cpus();
  const counting = server.countsStatements ? 'with pg_stat_statements' : 'statements not counted';
  return `Node ${process.version}, ${server.version}, fsync on, ${counting}, ${cpus().length} × ${model}`;
}

function toPage({ machine, workloads: measured }) {
  const parts = measured.map(({ title, settings, medians }) => {
    const notes = Object.entries(settings).map(([system, text]) => `${system}: ${text}`);
    return [`${title} (medians of ${values.rounds} rounds)`, ...notes, '', toTable(medians)].join('\n');
  });
  return [machine, ...parts].join('\n\n');
}
