import type { CityState, Time } from './types';

// What devices that are not well have in common, as the API tells it, and what its panel makes of that.

export interface FleetCause {
  scope: Record<string, string[]>;
  since: Time;
  affected: number;
  total: number;
  /** The share affected in the set over the share outside of all causes. */
  lift: number;
  text: string;
  stores: number;
  worst?: string[];
  gateways?: string[];
}
export interface FleetCauses {
  causes: FleetCause[];
  /** Not well, and in none of the causes. */
  unexplained: number;
}

const order = ['change', 'region', 'city', 'store', 'network', 'kind', 'model', 'firmware'];

/** The parts of a cause's scope, places before things; none when it is everything. */
export function chipsOf(cause: FleetCause): { key: string; value: string }[] {
  const known = order.filter((k) => cause.scope[k]);
  const others = Object.keys(cause.scope).filter((k) => !order.includes(k));
  return [...known, ...others].flatMap((key) => cause.scope[key]!.map((value) => ({ key, value })));
}

/** The share of a cause's devices that are not well. */
export const shareOf = (c: FleetCause) => (c.total > 0 ? c.affected / c.total : 0);

/** The share of the others: null where the cause is everything, and there are none. */
export const othersShare = (c: FleetCause) =>
  chipsOf(c).length === 0 || !(c.lift > 0) ? null : Math.min(1, shareOf(c) / c.lift);

/** The lift as people say it: 12, 3.4; what is beyond 100 is as clear as it gets. */
export const liftText = (lift: number) =>
  lift > 100 ? '>100' : lift >= 10 ? String(Math.round(lift)) : lift.toFixed(1).replace(/\.0$/, '');

/** Where each store is, by its id. */
export function cityByStore(cities: readonly CityState[]): Map<string, string> {
  return new Map(cities.flatMap((c) => (c.stores ?? []).map((s): [string, string] => [s.id, c.city])));
}
