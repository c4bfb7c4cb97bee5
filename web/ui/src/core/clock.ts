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

/** Milliseconds a second by which the best sample loses, so that a browser's clock that runs fast is followed. */
const DRIFT = 2;

/**
 * The server's time from the browser's clock. What the server stamps is older than its arrival by an unknown way, so
 * each stamp is a lower bound of the server's time; the highest bound is the nearest to the truth.
 */
export class ServerClock {
  private offset = NaN;
  private measured = 0;

  constructor(private readonly local: () => number = Date.now) {}

  /** Takes a stamp of the server's that has just arrived. */
  sample(serverMs: number): void {
    if (Number.isNaN(serverMs)) return;
    const now = this.local();
    const bound = serverMs - now;
    const kept = this.offset - ((now - this.measured) / 1000) * DRIFT;
    if (Number.isNaN(this.offset) || bound > kept) {
      this.offset = bound;
      this.measured = now;
    }
  }

  now(): number {
    return this.local() + (Number.isNaN(this.offset) ? 0 : this.offset);
  }
}
