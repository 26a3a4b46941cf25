import { workloads } from './workloads.mjs';

// One system, one workload, one process: node contestant.mjs <system> <workload> <url> <runs>, driven over IPC by bench.mjs.
const [, , name, workloadName, url, runs] = process.argv;
const workload = workloads[workloadName];
const { open, settings } = await import(`./systems/${name}.mjs`);

const system = await open({ url, concurrency: workload.concurrency });
await workload.warmUp(system, Number(runs));
globalThis.gc?.();
process.send({ settings });

process.once('message', async () => {
  const before = process.cpuUsage();
  const figures = await workload.measure(system, Number(runs));
  const { user, system: kernel } = process.cpuUsage(before);
  const rssMb = process.resourceUsage().maxRSS / 1024;
  process.send({ figures, cpuMs: (user + kernel) / 1000, rssMb });
  // Not before the server's counters have been read: connections that are just closing are in neither sum.
  process.once('message', async () => {
    await system.close();
    process.disconnect();
  });
});
