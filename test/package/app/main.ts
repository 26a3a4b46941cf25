import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Input, OrchestrateFlowModule, Orchestrator, Parallel, Result, Step, Workflow } from 'orchestrate-flow';

class OrderDto {
  items!: string[];
}

@Injectable()
class StockService {
  reserve(items: string[]): string[] {
    return items.map((item) => `${item}-reserved`);
  }
}

@Workflow({ name: 'quick-start' })
class OrderWorkflow {
  static readonly input = OrderDto;
  static readonly output = 'ship';

  constructor(private readonly stock: StockService) {}

  @Step()
  reserve(@Input() order: OrderDto): string[] {
    return this.stock.reserve(order.items);
  }

  @Parallel()
  async charge(@Result('reserve') lines: string[]): Promise<number> {
    return lines.length * 10;
  }

  @Parallel()
  async print(@Result('reserve') lines: string[]): Promise<string> {
    return lines.join('+');
  }

  @Step()
  ship(@Result('charge') amount: number, @Result('print') label: string): string {
    return `${label}: ${amount}`;
  }
}

@Module({ imports: [OrchestrateFlowModule.forRoot()], providers: [StockService, OrderWorkflow] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
const result: string = await app.get(Orchestrator).execute(OrderWorkflow, { items: ['book', 'pen'] });
await app.close();

if (result !== 'book-reserved+pen-reserved: 20') throw new Error(`Unexpected result: ${result}`);
console.log(`The run's result: ${result}`);
