import { Api, Problem } from './api';
import { ServerClock } from './clock';
import { Connection } from './connection';
import { Emitter } from './emitter';
import { FleetModel } from './fleet';
import { IncidentRoom } from './incident';
import { Live, type LiveFrame, type SocketLike } from './live';
import { Optimistic } from './optimistic';
import { Refresher } from './refresher';
import type { Incident, Principal, Situation } from './types';

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

const QUIET_MS = 6_500;
const DEAD_MS = 20_000;

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
  private screenTopics: string[] = [];
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

  /** Goes live; the feed's first word is the situation. */
  start(): void {
    void this.whoami();
    this.refresh.soon();
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

  /** The topics whose events the screen reloads for, beside the situation. */
  watchTopics(topics: string[]): void {
    this.screenTopics = topics;
    this.live.subscribe(this.topics());
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
    await this.whoami();
  }

  /** Acknowledges at once on the screen. */
  acknowledge(id: string, failed: (why: string) => string): Promise<boolean> {
    const acknowledged_at = new Date(this.clock.now()).toISOString();
    return this.act(id, 'acknowledge', {}, failed, { state: 'acknowledged', acknowledged_at });
  }

  /**
   * Posts what a person does to an incident and takes the incident in the answer. With a patch it is optimistic: the
   * patch is seen at once, and taken back, and said, when the server refuses.
   */
  async act(
    id: string,
    verb: string,
    body: unknown,
    failed: (why: string) => string,
    patch?: Partial<Incident>,
  ): Promise<boolean> {
    const takeBack = patch && this.optimistic.lay(id, patch);
    if (patch) this.changed();
    try {
      this.takeIncident(await this.api.post<Incident>(`/incidents/${id}/${verb}`, body));
      return true;
    } catch (e) {
      this.notify('error', failed(reason(e)));
      return false;
    } finally {
      takeBack?.();
      this.changed();
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
    if (this.fleet.layout >= 0) this.fleet.load().catch(() => {});
  }

  private topics(): string[] {
    return ['situation', ...this.screenTopics, ...(this.room ? [`incident:${this.room.id}`] : [])];
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
    // A server that does not know us is left in peace: what asks by itself would be refused again and again.
    if (need) {
      this.live.stop();
      this.room?.stop();
    } else {
      const looked = this.room?.id ?? null;
      this.look(null);
      this.look(looked);
      this.live.start();
    }
    this.changed();
  }

  private async load(): Promise<void> {
    try {
      const situation = await this.api.get<Situation>('/situation');
      if (this.loadError) this.live.retryNow(); // the server is back: no reason to sit out the wait
      this.takeSituation(situation);
    } catch (e) {
      this.loadError = e instanceof Problem ? e : new Problem(0, String(e));
      this.changed();
    }
  }

  private takeSituation(s: Situation): void {
    this.clock.sample(Date.parse(s.at ?? ''));
    this.connection.heard();
    this.loadError = null;
    this.setLogin(false);
    if (this.situation && this.situation.version === s.version && (s.at ?? '') < (this.situation.at ?? '')) return;
    this.situation = s;
    this.changed();
  }

  private takeFrame(frame: LiveFrame): void {
    this.connection.heard();
    if (frame.type === 'snapshot' && frame.topic === 'situation' && isSituation(frame.data))
      this.takeSituation(frame.data);
    if (frame.type !== 'event') return;
    for (const fn of this.topicListeners) fn(frame);
    this.room?.hear(frame);
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

/** Why something failed, in a sentence with what to do about it. */
export function reason(e: unknown): string {
  if (e instanceof Problem) return e.hint ? `${e.message} (${e.hint})` : e.message;
  return e instanceof Error ? e.message : String(e);
}
