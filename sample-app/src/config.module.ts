import type { DynamicModule } from '@nestjs/common';
import { Global, Module } from '@nestjs/common';

import { ShopConfig } from './shop.config.js';

@Global()
@Module({})
export class ConfigModule {
  static forRoot(config: ShopConfig): DynamicModule {
    return {
      module: ConfigModule,
      providers: [{ provide: ShopConfig, useValue: config }],
      exports: [ShopConfig],
    };
  }
}
