import { decodeFleetFrame, type FleetFrame } from './frames';

/** A text frame of GET /api/v1/live. */
export interface LiveFrame {
  seq: number;
  at?: string | null;
  topic: string;
  type: string;
  name?: string;
  subject?: string;
  actor?: string;
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

/** Topics that say what is, again and again, and not what happened. */
const stateTopics = new Set(['situation', 'fleet']);

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/** How long to wait before attempt n (from 0): doubling, with jitter so that a thousand walls do not return at once. */
export function backoff(attempt: number, random: () => number): number {
  const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.5 + random() / 2));
}

/**
 * The live feed: keeps one socket open, resumes after the last event that it saw, and notices what it missed. The server
 * says events in order, each once a topic; where a listener was too slow it says a snapshot of the topic instead.
 */
export class Live {
  /** The last event that is known to have been told; the server is asked for what came after it. */
  seq = 0;
  private socket: SocketLike | null = null;
  private topics: string[] = [];
  private asked = new Set<string>();
  private toldOf = new Map<string, number>(); // the last event's seq, by topic
  private whole = new Set<string>(); // topics whose first snapshot on this socket has come
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
    this.topics = [...new Set(topics)];
    if (this.open) this.ask();
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
      this.asked.clear();
      this.whole.clear();
      this.ask();
      this.options.onOpen();
    };
    socket.onmessage = (e) => this.receive(e.data);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.drop();
      this.closed();
    };
  }

  /** Tells the server which topics are wanted that it does not know of, and which no longer are. */
  private ask(): void {
    const subscribe = this.topics.filter((t) => !this.asked.has(t));
    const unsubscribe = [...this.asked].filter((t) => !this.topics.includes(t));
    if (subscribe.length + unsubscribe.length === 0) return;
    const message: { subscribe: string[]; unsubscribe?: string[]; since?: number } = { subscribe };
    if (unsubscribe.length > 0) message.unsubscribe = unsubscribe;
    if (this.seq > 0) message.since = this.seq;
    this.asked = new Set(this.topics);
    for (const t of unsubscribe) this.whole.delete(t);
    this.socket?.send(JSON.stringify(message));
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
      if (frame.seq <= (this.toldOf.get(frame.topic) ?? 0)) return; // told before, after a resume
      this.toldOf.set(frame.topic, frame.seq);
      this.seq = Math.max(this.seq, frame.seq);
      this.options.onFrame(frame);
      return;
    }
    if (frame.type === 'snapshot') this.takeSnapshot(frame);
    this.options.onFrame(frame);
  }

  /** A snapshot is what a topic starts with. One where events were due, or one from before what is known, is a gap. */
  private takeSnapshot(frame: LiveFrame): void {
    const again = frame.seq < this.seq && frame.seq < this.lowest(); // the server has begun anew
    const cutOff = !stateTopics.has(frame.topic) && this.whole.has(frame.topic);
    this.whole.add(frame.topic);
    if (again) {
      this.toldOf.clear();
      this.seq = frame.seq;
    } else if (this.seq === 0 || !stateTopics.has(frame.topic)) {
      this.seq = Math.max(this.seq, frame.seq);
    }
    if (again || cutOff) this.options.onGap();
  }

  /** The lowest seq that a snapshot of the same history may have: a little behind, because it is built beside the events. */
  private lowest(): number {
    return this.seq - 1000;
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
