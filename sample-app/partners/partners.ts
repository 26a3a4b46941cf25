import { Carrier } from './carrier.js';
import { Ledger } from './ledger.js';
import type { PartnerServer } from './partner-server.js';
import { servePartner } from './partner-server.js';
import { PaymentProvider } from './payment-provider.js';
import { BAD_WEATHER, Weather } from './weather.js';

export interface PartnersOptions {
  readonly paymentProviderPort?: number;
  readonly carrierPort?: number;
  /** Where the payment provider keeps its ledger. Without one it forgets when it closes. */
  readonly ledgerFile?: string;
  readonly weather?: Weather;
}

export interface Partners {
  readonly paymentProvider: PartnerServer;
  readonly carrier: PartnerServer;
  close(): Promise<void>;
}

/** Opens the payment provider and the carrier: what the shop has around it. */
export async function startPartners(options: PartnersOptions = {}): Promise<Partners> {
  const { paymentProviderPort = 0, carrierPort = 0, ledgerFile = null, weather = new Weather(BAD_WEATHER) } = options;
  const provider = new PaymentProvider(new Ledger(ledgerFile));
  const paymentProvider = await servePartner(provider, weather, paymentProviderPort);
  const carrier = await servePartner(new Carrier(), weather, carrierPort);
  return {
    paymentProvider,
    carrier,
    close: async () => {
      await Promise.all([paymentProvider.close(), carrier.close()]);
    },
  };
}
