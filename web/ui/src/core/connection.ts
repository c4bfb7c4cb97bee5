/** How current the screen is. */
export interface Freshness {
  state: 'connecting' | 'live' | 'stale' | 'lost';
  ageMs: number;
}

/** The server says the situation at least every five seconds. */
export const STALE_MS = 8_000;
/** A socket that has just closed is stale before it counts as lost: a reload of the server is no drama. */
export const LOST_MS = 3_000;

/** What the chip says is worked out from: when something last came, and whether the socket is open. */
export class Connection {
  open = false;
  private heardAt = -1;
  private closedAt = -1;

  constructor(private readonly now: () => number) {}

  heard(): void {
    this.heardAt = this.now();
  }

  opened(): void {
    this.open = true;
    this.closedAt = -1;
  }

  closed(): void {
    if (this.open || this.closedAt < 0) this.closedAt = this.now();
    this.open = false;
  }

  /** Local time at which something last came, -1 before that. */
  get lastHeard(): number {
    return this.heardAt;
  }

  freshness(): Freshness {
    const now = this.now();
    if (this.heardAt < 0)
      return { state: this.closedAt > 0 && now - this.closedAt > LOST_MS ? 'lost' : 'connecting', ageMs: 0 };
    const ageMs = now - this.heardAt;
    if (!this.open && this.closedAt >= 0 && now - this.closedAt > LOST_MS) return { state: 'lost', ageMs };
    if (ageMs > STALE_MS * 4) return { state: 'lost', ageMs };
    return { state: ageMs > STALE_MS ? 'stale' : 'live', ageMs };
  }
}
