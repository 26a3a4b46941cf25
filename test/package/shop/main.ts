import 'reflect-metadata';

import { NestFactory } from '@nestjs/core';
import { Orchestrator } from 'orchestrate-flow';

import { AppModule } from './app.module.js';

async function bootstrap(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  await app.init();
  app.get(Orchestrator).events$.subscribe(({ type }) => console.log(type));
  await app.listen(0, '127.0.0.1');
  console.log(`open at ${await app.getUrl()}`);
}

void bootstrap();
