import type { FileOrder } from './orders-file.js';

export interface StepView {
  readonly name: string;
  readonly status: 'pending' | 'ready' | 'running' | 'retrying' | 'completed' | 'failed' | 'cancelled';
  /** How often it was taken up, and how often that ended with its worker. */
  readonly attempt: number;
  readonly crashes: number;
  readonly errors: readonly string[];
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

export interface OrderView {
  readonly order: {
    readonly id: string;
    readonly customerName: string;
    readonly city: string;
    readonly country: string;
  };
  readonly run: {
    readonly id: string;
    readonly status: string;
    readonly failure: { readonly step: string; readonly message: string } | null;
  };
  readonly steps: readonly StepView[];
}

export interface ImportReport {
  readonly accepted: number;
  readonly repeated: number;
  readonly rejected: readonly { readonly id: string; readonly errors: readonly string[] }[];
}

export type Summary = Readonly<Record<string, number>>;

/** The shop as its customers see it: over HTTP. */
export class ShopClient {
  constructor(private readonly url: string) {}

  /** What the shop answered; a 400 is an answer too. */
  async place(order: unknown): Promise<{ status: number; body: { created?: boolean; message?: string | string[] } }> {
    const response = await this.post('/orders', order);
    return {
      status: response.status,
      body: (await response.json()) as { created?: boolean; message?: string | string[] },
    };
  }

  async import(orders: readonly FileOrder[]): Promise<ImportReport> {
    return read(await this.post('/orders/import', { orders }));
  }

  async get(id: string): Promise<OrderView> {
    return read(await fetch(`${this.url}/orders/${id}`));
  }

  /** The numbers of all orders whose run has this status. */
  async findIds(status: string): Promise<string[]> {
    const orders = await read<{ id: string }[]>(await fetch(`${this.url}/orders?status=${status}&limit=500`));
    return orders.map(({ id }) => id);
  }

  async summary(): Promise<Summary> {
    return read(await fetch(`${this.url}/orders/summary`));
  }

  private post(path: string, body: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  }
}

async function read<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
