import { Injectable } from '@nestjs/common';

import type { Quote } from '../stock/quote.js';

const EU = new Set(['AT', 'BE', 'DE', 'DK', 'ES', 'FI', 'FR', 'IE', 'IT', 'NL', 'PL', 'PT', 'SE']);
/** Coffee makers, kettles, beans: one tariff number each is enough for a sample. */
const TARIFF_BY_PREFIX: Readonly<Record<string, string>> = { BEA: '0901.21', GRD: '8210.00', KET: '7615.10' };
const OTHER_TARIFF = '6911.10';

export interface CustomsDeclaration {
  readonly required: boolean;
  readonly tariffs: readonly string[];
  readonly declaredCents: number;
}

@Injectable()
export class CustomsService {
  declare(country: string, quote: Quote): CustomsDeclaration {
    if (EU.has(country)) return { required: false, tariffs: [], declaredCents: 0 };
    const tariffs = quote.lines.map(({ sku }) => TARIFF_BY_PREFIX[sku.slice(0, 3)] ?? OTHER_TARIFF);
    return { required: true, tariffs: [...new Set(tariffs)], declaredCents: quote.totalCents };
  }
}
