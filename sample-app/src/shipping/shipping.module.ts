import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';

import { CustomsService } from './customs.service.js';
import { Shipment } from './shipment.entity.js';
import { ShippingService } from './shipping.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Shipment])],
  providers: [CustomsService, ShippingService],
  exports: [CustomsService, ShippingService],
})
export class ShippingModule {}
