import { Duplex } from 'node:stream';

import {
  buildError,
  buildWelcome,
  CANCEL_REQUEST,
  GSS_REQUEST,
  MessageReader,
  readTexts,
  SSL_REQUEST,
} from './messages.js';
import { Session } from './session.js';
import type { Guest, SharedBackend } from './shared-backend.js';

/** After these the backend answers and is ready again: a simple statement, the end of an extended one, of a copy. */
const ENDS_UNIT = new Set(['Q', 'S', 'c', 'f']);
const TERMINATE = 'X';

let count = 0;

/** A connection within the process: to node-postgres a socket, to the shared backend a guest. */
export class ClientStream extends Duplex implements Guest {
  readonly session = new Session(++count);
  private readonly reader = new MessageReader();
  private isWelcome = false;
  private unit: Buffer[] = [];

  constructor(
    private readonly shared: SharedBackend,
    private readonly parameters: Readonly<Record<string, string>>,
  ) {
    super();
  }

  // ── what node-postgres asks of a socket ────────────────────────────────────────────────────────────────────────────

  connect(): this {
    this.shared.enter(this);
    setImmediate(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  // ── what a guest hears ─────────────────────────────────────────────────────────────────────────────────────────────

  receive(bytes: Buffer): void {
    if (!this.destroyed) this.push(bytes);
  }

  // ── the stream ─────────────────────────────────────────────────────────────────────────────────────────────────────

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.reader.push(chunk);
    if (!this.isWelcome) this.welcome();
    if (this.isWelcome) this.forward();
    done();
  }

  override _final(done: () => void): void {
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.shared.leave(this);
    done(error);
  }

  private welcome(): void {
    for (let first = this.reader.takeUntyped(); first; first = this.reader.takeUntyped()) {
      if (first.code === SSL_REQUEST || first.code === GSS_REQUEST) {
        this.push(Buffer.from('N'));
      } else if (first.code === CANCEL_REQUEST) {
        this.destroy();
        return;
      } else {
        const words = readTexts(first.body);
        const options = words.findIndex((word, index) => index % 2 === 0 && word === 'options');
        if (options !== -1) this.session.startWith(words[options + 1]!);
        this.isWelcome = true;
        this.push(buildWelcome(this.parameters));
        return;
      }
    }
  }

  private forward(): void {
    for (let message = this.reader.take(); message; message = this.reader.take()) {
      if (message.type === TERMINATE) {
        this.end();
        return;
      }
      this.unit.push(this.session.translate(message));
      if (ENDS_UNIT.has(message.type)) this.sendUnit();
    }
  }

  private sendUnit(): void {
    const messages = Buffer.concat(this.unit);
    this.unit = [];
    this.shared.send(this, messages).then(
      (answer) => this.receive(answer),
      (error: unknown) => {
        this.receive(buildError(`PGlite failed: ${error instanceof Error ? error.message : String(error)}`));
        this.destroy();
      },
    );
  }
}
