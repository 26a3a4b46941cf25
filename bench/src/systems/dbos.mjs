import { DBOS } from '@dbos-inc/dbos-sdk';

import { answer } from '../answer.mjs';

// The default. On two cores shared with the server it was faster than 5, 20, 40 and 80.
const POOL_SIZE = 10;

export const settings = `in process (startWorkflow, no queue), runStep, systemDatabasePoolSize ${POOL_SIZE}, log level error`;

/** @type {import('../workloads.mjs').Open} */
export async function open({ url }) {
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: url,
    systemDatabasePoolSize: POOL_SIZE,
    logLevel: 'error',
  });
  const sequence = DBOS.registerWorkflow(
    async (steps) => {
      let last;
      for (let i = 0; i < steps; i++) last = await DBOS.runStep(async () => answer, { name: `step${i}` });
      return last;
    },
    { name: 'sequence' },
  );
  await DBOS.launch();
  return {
    async execute(steps) {
      const handle = await DBOS.startWorkflow(sequence)(steps);
      return handle.getResult();
    },
    close: () => DBOS.shutdown(),
  };
}
