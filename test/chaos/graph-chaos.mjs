import { audit } from './audit.mjs';
import { Faults } from './faults.mjs';
import { openRig } from './rig.mjs';

/** Milliseconds after which a graph in which nothing ends any more has failed, beyond some leases. */
const PATIENCE_MS = 120_000;

/**
 * Starts each graph so often, made by `defineWorkflow()`, and lets faults strike the workers until all have ended. Answers with
 * what there is to each graph, with the figures of all, and with everything that may be said against them.
 */
export async function runGraphs(graphs, { seed, runs = 1, leaseMs = 2_000, workers = 3, workMs = 15 }) {
  const rig = await openRig({ lease: leaseMs, graphs, workMs });
  try {
    const poster = await rig.startProcess('poster');
    const crew = await Promise.all(Array.from({ length: workers }, () => rig.startProcess('worker')));
    const faults = new Faults(rig, crew, { seed, leaseMs });
    const mix = graphs.map(({ name }) => name);
    const { runs: posted } = await rig.ask(
      poster,
      { type: 'post-and-tell', everyMs: 1, mix, count: runs * mix.length },
      'posted',
    );
    let isOver = false;
    const struck = faults.strikeWhile(() => !isOver);
    const left = await rig.untilEnded(6 * leaseMs + PATIENCE_MS);
    isOver = true;
    await struck;
    await faults.settled();
    const { complaints, figures } = await audit(rig, posted);
    const kills = faults.done.filter(({ kind }) => kind === 'SIGKILL').length;
    const unhandled = rig.reports.filter(({ type }) => type === 'unhandled' || type === 'exit');
    return {
      graphs: graphs.map(sizeOf),
      figures: { seed, faults: faults.done.length, kills, left, ...figures },
      complaints: [...complaints, ...unhandled],
    };
  } finally {
    await rig.close();
  }
}

function sizeOf({ name, steps }) {
  const edges = steps.reduce((sum, { after }) => sum + after.length, 0);
  const widestJoin = Math.max(...steps.map(({ after }) => after.length));
  return { name, tasks: steps.length, edges, widestJoin };
}
