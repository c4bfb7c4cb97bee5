import type { ClockGroup, LegStats } from './types';

/** Of all incidents of a group, the share whose leg was inside its target; null where there are none. */
export function metShare(group: ClockGroup, leg: LegStats): number | null {
  return group.incidents > 0 ? leg.met / group.incidents : null;
}

/** How good a share is, for a tint and for a word beside it: nothing is good below nine in ten. */
export function grade(share: number | null): 'none' | 'good' | 'fair' | 'poor' {
  if (share === null) return 'none';
  return share >= 0.9 ? 'good' : share >= 0.6 ? 'fair' : 'poor';
}

/** Where a length of time stands on a bar that ends at three times its target, 0 to 1. */
export function onBar(seconds: number, targetS: number): number {
  return targetS > 0 ? Math.max(0, Math.min(1, seconds / (3 * targetS))) : 0;
}

/** Targets of the legs when nothing else is known. */
export const targets = { detect: 60, locate: 300, recover: 600 } as const;

/** The start of a span of so many weeks that ends at now, at midnight UTC, so that a minute changes nothing in the address. */
export function weeksBack(now: number, weeks: number): string {
  const day = 86_400_000;
  return new Date(Math.floor(now / day) * day - (weeks * 7 - 1) * day).toISOString();
}

/** The last months, the oldest first, as spans in UTC: 2026-11 from its first to the first of the next. */
export function lastMonths(now: number, n: number): { key: string; from: string; to: string }[] {
  const today = new Date(now);
  const first = (back: number) => new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - back, 1));
  return Array.from({ length: n }, (_, i) => {
    const from = first(n - 1 - i);
    return { key: from.toISOString().slice(0, 7), from: from.toISOString(), to: first(n - 2 - i).toISOString() };
  });
}

/** Of all legs of a group's incidents, the share inside their targets: one figure for 1-5-10. */
export function passRate(group: ClockGroup): number | null {
  return group.incidents > 0 ? (group.detect.met + group.locate.met + group.recover.met) / (3 * group.incidents) : null;
}
