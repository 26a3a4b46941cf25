/** Whether a run waits for its turn, by the limits of its workflow, or has had it. */
export const GATE = `CASE WHEN admit_at IS NOT NULL THEN 'waits' WHEN admitted_at IS NOT NULL THEN 'passed' END AS gate`;
