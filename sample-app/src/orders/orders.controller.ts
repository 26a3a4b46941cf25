import { Body, Controller, Get, HttpCode, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';

import { CancelOrderDto } from './dto/cancel-order.dto.js';
import { FindOrdersDto } from './dto/find-orders.dto.js';
import { ImportOrdersDto } from './dto/import-orders.dto.js';
import { PlaceOrderDto } from './dto/place-order.dto.js';
import { OrderBoard } from './order-board.js';
import { OrderImport } from './order-import.js';
import { OrdersService } from './orders.service.js';

@Controller('orders')
export class OrdersController {
  constructor(
    private readonly orders: OrdersService,
    private readonly board: OrderBoard,
    private readonly orderImport: OrderImport,
  ) {}

  /** 201 for a new order, 200 for one that was placed before. */
  @Post()
  async place(@Body() dto: PlaceOrderDto, @Res({ passthrough: true }) response: { status(code: HttpStatus): unknown }) {
    const placed = await this.orders.place(dto);
    response.status(placed.created ? HttpStatus.CREATED : HttpStatus.OK);
    return placed;
  }

  @Post('import')
  @HttpCode(HttpStatus.OK)
  import(@Body() dto: ImportOrdersDto) {
    return this.orderImport.run(dto.orders);
  }

  @Get()
  find(@Query() query: FindOrdersDto) {
    return this.board.find(query);
  }

  @Get('summary')
  summary() {
    return this.board.summary();
  }

  @Get(':id')
  get(@Param('id') id: string) {
    return this.board.get(id);
  }

  @Post(':id/cancel')
  @HttpCode(HttpStatus.ACCEPTED)
  cancel(@Param('id') id: string, @Body() dto: CancelOrderDto) {
    return this.orders.cancel(id, dto.reason);
  }
}
