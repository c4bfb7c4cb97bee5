import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Api } from '../src/core/api';
import { Store } from '../src/core/store';
import type { SocketLike } from '../src/core/live';
import type { Situation } from '../src/core/types';
import { incident } from './fixtures';

class Socket implements SocketLike {
  binaryType = '';
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  send(): void {}
  closed = false;
  close(): void {
    this.closed = true;
  }
}

function situation(change: Partial<Situation> = {}): Situation {
  return {
    at: '2026-11-20T06:00:00.000Z',
    seq: 10,
    version: 'v1',
    counts: { P1: 1, P2: 0, P3: 0, P4: 0, devices_offline: 0, devices_total: 500 },
    incidents: [incident()],
    freeze: { active: [], next: null },
    services: [],
    cities: [],
    oncall: [],
    changes: [],
    runs: [],
    recent: [],
    headline: null,
    ...change,
  };
}

let answers: Record<string, () => Response>;
let socket: Socket;
let store: Store;
const json = (v: unknown, status = 200) => new Response(JSON.stringify(v), { status });

beforeEach(() => {
  vi.useFakeTimers();
  answers = {
    'GET /situation': () => json(situation()),
    'GET /whoami': () => json({ name: 'ann', role: 'responder' }),
  };
  const fetcher = async (url: string, init?: RequestInit) =>
    answers[`${init?.method ?? 'GET'} ${url}`]?.() ?? json({ title: 'Not Found' }, 404);
  store = new Store({ api: new Api('', fetcher), connect: () => (socket = new Socket()) });
  store.start();
});
afterEach(() => {
  store.stop();
  vi.useRealTimers();
});

const say = (frame: object) => socket.onmessage?.({ data: JSON.stringify(frame) });

describe('the store', () => {
  it('loads the situation and follows the feed', async () => {
    await vi.advanceTimersByTimeAsync(10);
    expect(store.incidents[0]!.id).toBe('INC-42');
    say({
      seq: 11,
      topic: 'situation',
      type: 'snapshot',
      data: situation({ at: '2026-11-20T06:00:01.000Z', incidents: [] }),
    });
    expect(store.incidents).toEqual([]);
  });

  it('keeps the newer situation when an older one comes late', async () => {
    await vi.advanceTimersByTimeAsync(10);
    say({
      seq: 9,
      topic: 'situation',
      type: 'snapshot',
      data: situation({ at: '2026-11-20T05:59:00.000Z', incidents: [] }),
    });
    expect(store.incidents).toHaveLength(1);
  });

  it('shows an acknowledgement at once and keeps it when the server agrees', async () => {
    await vi.advanceTimersByTimeAsync(10);
    answers['POST /incidents/INC-42/acknowledge'] = () => json(incident({ state: 'acknowledged' }));
    const done = store.acknowledge('INC-42', String);
    expect(store.incidents[0]!.state).toBe('acknowledged');
    await done;
    expect(store.incidents[0]!.state).toBe('acknowledged');
    expect(store.notices).toEqual([]);
  });

  it('takes an acknowledgement back and says why when the server refuses', async () => {
    await vi.advanceTimersByTimeAsync(10);
    answers['POST /incidents/INC-42/acknowledge'] = () =>
      json({ title: 'Conflict', detail: 'it is resolved', hint: 'reopen it' }, 409);
    await store.acknowledge('INC-42', (why) => `not acknowledged: ${why}`);
    expect(store.incidents[0]!.state).toBe('open');
    expect(store.notices[0]).toMatchObject({
      tone: 'error',
      text: 'not acknowledged: Conflict — it is resolved (reopen it)',
    });
  });

  it('keeps what was asked for over a snapshot that comes before the answer', async () => {
    await vi.advanceTimersByTimeAsync(10);
    answers['POST /incidents/INC-42/acknowledge'] = () => json(incident({ state: 'acknowledged' }));
    const done = store.acknowledge('INC-42', String);
    say({ seq: 12, topic: 'situation', type: 'snapshot', data: situation({ at: '2026-11-20T06:00:02.000Z' }) });
    expect(store.incidents[0]!.state).toBe('acknowledged');
    await done;
  });

  it('asks for a sign-in on 401 and no longer after a situation', async () => {
    answers['GET /situation'] = () => json({ title: 'Unauthorized' }, 401);
    await vi.advanceTimersByTimeAsync(10);
    expect(store.needLogin).toBe(true);
    expect(socket.closed, 'nothing knocks at a closed door').toBe(true);
    answers['GET /situation'] = () => json(situation());
    answers['POST /session'] = () => json({ name: 'ann', role: 'viewer' });
    await store.signIn('goc_x');
    await vi.advanceTimersByTimeAsync(1000);
    expect(store.needLogin).toBe(false);
    expect(store.situation).not.toBeNull();
  });

  it('is live, then stale, then lost', async () => {
    await vi.advanceTimersByTimeAsync(10);
    socket.onopen?.();
    expect(store.connection.freshness().state).toBe('live');
    answers = {};
    await vi.advanceTimersByTimeAsync(9000);
    expect(store.connection.freshness().state).toBe('stale');
    socket.onclose?.();
    await vi.advanceTimersByTimeAsync(4000);
    expect(store.connection.freshness()).toMatchObject({ state: 'lost' });
  });
});
