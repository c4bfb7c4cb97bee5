import type { Incident, LegName, Time } from './types';

export const legNames: readonly LegName[] = ['detect', 'locate', 'recover'];

/** Milliseconds of a time on the wire, NaN when there is none. */
export function millis(t: Time | undefined): number {
  return t ? Date.parse(t) : NaN;
}

/** One leg of 1-5-10 as it stands now. */
export interface LegView {
  name: LegName;
  targetS: number;
  elapsedS: number;
  running: boolean;
  /** running: inside or over its target; done: met or missed; ended without being reached: missed */
  state: 'running' | 'over' | 'met' | 'missed';
  /** 0 to 1 of the target. */
  share: number;
  leftS: number;
  stoppedBy: string;
}

/**
 * The legs of an incident at now, in the server's time. A running leg is counted on from onset, so that all screens
 * show the same second; one that has stopped is what the server says.
 */
export function legs(incident: Incident, now: number): LegView[] {
  const onset = millis(incident.onset_at);
  return legNames.map((name) => {
    const leg = incident.clock[name];
    const elapsedS = leg.running && !Number.isNaN(onset) ? Math.max(0, (now - onset) / 1000) : leg.elapsed_s;
    const over = elapsedS > leg.target_s;
    const met = leg.met ?? !over;
    return {
      name,
      targetS: leg.target_s,
      elapsedS,
      running: leg.running,
      state: leg.running ? (over || leg.met === false ? 'over' : 'running') : met ? 'met' : 'missed',
      share: Math.min(1, leg.target_s > 0 ? elapsedS / leg.target_s : 0),
      leftS: leg.target_s - elapsedS,
      stoppedBy: leg.stopped_by ?? '',
    };
  });
}

/** Seconds since onset, or until recovery or resolution once there is one: the clock of the incident. */
export function incidentSeconds(incident: Incident, now: number): number {
  const onset = millis(incident.onset_at);
  if (Number.isNaN(onset)) return incident.clock.recover.elapsed_s;
  const ends = [incident.recovered_at, incident.resolved_at].map(millis).filter((t) => !Number.isNaN(t));
  const end = ends.length > 0 ? Math.min(...ends) : now;
  return Math.max(0, (end - onset) / 1000);
}

/** Says whether the incident's big clock still runs. */
export function clockRuns(incident: Incident): boolean {
  return !incident.recovered_at && !incident.resolved_at;
}

/**
 * The server's time from the browser's clock: the offset of the answer that was quickest is kept, because its
 * uncertainty is the smallest, and given up slowly so that a clock that was set does not mislead for ever.
 */
export class ServerClock {
  private offset = 0;
  private best = Infinity;
  private measured = 0;

  constructor(private readonly local: () => number = Date.now) {}

  /** Takes the server's time in an answer that was asked for at sent and had come at received (browser's time). */
  sample(serverMs: number, sent: number, received: number): void {
    if (Number.isNaN(serverMs)) return;
    const rtt = Math.max(0, received - sent);
    const aged = this.best + (received - this.measured) / 200; // 5 ms a second
    if (rtt > aged) return;
    this.best = rtt;
    this.measured = received;
    this.offset = serverMs - (sent + received) / 2;
  }

  now(): number {
    return this.local() + this.offset;
  }
}
