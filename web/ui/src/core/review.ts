import { legNames } from './clock';
import type { Incident, LegName } from './types';

export interface LegSummary {
  name: LegName;
  targetS: number;
  /** Incidents whose leg has ended, and those of them that ended in time. */
  ended: number;
  met: number;
  medianS: number | null;
}

/** How the legs of 1-5-10 went over incidents; drills do not count. */
export function legSummary(incidents: Incident[]): { incidents: number; legs: LegSummary[] } {
  const real = incidents.filter((i) => !i.drill && !i.merged_into);
  const legs = legNames.map((name) => {
    const ended = real.map((i) => i.clock[name]).filter((l) => !l.running);
    const seconds = ended.map((l) => l.elapsed_s).sort((a, b) => a - b);
    const middle = seconds.length >> 1;
    const median =
      seconds.length === 0
        ? null
        : seconds.length % 2
          ? seconds[middle]!
          : (seconds[middle - 1]! + seconds[middle]!) / 2;
    return {
      name,
      targetS: real[0]?.clock[name].target_s ?? { detect: 60, locate: 300, recover: 600 }[name],
      ended: ended.length,
      met: ended.filter((l) => l.met).length,
      medianS: median,
    };
  });
  return { incidents: real.length, legs };
}
