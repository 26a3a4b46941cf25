// PostgreSQL's wire protocol, version 3, as far as it has to be understood to share one backend between many clients:
// https://www.postgresql.org/docs/current/protocol-message-formats.html

/** A message: its type, one letter, and its body without type and length. */
export interface Message {
  readonly type: string;
  readonly body: Buffer;
  /** The message as it was sent. */
  readonly bytes: Buffer;
}

const LENGTH_BYTES = 4;
const HEADER_BYTES = 1 + LENGTH_BYTES;

/** What a client sends in place of its first message: may it speak TLS, or end a statement of another connection. */
export const SSL_REQUEST = 80_877_103;
export const GSS_REQUEST = 80_877_104;
export const CANCEL_REQUEST = 80_877_102;

/** Cuts what arrives in any portions into messages. */
export class MessageReader {
  private rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
  }

  /** The first message of a client, which has no type: its code and its body. */
  takeUntyped(): { readonly code: number; readonly body: Buffer } | null {
    if (this.rest.length < 2 * LENGTH_BYTES) return null;
    const length = this.rest.readInt32BE(0);
    if (this.rest.length < length) return null;
    const code = this.rest.readInt32BE(LENGTH_BYTES);
    const body = this.rest.subarray(2 * LENGTH_BYTES, length);
    this.rest = this.rest.subarray(length);
    return { code, body };
  }

  take(): Message | null {
    if (this.rest.length < HEADER_BYTES) return null;
    const length = 1 + this.rest.readInt32BE(1);
    if (this.rest.length < length) return null;
    const bytes = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    return { type: String.fromCharCode(bytes[0]!), body: bytes.subarray(HEADER_BYTES), bytes };
  }
}

/** The messages of a complete answer. */
export function* splitMessages(bytes: Uint8Array): Generator<Message> {
  const reader = new MessageReader();
  reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  for (let message = reader.take(); message; message = reader.take()) yield message;
}

export function buildMessage(type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(type, 0, 'latin1');
  header.writeInt32BE(LENGTH_BYTES + body.length, 1);
  return Buffer.concat([header, body]);
}

/** A string as the protocol ends it. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** The zero-terminated strings of a body, from an offset on. */
export function readTexts(body: Buffer, offset = 0): string[] {
  return body.toString('utf8', offset).split('\0');
}

/** A statement of the simple protocol. */
export function buildQuery(sql: string): Buffer {
  return buildMessage('Q', text(sql));
}

export function buildError(message: string): Buffer {
  const field = (code: string, value: string) => Buffer.concat([Buffer.from(code), text(value)]);
  const fields = [field('S', 'FATAL'), field('V', 'FATAL'), field('C', '57P01'), field('M', message)];
  return buildMessage('E', Buffer.concat([...fields, Buffer.alloc(1)]));
}

/** What a server says to a client that it lets in: no password, its parameters, and that it is ready. */
export function buildWelcome(parameters: Readonly<Record<string, string>>): Buffer {
  const ok = buildMessage('R', Buffer.alloc(4));
  const status = Object.entries(parameters).map(([name, value]) =>
    buildMessage('S', Buffer.concat([text(name), text(value)])),
  );
  const key = buildMessage('K', Buffer.alloc(8));
  return Buffer.concat([ok, ...status, key, buildMessage('Z', Buffer.from('I'))]);
}
