import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OrchestrateFlowModule, openEmbeddedPostgres } from 'orchestrate-flow';

import { Order } from './order.entity.js';
import { OrderWorkflow } from './order.workflow.js';
import { OrdersController } from './orders.controller.js';
import { PaymentsService } from './payments.service.js';

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      useFactory: async () => {
        const { connection } = await openEmbeddedPostgres({ dataDir: process.env.SHOP_DATA_DIR! });
        const { user: username, ...place } = connection;
        return { type: 'postgres', ...place, username, autoLoadEntities: true, synchronize: true };
      },
    }),
    TypeOrmModule.forFeature([Order]),
    OrchestrateFlowModule.forRoot(),
  ],
  controllers: [OrdersController],
  providers: [OrderWorkflow, PaymentsService],
})
export class AppModule {}
