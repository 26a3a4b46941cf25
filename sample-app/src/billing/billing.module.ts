import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';

import { Invoice } from './invoice.entity.js';
import { InvoicesService } from './invoices.service.js';
import { LoyaltyEntry } from './loyalty-entry.entity.js';
import { LoyaltyService } from './loyalty.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Invoice, LoyaltyEntry])],
  providers: [InvoicesService, LoyaltyService],
  exports: [InvoicesService, LoyaltyService],
})
export class BillingModule {}
