import { beforeEach, describe, expect, it } from 'vitest';
import { backoff, Live, type LiveFrame, type SocketLike } from '../src/core/live';
import type { FleetFrame } from '../src/core/frames';

class FakeSocket implements SocketLike {
  binaryType = '';
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  sent: Record<string, unknown>[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.closed = true;
  }
  say(frame: Partial<LiveFrame>): void {
    this.onmessage?.({ data: JSON.stringify({ at: '2026-11-20T06:00:00.000Z', ...frame }) });
  }
}

let sockets: FakeSocket[];
let timers: { fn: () => void; ms: number }[];
let frames: LiveFrame[];
let fleet: FleetFrame[];
let gaps: number;
let live: Live;

const last = () => sockets.at(-1)!;
const event = (seq: number, topic = 'changes'): Partial<LiveFrame> => ({
  seq,
  topic,
  type: 'event',
  name: 'change.started',
});

beforeEach(() => {
  sockets = [];
  timers = [];
  frames = [];
  fleet = [];
  gaps = 0;
  live = new Live({
    connect: () => {
      sockets.push(new FakeSocket());
      return last();
    },
    onFrame: (f) => frames.push(f),
    onFleet: (f) => fleet.push(f),
    onGap: () => gaps++,
    onOpen: () => {},
    onClose: () => {},
    random: () => 1,
    setTimer: (fn, ms) => timers.push({ fn, ms }),
    clearTimer: () => {},
  });
  live.subscribe(['situation', 'changes']);
  live.start();
  last().onopen?.();
});

describe('the live feed', () => {
  it('asks for its topics, without since the first time', () => {
    expect(last().sent).toEqual([{ subscribe: ['situation', 'changes'] }]);
  });

  it('resumes after the last event that it saw', () => {
    last().say(event(7));
    last().say(event(9));
    last().onclose?.();
    timers.at(-1)!.fn();
    last().onopen?.();
    expect(last().sent).toEqual([{ subscribe: ['situation', 'changes'], since: 9 }]);
  });

  it('hands on an event that a resume repeats only once', () => {
    last().say(event(7));
    last().say(event(7));
    last().say(event(6));
    expect(frames.map((f) => f.seq)).toEqual([7]);
  });

  it('hands on the same event under each topic that carries it', () => {
    last().say(event(7, 'plans'));
    last().say(event(7, 'incident:INC-1'));
    expect(frames.map((f) => f.topic)).toEqual(['plans', 'incident:INC-1']);
  });

  it('does not take a situation for events that it has seen', () => {
    last().say(event(7));
    last().say({ seq: 20, topic: 'situation', type: 'snapshot' });
    last().say(event(15));
    expect(live.seq).toBe(15);
    expect(frames.map((f) => f.seq)).toEqual([7, 20, 15]);
  });

  it('starts from the first situation when no event has come', () => {
    last().say({ seq: 20, topic: 'situation', type: 'snapshot' });
    live.subscribe(['situation', 'changes', 'incident:INC-3']);
    expect(last().sent.at(-1)).toEqual({ subscribe: ['incident:INC-3'], since: 20 });
  });

  it('says which topics it no longer wants', () => {
    live.subscribe(['situation']);
    expect(last().sent.at(-1)).toEqual({ subscribe: [], unsubscribe: ['changes'] });
  });

  it('reports a gap when a topic is said anew in the middle', () => {
    last().say({ seq: 5, topic: 'changes', type: 'snapshot' });
    expect(gaps).toBe(0);
    last().say(event(7));
    last().say({ seq: 4200, topic: 'changes', type: 'snapshot' });
    expect(gaps).toBe(1);
    expect(live.seq).toBe(4200);
  });

  it('starts over with a server that has begun anew', () => {
    last().say(event(5000));
    last().say({ seq: 3, topic: 'situation', type: 'snapshot' });
    expect(gaps).toBe(1);
    last().say(event(4));
    expect(frames.at(-1)!.seq).toBe(4);
    expect(live.seq).toBe(4);
  });

  it('reports a gap when a frame cannot be read', () => {
    last().onmessage?.({ data: '{"seq":' });
    expect(gaps).toBe(1);
  });

  it('reads binary frames of the fleet', () => {
    const buffer = new ArrayBuffer(16);
    const view = new DataView(buffer);
    view.setUint8(0, 2);
    view.setUint8(1, 1);
    view.setUint32(4, 7, true);
    view.setUint32(8, ((4 << 24) | 12) >>> 0, true);
    view.setUint32(12, ((1 << 24) | 499) >>> 0, true);
    last().onmessage?.({ data: buffer });
    const frame = fleet[0]!;
    expect(frame.type === 'delta' && [frame.layout, ...frame.cells]).toEqual([7, 0x0400000c, 0x010001f3]);
  });

  it('waits longer after each failure and begins again after a word', () => {
    for (let i = 0; i < 3; i++) {
      last().onclose?.();
      timers.at(-1)!.fn();
    }
    expect(timers.map((t) => t.ms)).toEqual([500, 1000, 2000]);
    last().onopen?.();
    last().say(event(1));
    last().onclose?.();
    expect(timers.at(-1)!.ms).toBe(500);
  });

  it('dials no more once stopped', () => {
    live.stop();
    expect(last().closed).toBe(true);
    expect(timers).toEqual([]);
  });
});

describe('backoff', () => {
  it('is jittered between half and all of a doubling wait, and bounded', () => {
    expect(backoff(0, () => 0)).toBe(250);
    expect(backoff(3, () => 0.5)).toBe(3000);
    expect(backoff(50, () => 1)).toBe(15000);
  });
});
