import { Injectable } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { validate } from 'class-validator';
import type { ValidationError } from 'class-validator';

import { PlaceOrderDto } from './dto/place-order.dto.js';
import { OrdersService } from './orders.service.js';

export interface ImportReport {
  readonly accepted: number;
  /** Orders that were there already. */
  readonly repeated: number;
  readonly rejected: readonly { readonly id: unknown; readonly errors: readonly string[] }[];
}

@Injectable()
export class OrderImport {
  constructor(private readonly orders: OrdersService) {}

  async run(lines: readonly unknown[]): Promise<ImportReport> {
    const report = { accepted: 0, repeated: 0, rejected: [] as { id: unknown; errors: string[] }[] };
    for (const line of lines) {
      const order = plainToInstance(PlaceOrderDto, line);
      const errors = (await validate(order, { whitelist: true })).flatMap((error) => sentences(error));
      if (errors.length > 0) {
        report.rejected.push({ id: order.id, errors });
        continue;
      }
      const { created } = await this.orders.place(order);
      report[created ? 'accepted' : 'repeated'] += 1;
    }
    return report;
  }
}

/** `items.0.quantity must not be less than 1`: the path first, as Nest's ValidationPipe says it. */
function sentences(error: ValidationError, parent = ''): string[] {
  const own = Object.values(error.constraints ?? {}).map((message) => parent + message);
  const inner = (error.children ?? []).flatMap((child) => sentences(child, `${parent}${error.property}.`));
  return [...own, ...inner];
}
