import { count, t } from '../../state/app.svelte';

/** Where a sign was read: a place by its name, or how many of a sort. */
export function place(where: string | undefined): string {
  const many = /^(\d+) (stores|units|callers)$/.exec(where ?? '');
  if (!many) return where ?? '';
  if (many[2] === 'stores') return count('impact.stores', Number(many[1]));
  return t(`place.${many[2] as 'units' | 'callers'}`, { n: many[1]! });
}
