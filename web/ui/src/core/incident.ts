import { type Api, Problem } from './api';
import type { LiveFrame } from './live';
import type { Optimistic } from './optimistic';
import { Refresher } from './refresher';
import type { Chart, Entry, Event, Incident, List } from './types';

/** One incident as the war room shows it: itself, its timeline and its curve. */
export class IncidentRoom {
  chart: Chart | null = null;
  timeline: Entry[] = [];
  error: Problem | null = null;
  private raw: Incident | null = null;
  private pendingNotes: Entry[] = [];
  private events: Event[] = [];
  private readonly refresher: Refresher;
  private readonly slow: ReturnType<typeof setInterval>;

  constructor(
    readonly id: string,
    private readonly api: Api,
    private readonly optimistic: Optimistic,
    private readonly changed: () => void,
  ) {
    this.refresher = new Refresher(() => this.load());
    this.slow = setInterval(() => this.refresh(), 5000); // the curve moves without events
  }

  get incident(): Incident | null {
    return this.raw && this.optimistic.over(this.raw);
  }

  get entries(): Entry[] {
    return [...this.timeline, ...this.pendingNotes];
  }

  refresh(): void {
    this.refresher.soon();
  }

  stop(): void {
    this.refresher.stop();
    clearInterval(this.slow);
  }

  take(incident: Incident): void {
    if (incident.id === this.id) this.raw = incident;
  }

  /** Takes what an event says of this incident, and reloads the rest. */
  hear(frame: LiveFrame): void {
    if (frame.topic !== `incident:${this.id}`) return;
    const now = (frame.data as { incident?: unknown } | null)?.incident;
    if (isIncident(now)) this.take(now);
    this.changed();
    this.refresh();
  }

  /** Shows the note at once; it goes again when the server refuses it. */
  async note(text: string, actor: string, at: string): Promise<void> {
    const entry: Entry = {
      seq: Number.MAX_SAFE_INTEGER,
      at,
      kind: 'note',
      actor,
      text,
      name: 'incident.note_added',
      data: { note: text },
    };
    this.pendingNotes = [...this.pendingNotes, entry];
    this.changed();
    try {
      this.take(await this.api.post<Incident>(`/incidents/${this.id}/notes`, { text }));
      await this.loadTimeline();
    } finally {
      this.pendingNotes = this.pendingNotes.filter((n) => n !== entry);
      this.changed();
    }
  }

  private async load(): Promise<void> {
    try {
      this.raw = await this.api.get<Incident>(`/incidents/${this.id}`);
      this.error = null;
      const chart = this.api.get<Chart>(`/incidents/${this.id}/chart`).catch(() => this.chart);
      const [c] = await Promise.all([chart, this.loadTimeline().catch(() => {})]);
      this.chart = c;
    } catch (e) {
      this.error = e instanceof Problem ? e : new Problem(0, String(e));
    }
    this.changed();
  }

  private async loadTimeline(): Promise<void> {
    const [answer] = await Promise.all([
      this.api.get<List<Entry> | Entry[] | null>(`/incidents/${this.id}/timeline?limit=1000`),
      this.loadEvents().catch(() => {}), // without them the server's own sentences are shown
    ]);
    this.timeline = withData(ordered(Array.isArray(answer) ? answer : (answer?.items ?? [])), this.events);
  }

  /** The incident's events since those known: the entries' figures and names, for another language than the server's. */
  private async loadEvents(): Promise<void> {
    const since = this.events.at(-1)?.seq ?? 0;
    const answer = await this.api.get<List<Event>>(`/events?subject=${this.id}&since=${since}&limit=1000`);
    this.events = [...this.events, ...(answer.items ?? []).filter((e) => e.seq > since)];
  }
}

function isIncident(v: unknown): v is Incident {
  return typeof v === 'object' && v !== null && 'clock' in v && 'state' in v;
}

/** Entries in the order in which they happened. */
export function ordered(entries: Entry[]): Entry[] {
  return [...entries].sort((a, b) => a.seq - b.seq);
}

/** Takes the data of events into the entries that they made, where the timeline itself does not carry it. */
export function withData(entries: Entry[], events: Event[]): Entry[] {
  const bySeq = new Map(events.map((e) => [e.seq, e.data]));
  return entries.map((e) => (e.data ? e : { ...e, data: bySeq.get(e.seq) ?? null }));
}
