import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import type { Weather } from './weather.js';

export interface PartnerRequest {
  readonly method: string;
  readonly path: string;
  readonly idempotencyKey: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface PartnerAnswer {
  readonly status: number;
  readonly body: object;
}

/** A company of its own: all that the shop and it have in common is HTTP. */
export interface Partner {
  /** Null where it does not know the path. */
  answer(request: PartnerRequest): PartnerAnswer | null;
  /** Told of requests that bad weather kept out. */
  turnedAway?(request: PartnerRequest): void;
}

export interface PartnerServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function servePartner(partner: Partner, weather: Weather, port: number): Promise<PartnerServer> {
  const server = createServer((request, response) => {
    serve(partner, weather, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', listening);
  });
  const { port: actual } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${actual}`, close: () => close(server) };
}

async function serve(
  partner: Partner,
  weather: Weather,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const request = await readRequest(message);
  if (request.method === 'GET') return send(response, partner.answer(request));

  const { fate, latencyMs } = weather.next(`${request.path} ${String(request.body['orderId'])}`);
  // Not a reason to stay: a caller that still waits keeps its own process, and ours has its server.
  await pause(latencyMs, undefined, { ref: false });
  if (fate === 'down' || fate === 'busy') {
    partner.turnedAway?.(request);
    if (fate === 'busy') response.setHeader('retry-after', '1');
    return send(response, { status: fate === 'busy' ? 429 : 503, body: { reason: fate } });
  }
  const answer = partner.answer(request);
  // The work is done, and the caller waits for an answer that never comes.
  if (fate !== 'answer lost') send(response, answer);
}

async function readRequest(message: IncomingMessage): Promise<PartnerRequest> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += String(chunk);
  return {
    method: message.method ?? 'GET',
    path: message.url ?? '/',
    idempotencyKey: String(message.headers['idempotency-key'] ?? ''),
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}

function send(response: ServerResponse, answer: PartnerAnswer | null): void {
  const { status, body } = answer ?? { status: 404, body: { reason: 'unknown path' } };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((closed) => server.close(() => closed()));
}
