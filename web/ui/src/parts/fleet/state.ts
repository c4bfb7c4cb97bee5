// How the state of a device looks, and what is odd about one.
import { lengthText } from '../../core/format';
import type { Device } from '../../core/types';
import { t } from '../../state/app.svelte';

export const tone: Record<string, string> = { offline: 't-offline', degraded: 't-warning', late: 't-info' };
export const shape: Record<string, string> = {
  online: '●',
  offline: '–',
  degraded: '▲',
  late: '◒',
  closed: '○',
  never_seen: '·',
  retired: '',
};

/** What is odd about a device, and what it says itself. */
export function remarks(d: Device): string {
  return [
    d.flapping && t('fleet.flapping'),
    d.clock_off_s &&
      t(d.clock_off_s > 0 ? 'fleet.clock_ahead' : 'fleet.clock_behind', { n: lengthText(Math.abs(d.clock_off_s)) }),
    d.note,
  ]
    .filter(Boolean)
    .join(' · ');
}
