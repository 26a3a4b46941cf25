import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** A graph as `defineWorkflow()` takes it: every step says what it waits for. */
function toGraph(name, before) {
  return { name, steps: Object.entries(before).map(([step, after]) => ({ name: step, after })) };
}

/**
 * Reads graphs of tasks that somebody recorded: files, or folders of files, in WfFormat (wfcommons.org; of 1.5 the tasks of its
 * specification, of earlier versions those of the workflow). Of a file only who waits for whom is read.
 *
 * @throws Error where a file holds none
 */
export function readGraphs(paths) {
  const files = paths.flatMap((path) =>
    statSync(path).isDirectory()
      ? readdirSync(path)
          .filter((name) => name.endsWith('.json'))
          .map((name) => join(path, name))
      : [path],
  );
  return files.map((file) => {
    const { workflow } = JSON.parse(readFileSync(file, 'utf8'));
    const tasks = workflow?.specification?.tasks ?? workflow?.tasks ?? workflow?.jobs;
    if (!Array.isArray(tasks)) throw new Error(`Expected ${file} to hold the tasks of a workflow in WfFormat.`);
    const before = tasks.map(({ id, name, parents = [] }) => [id ?? name, [...new Set(parents)]]);
    return toGraph(basename(file, '.json'), Object.fromEntries(before));
  });
}

/** Graphs of the shapes in which science works, each of some hundred tasks. */
export function drawGraphs() {
  return [toGraph('mosaic', drawMosaic(10)), toGraph('lanes', drawLanes(4, 20)), toGraph('search', drawSearch(120))];
}

/** A picture of the sky from side × side plates: what overlaps is compared, and a model of all differences corrects each. */
function drawMosaic(side) {
  const plates = range(side * side);
  const overlaps = plates.flatMap((plate) => {
    const right = plate % side < side - 1 ? [[plate, plate + 1]] : [];
    const below = plate + side < side * side ? [[plate, plate + side]] : [];
    return [...right, ...below];
  });
  const differences = overlaps.map(([one, other]) => [
    `differ-${one}-${other}`,
    [`project-${one}`, `project-${other}`],
  ]);
  return {
    ...Object.fromEntries(plates.map((plate) => [`project-${plate}`, []])),
    ...Object.fromEntries(differences),
    gather: differences.map(([name]) => name),
    model: ['gather'],
    ...Object.fromEntries(plates.map((plate) => [`correct-${plate}`, [`project-${plate}`, 'model']])),
    list: plates.map((plate) => `correct-${plate}`),
    add: ['list', ...plates.map((plate) => `correct-${plate}`)],
    view: ['add'],
  };
}

/** Lanes of a sequencer: each is split into chunks that go through a chain, merged, and all lanes are merged in the end. */
function drawLanes(lanes, chunks) {
  const chain = ['filter', 'convert', 'map'];
  const ofLane = (lane) => ({
    [`split-${lane}`]: [],
    ...Object.fromEntries(
      range(chunks).flatMap((chunk) =>
        chain.map((word, link) => [
          `${word}-${lane}-${chunk}`,
          [link === 0 ? `split-${lane}` : `${chain[link - 1]}-${lane}-${chunk}`],
        ]),
      ),
    ),
    [`merge-${lane}`]: range(chunks).map((chunk) => `map-${lane}-${chunk}`),
  });
  const merges = range(lanes).map((lane) => `merge-${lane}`);
  return {
    ...Object.assign({}, ...range(lanes).map(ofLane)),
    'merge-all': merges,
    index: ['merge-all'],
    pile: ['index'],
  };
}

/** One list is split, each part searched, and the finds and the faults gathered apart. */
function drawSearch(parts) {
  const searches = range(parts).map((part) => `search-${part}`);
  return {
    split: [],
    ...Object.fromEntries(searches.map((name) => [name, ['split']])),
    finds: searches,
    faults: searches,
  };
}

function range(length) {
  return Array.from({ length }, (_, i) => i);
}
