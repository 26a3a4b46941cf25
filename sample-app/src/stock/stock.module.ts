import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';

import { StockItem } from './stock-item.entity.js';
import { StockReservation } from './stock-reservation.entity.js';
import { StockSeeder } from './stock.seeder.js';
import { StockService } from './stock.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([StockItem, StockReservation])],
  providers: [StockService, StockSeeder],
  exports: [StockService],
})
export class StockModule {}
