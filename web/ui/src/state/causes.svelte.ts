import type { FleetCauses } from '../core/causes';
import { Resource } from './resource.svelte';
import { store } from './app.svelte';

// The server looks once a second; nobody reads faster than this.
const GAP_MS = 1500;

/** What devices share, for as long as a component lives: asked again when cells of the fleet change, and now and then. */
export function followCauses(): Resource<FleetCauses> {
  const causes = new Resource<FleetCauses>(() => '/fleet/causes', [], 4000, GAP_MS);
  $effect(() => store.fleet.watchCells(() => causes.reload()));
  return causes;
}
