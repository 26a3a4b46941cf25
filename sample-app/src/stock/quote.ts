export interface QuoteLine {
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly unitCents: number;
}

/** What an order costs and weighs, at the prices of the moment it was validated. */
export interface Quote {
  readonly lines: readonly QuoteLine[];
  readonly totalCents: number;
  readonly weightGrams: number;
}

export interface OrderLine {
  readonly sku: string;
  readonly quantity: number;
}
