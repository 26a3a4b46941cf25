import { buildQuery, type Message, readTexts, splitMessages } from './messages.js';
import type { Session } from './session.js';

/** The one backend of a PGlite: answers messages of the protocol with messages. */
export interface Backend {
  execProtocolRaw(message: Uint8Array): Promise<Uint8Array>;
}

/** A client of the shared backend. */
export interface Guest {
  readonly session: Session;
  /** Receives a notification that came for a channel it listens to. */
  receive(bytes: Buffer): void;
}

interface Turn {
  readonly guest: Guest;
  readonly messages: Buffer;
  readonly answer: (bytes: Buffer) => void;
  readonly fail: (error: unknown) => void;
}

const IDLE = 'I';

/**
 * Lets many clients use one backend in turn. Whoever is in a transaction keeps it until that ends; whoever comes next finds
 * its own settings again, and what is notified goes to all who listen.
 */
export class SharedBackend {
  private readonly guests = new Set<Guest>();
  private turns: Turn[] = [];
  private owner: Guest | null = null;
  private last: Guest | null = null;
  private isBusy = false;

  constructor(private readonly backend: Backend) {}

  enter(guest: Guest): void {
    this.guests.add(guest);
  }

  /** Ends a client's transaction, if it is in one, and frees what it held. */
  leave(guest: Guest): void {
    if (!this.guests.delete(guest)) return;
    this.turns = this.turns.filter((turn) => turn.guest !== guest);
    const rollback = this.owner === guest ? 'ROLLBACK' : '';
    const channels = [...guest.session.listening].filter((channel) => !this.isHeard(channel));
    const unlisten = channels.map((channel) => `UNLISTEN "${channel}"`);
    const farewell = [rollback, ...unlisten, guest.session.farewell].filter((statement) => statement !== '').join(';');
    if (farewell === '') return;
    // First of all: it holds up everybody else.
    this.turns.unshift({ guest, messages: buildQuery(farewell), answer: () => {}, fail: () => {} });
    void this.go();
  }

  /** Sends messages that end with a point at which the backend is ready again, and answers with what it said. */
  send(guest: Guest, messages: Buffer): Promise<Buffer> {
    return new Promise((answer, fail) => {
      this.turns.push({ guest, messages, answer, fail });
      void this.go();
    });
  }

  private async go(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    for (let turn = this.takeTurn(); turn; turn = this.takeTurn()) {
      await this.take(turn);
      // The backend computes in this thread: whatever else waits comes in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.isBusy = false;
  }

  private takeTurn(): Turn | null {
    const index = this.owner ? this.turns.findIndex(({ guest }) => guest === this.owner) : 0;
    return index === -1 ? null : (this.turns.splice(index, 1)[0] ?? null);
  }

  private async take({ guest, messages, answer, fail }: Turn): Promise<void> {
    try {
      if (this.last !== guest && this.guests.has(guest)) {
        await this.exchange(guest, buildQuery(guest.session.resumption));
        this.last = guest;
      }
      answer(Buffer.concat(await this.exchange(guest, messages)));
      if (guest.session.hasUnlistened && this.owner === null) await this.listenAgain(guest);
    } catch (error) {
      fail(error);
    }
  }

  /** @returns what is the client's to hear */
  private async exchange(guest: Guest, messages: Buffer): Promise<Buffer[]> {
    const heard: Buffer[] = [];
    for (const message of splitMessages(await this.backend.execProtocolRaw(messages))) {
      if (message.type === 'A') {
        this.notify(message);
        continue;
      }
      if (message.type === 'Z') this.owner = message.body.toString('latin1') === IDLE ? null : guest;
      heard.push(Buffer.from(message.bytes));
    }
    return heard;
  }

  private notify({ body, bytes }: Message): void {
    const [channel] = readTexts(body, 4);
    const copy = Buffer.from(bytes);
    for (const guest of this.guests) if (guest.session.isListeningTo(channel!)) guest.receive(copy);
  }

  /** One client does not want to hear any more: the others still do. */
  private async listenAgain(guest: Guest): Promise<void> {
    guest.session.hasUnlistened = false;
    const channels = new Set([...this.guests].flatMap(({ session }) => [...session.listening]));
    const listen = [...channels].map((channel) => `LISTEN "${channel}"`).join(';');
    if (listen !== '') await this.exchange(guest, buildQuery(listen));
  }

  private isHeard(channel: string): boolean {
    return [...this.guests].some(({ session }) => session.isListeningTo(channel));
  }
}
