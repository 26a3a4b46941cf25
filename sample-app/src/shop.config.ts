import type { DatabaseConfig } from './database/database.config.js';
import { readDatabaseConfig } from './database/database.config.js';

const ROLES = ['all', 'web', 'worker'] as const;
export type ShopRole = (typeof ROLES)[number];

/** What differs between one installation of the shop and another. */
export class ShopConfig {
  /** `web` answers HTTP and starts workflows, `worker` runs their steps, `all` does both. */
  readonly role!: ShopRole;
  readonly port!: number;
  readonly database!: DatabaseConfig;
  readonly paymentProviderUrl!: string;
  readonly carrierUrl!: string;
  readonly worker!: { readonly concurrency: number };

  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): ShopConfig {
    return {
      role: readRole(env['SHOP_ROLE']),
      port: Number(env['PORT'] ?? 3000),
      database: readDatabaseConfig(env),
      paymentProviderUrl: env['PAYMENT_PROVIDER_URL'] ?? 'http://127.0.0.1:4010',
      carrierUrl: env['CARRIER_URL'] ?? 'http://127.0.0.1:4020',
      worker: { concurrency: Number(env['SHOP_CONCURRENCY'] ?? 50) },
    };
  }
}

function readRole(text = 'all'): ShopRole {
  const role = ROLES.find((known) => known === text);
  if (!role) throw new Error(`Expected SHOP_ROLE to be one of ${ROLES.join(', ')}, got "${text}".`);
  return role;
}
