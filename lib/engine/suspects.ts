/**
 * From so many crashes on a step is a suspect: it may be what kills its workers. Suspects run one at a time in a process,
 * so that none is taken for the other. The same number stands in the index `workflow_step_suspects`.
 */
export const SUSPECT_CRASHES = 2;

/** Crashes after which a step is quarantined, unless the options say otherwise. */
export const DEFAULT_MAX_CRASHES = 5;

/** The fewest crashes that can be asked for: a suspect must have run alone before it can be blamed. */
export const LEAST_MAX_CRASHES = SUSPECT_CRASHES + 1;
