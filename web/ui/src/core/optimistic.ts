import type { Incident } from './types';

/** Changes that were asked for and not yet answered: they lie over what the server says, and come off again. */
export class Optimistic {
  private patches = new Map<number, { id: string; patch: Partial<Incident> }>();
  private next = 1;

  /** Lays patch over the incident until the returned function is called. */
  lay(id: string, patch: Partial<Incident>): () => void {
    const key = this.next++;
    this.patches.set(key, { id, patch });
    return () => this.patches.delete(key);
  }

  over(incident: Incident): Incident {
    let out = incident;
    for (const p of this.patches.values()) if (p.id === incident.id) out = { ...out, ...p.patch };
    return out;
  }
}
