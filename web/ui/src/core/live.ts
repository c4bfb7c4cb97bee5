import { decodeFleetFrame, type FleetFrame } from './frames';

/** A text frame of GET /api/v1/live. */
export interface LiveFrame {
  seq: number;
  at?: string;
  topic: string;
  type: string;
  name?: string;
  subject?: string;
  /** The seq of the event before this one among those that the subscription selects, where the server says it. */
  prev?: number;
  data?: unknown;
}

/** What Live needs of a WebSocket. */
export interface SocketLike {
  binaryType: string;
  onopen: (() => void) | null;
  onclose: (() => void) | null;
  onmessage: ((e: { data: unknown }) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface LiveOptions {
  connect: () => SocketLike;
  onFrame: (frame: LiveFrame) => void;
  onFleet: (frame: FleetFrame) => void;
  /** Something was missed: fetch a new snapshot. */
  onGap: () => void;
  onOpen: () => void;
  onClose: () => void;
  random?: () => number;
  setTimer?: (fn: () => void, ms: number) => unknown;
  clearTimer?: (id: unknown) => void;
}

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/** How long to wait before attempt n (from 0): doubling, with jitter so that a thousand walls do not return at once. */
export function backoff(attempt: number, random: () => number): number {
  const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.5 + random() / 2));
}

/** The live feed: keeps one socket open, resumes after the last seq that it saw, and notices what it missed. */
export class Live {
  /** The last seq seen; the server is asked for what came after it. */
  seq = 0;
  private socket: SocketLike | null = null;
  private topics: string[] = [];
  private attempt = 0;
  private timer: unknown;
  private stopped = true;
  private open = false;

  constructor(private readonly options: LiveOptions) {}

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.dial();
  }

  stop(): void {
    this.stopped = true;
    this.clearTimer();
    this.drop();
  }

  /** Replaces the topics; on an open socket at once. */
  subscribe(topics: string[]): void {
    if (topics.join() === this.topics.join()) return;
    this.topics = [...topics];
    if (this.open) this.sayHello();
  }

  /** Tries at once instead of waiting, for example when the network is back. */
  retryNow(): void {
    if (this.stopped || this.socket) return;
    this.clearTimer();
    this.attempt = 0;
    this.dial();
  }

  /** Gives up a socket on which nothing comes any more. */
  reconnect(): void {
    if (this.stopped) return;
    this.drop();
    this.closed();
  }

  private dial(): void {
    const socket = this.options.connect();
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    socket.onopen = () => {
      this.open = true;
      this.sayHello();
      this.options.onOpen();
    };
    socket.onmessage = (e) => this.receive(e.data);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.drop();
      this.closed();
    };
  }

  private sayHello(): void {
    const hello: { subscribe: string[]; since?: number } = { subscribe: this.topics };
    if (this.seq > 0) hello.since = this.seq;
    this.socket?.send(JSON.stringify(hello));
  }

  private receive(data: unknown): void {
    if (data instanceof ArrayBuffer) {
      const frame = decodeFleetFrame(data);
      if (frame) this.options.onFleet(frame);
      this.attempt = 0;
      return;
    }
    let frame: LiveFrame;
    try {
      frame = JSON.parse(String(data));
    } catch {
      return this.options.onGap();
    }
    this.attempt = 0;
    this.accept(frame);
  }

  private accept(frame: LiveFrame): void {
    if (frame.type === 'event') {
      if (frame.seq <= this.seq) return; // told before, after a resume
      const missed = this.seq > 0 && frame.prev !== undefined && frame.prev > this.seq;
      this.seq = frame.seq;
      this.options.onFrame(frame);
      if (missed) this.options.onGap();
      return;
    }
    // A snapshot stands for everything up to its seq; a smaller one means that the server began anew.
    if (frame.type === 'snapshot' && frame.seq > 0) this.seq = frame.seq;
    this.options.onFrame(frame);
  }

  private closed(): void {
    this.options.onClose();
    if (this.stopped) return;
    this.clearTimer();
    const wait = backoff(this.attempt++, this.options.random ?? Math.random);
    this.timer = (this.options.setTimer ?? setTimeout)(() => this.dial(), wait);
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    this.open = false;
    if (!socket) return;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
  }

  private clearTimer(): void {
    const clear = this.options.clearTimer ?? ((id: unknown) => clearTimeout(id as number));
    if (this.timer !== undefined) clear(this.timer);
    this.timer = undefined;
  }
}
