import 'reflect-metadata';

import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { startPartners } from '../partners/partners.js';
import { AppModule } from './app.module.js';
import { ShopConfig } from './shop.config.js';

const logger = new Logger('Shop');

async function bootstrap(): Promise<void> {
  const config = ShopConfig.fromEnvironment();
  if (config.role === 'worker') return startWorker(config);
  if (!process.env['PAYMENT_PROVIDER_URL']) await startPartners({ paymentProviderPort: 4010, carrierPort: 4020 });
  await startServer(config);
}

async function startWorker(config: ShopConfig): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule.forRoot(config));
  app.enableShutdownHooks();
  logger.log(`A worker is running steps (process ${process.pid}).`);
  process.send?.({ ready: true });
}

async function startServer(config: ShopConfig): Promise<void> {
  const app = await NestFactory.create(AppModule.forRoot(config));
  app.enableShutdownHooks();
  await app.listen(config.port, '127.0.0.1');
  const url = await app.getUrl();
  logger.log(`The shop is open at ${url}. Try, in another terminal:\n${suggestions(url)}`);
  process.send?.({ ready: true, url });
}

function suggestions(url: string): string {
  const order = `head -1 sample-app/data/orders.jsonl | curl -s ${url}/orders -H 'content-type: application/json' -d @-`;
  return [
    order,
    `curl -s ${url}/orders/1001`,
    `curl -s '${url}/orders?status=running'`,
    `curl -s ${url}/orders/summary`,
  ]
    .map((line) => `  ${line}`)
    .join('\n');
}

// Started by the demo: ends with it, whatever ended it.
if (process.send) process.once('disconnect', () => process.exit());

await bootstrap();
