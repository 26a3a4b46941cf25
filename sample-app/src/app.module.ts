import type { DynamicModule } from '@nestjs/common';
import { Module, ValidationPipe } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { OrchestrateFlowModule } from 'orchestrate-flow';

import { ConfigModule } from './config.module.js';
import { DatabaseModule } from './database/database.module.js';
import { OrdersModule } from './orders/orders.module.js';
import { ReportsModule } from './reports/reports.module.js';
import { ShopConfig } from './shop.config.js';
import { WorkflowErrorFilter } from './workflow-error.filter.js';

@Module({})
export class AppModule {
  static forRoot(config = ShopConfig.fromEnvironment()): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config),
        DatabaseModule,
        OrchestrateFlowModule.forRoot({ worker: config.role === 'web' ? false : config.worker }),
        OrdersModule,
        ReportsModule,
      ],
      providers: [
        { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true, whitelist: true }) },
        { provide: APP_FILTER, useClass: WorkflowErrorFilter },
      ],
    };
  }
}
