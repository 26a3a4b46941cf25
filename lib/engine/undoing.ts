import type { IndexedGraph } from './indexed-graph.js';
import { MARK, type Mark } from './run-state.js';

/** Marks of steps that had their effect, or may have had it. */
const MAY_BE_DONE: ReadonlySet<Mark> = new Set([MARK.completed, MARK.late, MARK.failedInDoubt, MARK.cancelledInDoubt]);

/** What of a run is looked at. */
export interface UndoView {
  readonly view: { readonly graph: IndexedGraph };
  markOf(position: number): Mark;
  positionsOf(mark: Mark): number[];
}

/** The compensations of all that was done or may have been, but for what lies before a point of no return that the run has passed. */
export function findDue(draft: UndoView): readonly number[] {
  const { nodes, positions } = draft.view.graph;
  const final = findFinal(draft);
  return draft.positionsOf(MARK.dormant).filter((position) => {
    const undone = positions.get(nodes[position]!.compensates!)!;
    return MAY_BE_DONE.has(draft.markOf(undone)) && !final.has(undone);
  });
}

/** Points of no return that have completed, and all that they waited for. */
function findFinal(draft: UndoView): ReadonlySet<number> {
  const { graph } = draft.view;
  const isPassed = (position: number) =>
    graph.nodes[position]!.pointOfNoReturn === true && draft.markOf(position) === MARK.completed;
  const final = new Set([...graph.nodes.keys()].filter(isPassed));
  // The set grows while it is walked.
  for (const position of final) for (const before of graph.before[position]!) final.add(before);
  return final;
}
