import { RedisBackend } from '../../lib/queue/redis-backend.js';
import { describeQueue, memberOn, type QueueUnderTest } from '../conformance/queue-conformance.js';
import { startRedisServer } from '../support/redis-server.mjs';

describeQueue('BullMQ on Redis', openRedis);

async function openRedis(): Promise<QueueUnderTest> {
  const server = await startRedisServer();
  const { host, port } = server;
  const options = { connection: { host, port }, prefix: null };
  return {
    join: async () => memberOn(await RedisBackend.open(options, () => {})),
    cut: () => server.halt(),
    mend: () => server.start(),
    close: () => server.stop(),
  };
}
