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
