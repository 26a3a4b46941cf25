import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { WorkflowRun } from 'orchestrate-flow';

import { BillingModule } from '../billing/billing.module.js';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { PaymentsModule } from '../payments/payments.module.js';
import { ShippingModule } from '../shipping/shipping.module.js';
import { StockModule } from '../stock/stock.module.js';
import { CancellationWorkflow } from './cancellation.workflow.js';
import { OrderBoard } from './order-board.js';
import { OrderImport } from './order-import.js';
import { OrderItem } from './order-item.entity.js';
import { Order } from './order.entity.js';
import { OrderWorkflow } from './order.workflow.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { SupportController } from './support.controller.js';

@Module({
  imports: [
    TypeOrmModule.forFeature([Order, OrderItem, WorkflowRun]),
    StockModule,
    PaymentsModule,
    ShippingModule,
    BillingModule,
    NotificationsModule,
  ],
  controllers: [OrdersController, SupportController],
  // A workflow is a provider like any other: nothing else registers it.
  providers: [OrdersService, OrderBoard, OrderImport, OrderWorkflow, CancellationWorkflow],
})
export class OrdersModule {}
