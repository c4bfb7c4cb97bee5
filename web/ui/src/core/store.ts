import { Api, Problem } from './api';
import { ServerClock } from './clock';
import { Connection } from './connection';
import { Emitter } from './emitter';
import { FleetModel } from './fleet';
import { IncidentRoom } from './incident';
import { Live, type LiveFrame, type SocketLike } from './live';
import { Optimistic } from './optimistic';
import { Refresher } from './refresher';
import type { Event, Incident, Principal, Run, Situation } from './types';

/** A short message to the person; it says what happened to something that they did. */
export interface Notice {
  id: number;
  tone: 'info' | 'error';
  text: string;
}

export interface StoreOptions {
  api?: Api;
  connect: () => SocketLike;
  now?: () => number;
}

const QUIET_MS = 3_000;
const DEAD_MS = 20_000;
const RECENT = 60;

/** All that the screens show, kept live. It knows no framework: whoever paints subscribes. */
export class Store extends Emitter {
  readonly api: Api;
  readonly live: Live;
  readonly clock: ServerClock;
  readonly connection: Connection;
  readonly fleet: FleetModel;
  readonly optimistic = new Optimistic();
  me: Principal | null = null;
  needLogin = false;
  loadError: Problem | null = null;
  situation: Situation | null = null;
  room: IncidentRoom | null = null;
  notices: Notice[] = [];
  /** Frames by topic, for screens that reload when theirs moves. */
  private topicListeners = new Set<(frame: LiveFrame) => void>();
  private readonly refresh: Refresher;
  private readonly now: () => number;
  private nextNotice = 1;
  private beat: ReturnType<typeof setInterval> | undefined;

  constructor(options: StoreOptions) {
    super();
    this.now = options.now ?? Date.now;
    this.api = options.api ?? new Api();
    this.api.onUnauthenticated = () => this.setLogin(true);
    this.clock = new ServerClock(this.now);
    this.connection = new Connection(this.now);
    this.fleet = new FleetModel(this.api);
    this.refresh = new Refresher(() => this.load());
    this.live = new Live({
      connect: options.connect,
      onFrame: (f) => this.takeFrame(f),
      onFleet: (f) => {
        this.connection.heard();
        this.fleet.takeFrame(f);
      },
      onGap: () => this.resync(),
      onOpen: () => {
        this.connection.opened();
        this.resync();
        this.changed();
      },
      onClose: () => {
        this.connection.closed();
        this.changed();
      },
    });
  }

  /** Loads the first snapshot, then goes live. */
  start(): void {
    this.refresh.soon();
    void this.whoami();
    this.live.subscribe(this.topics());
    this.live.start();
    this.beat = setInterval(() => this.watch(), 1000);
  }

  stop(): void {
    clearInterval(this.beat);
    this.refresh.stop();
    this.live.stop();
  }

  /** Looks at one incident: its detail is kept live until another is looked at. */
  look(id: string | null): void {
    if ((this.room?.id ?? null) === id) return;
    this.room?.stop();
    this.room = id ? new IncidentRoom(id, this.api, this.optimistic, () => this.changed()) : null;
    this.room?.refresh();
    this.live.subscribe(this.topics());
    this.changed();
  }

  /** Incidents that still need people, worst first, with what was asked for laid over them. */
  get incidents(): Incident[] {
    return (this.situation?.incidents ?? []).map((i) => this.optimistic.over(i));
  }

  onFrame(fn: (frame: LiveFrame) => void): () => void {
    this.topicListeners.add(fn);
    return () => this.topicListeners.delete(fn);
  }

  async signIn(token: string): Promise<void> {
    await this.api.post('/session', { token });
    this.setLogin(false);
    this.resync();
    this.live.retryNow();
    await this.whoami();
  }

  /** Acknowledges at once on the screen; when the server refuses, it is taken back and said. */
  async acknowledge(id: string, failed: (why: string) => string): Promise<void> {
    const patch: Partial<Incident> = { state: 'acknowledged', acknowledged_at: new Date(this.clock.now()).toISOString() };
    const takeBack = this.optimistic.lay(id, patch);
    this.changed();
    try {
      this.takeIncident(await this.api.post<Incident>(`/incidents/${id}/acknowledge`));
    } catch (e) {
      this.notify('error', failed(reason(e)));
    } finally {
      takeBack();
      this.changed();
      this.refresh.soon();
    }
  }

  /** Posts something that is not optimistic and takes the incident in the answer. */
  async act(id: string, verb: string, body: unknown, failed: (why: string) => string): Promise<boolean> {
    try {
      this.takeIncident(await this.api.post<Incident>(`/incidents/${id}/${verb}`, body));
      return true;
    } catch (e) {
      this.notify('error', failed(reason(e)));
      return false;
    } finally {
      this.refresh.soon();
    }
  }

  takeIncident(incident: Incident | undefined): void {
    if (!incident?.id) return;
    if (this.situation) {
      const incidents = (this.situation.incidents ?? []).map((i) => (i.id === incident.id ? incident : i));
      this.situation = { ...this.situation, incidents };
    }
    this.room?.take(incident);
    this.changed();
  }

  takeRun(run: Run): void {
    if (!this.situation) return;
    const runs = (this.situation.runs ?? []).filter((r) => r.id !== run.id);
    this.situation = { ...this.situation, runs: [run, ...runs] };
    this.changed();
  }

  notify(tone: Notice['tone'], text: string): void {
    const id = this.nextNotice++;
    this.notices = [...this.notices.slice(-3), { id, tone, text }];
    this.changed();
    setTimeout(() => this.dismiss(id), tone === 'error' ? 12_000 : 4_000);
  }

  dismiss(id: number): void {
    this.notices = this.notices.filter((n) => n.id !== id);
    this.changed();
  }

  /** Fetches everything that is shown anew. */
  resync(): void {
    this.refresh.soon();
    this.room?.refresh();
    this.fleet.load().catch(() => {});
  }

  private topics(): string[] {
    return ['situation', 'fleet', 'changes', 'plans', 'drills', ...(this.room ? [`incident:${this.room.id}`] : [])];
  }

  private async whoami(): Promise<void> {
    try {
      this.me = await this.api.get<Principal>('/whoami');
    } catch {
      this.me = null;
    }
    this.changed();
  }

  private setLogin(need: boolean): void {
    if (this.needLogin === need) return;
    this.needLogin = need;
    this.changed();
  }

  private async load(): Promise<void> {
    const sent = this.now();
    try {
      this.takeSituation(await this.api.get<Situation>('/situation'), sent);
    } catch (e) {
      this.loadError = e instanceof Problem ? e : new Problem(0, String(e));
      this.changed();
    }
  }

  private takeSituation(s: Situation, sent?: number): void {
    if (sent !== undefined) this.clock.sample(Date.parse(s.at ?? ''), sent, this.now());
    if (this.situation && s.seq < this.situation.seq && s.version === this.situation.version) return;
    this.situation = s;
    this.loadError = null;
    this.needLogin = false;
    this.connection.heard();
    this.changed();
  }

  private takeFrame(frame: LiveFrame): void {
    this.connection.heard();
    if (frame.type === 'snapshot') {
      if (frame.topic === 'situation' && isSituation(frame.data)) this.takeSituation(frame.data);
      else this.refresh.soon();
      return;
    }
    if (frame.type !== 'event') return;
    this.addRecent(frame);
    for (const fn of this.topicListeners) fn(frame);
    this.refresh.soon();
    this.room?.hear(frame);
  }

  private addRecent(frame: LiveFrame): void {
    const s = this.situation;
    const event = eventOf(frame);
    if (!s || !event.text || (s.recent ?? []).some((e) => e.seq === event.seq)) return;
    this.situation = { ...s, recent: [event, ...(s.recent ?? [])].slice(0, RECENT) };
    this.changed();
  }

  /** Once a second: asks when nothing came by itself, so that the age on the screen is the truth. */
  private watch(): void {
    const silent = this.now() - this.connection.lastHeard;
    if (silent > QUIET_MS && !this.needLogin) this.refresh.soon();
    if (this.connection.open && silent > DEAD_MS) this.live.reconnect();
  }
}

function isSituation(data: unknown): data is Situation {
  return typeof data === 'object' && data !== null && 'counts' in data && 'incidents' in data;
}

/** An event frame as an event: its data may be the event itself or only the event's own data. */
export function eventOf(frame: LiveFrame): Event {
  const data = (frame.data ?? {}) as Record<string, unknown>;
  const inner = (typeof data.data === 'object' && data.data !== null ? data.data : data) as Record<string, unknown>;
  return {
    seq: frame.seq,
    at: frame.at ?? null,
    name: frame.name ?? String(data.name ?? ''),
    topic: String(data.topic ?? frame.topic),
    subject: String(frame.subject ?? data.subject ?? ''),
    actor: String(data.actor ?? ''),
    text: String(data.text ?? inner.text ?? ''),
    data: inner,
  };
}

/** Why something failed, in a sentence with what to do about it. */
export function reason(e: unknown): string {
  if (e instanceof Problem) return e.hint ? `${e.message} (${e.hint})` : e.message;
  return e instanceof Error ? e.message : String(e);
}
