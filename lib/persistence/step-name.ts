/** What a row is called outside of its table: the items of a fan-out, which count from 1, have names made of the step's. */
export const STEP_NAME = `CASE WHEN item = 0 THEN name ELSE name || '[' || (item - 1) || ']' END`;
